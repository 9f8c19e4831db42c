#include "wire/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"

static const char hex_digits[] = "0123456789ABCDEF";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* At a '%': the byte it stands for, or -1. */
static int escape_value(struct slice text, size_t at)
{
    if (at + 2 >= text.len)
        return -1;
    int high = hex_value(text.data[at + 1]);
    int low = hex_value(text.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Bytes that may be written into a request line. The four that RFC 3986 leaves out but that cannot
 * mislead a reader ({}|^`) are let through, since templates and hand-written URLs hold them. */
static bool is_target_byte(char c)
{
    return c > ' ' && c < 0x7f && strchr("\"<>\\", c) == NULL;
}

static enum err target_check(struct slice text, struct cause *why)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '%' && escape_value(text, i) < 0)
            return cause_set(why, E_BAD_INPUT, "malformed %% escape in the path or query");
        if (!is_target_byte(text.data[i]))
            return cause_set(why, E_BAD_INPUT, "byte 0x%02x must be escaped as %%%02X",
                             (unsigned char)text.data[i], (unsigned char)text.data[i]);
    }
    return E_OK;
}

/* Splits what follows the host, and drops the fragment. */
static enum err target_parse(struct slice text, struct url *url, struct cause *why)
{
    text = slice_first(text, slice_find_byte(text, '#'));
    size_t question = slice_find_byte(text, '?');

    url->path = slice_first(text, question);
    url->query = slice_from(text, question);
    if (url->path.len == 0)
        url->path = SLICE("/");
    return target_check(text, why);
}

static enum err host_check(struct slice host, bool is_v6, struct cause *why)
{
    char text[INET6_ADDRSTRLEN + 1];
    struct in6_addr address;

    if (host.len == 0)
        return cause_set(why, E_BAD_INPUT, "the host is missing");
    if (host.len > URL_HOST_MAX_BYTES)
        return cause_set(why, E_LIMIT, "the host is longer than %d bytes", URL_HOST_MAX_BYTES);
    if (is_v6) {
        if (host.len < sizeof(text) && memchr(host.data, 0, host.len) == NULL) {
            memcpy(text, host.data, host.len);
            text[host.len] = 0;
            if (inet_pton(AF_INET6, text, &address) == 1)
                return E_OK;
        }
        return cause_set(why, E_BAD_INPUT, "the brackets hold no IPv6 address");
    }
    for (size_t i = 0; i < host.len; i++)
        if (!is_alnum(host.data[i]) && host.data[i] != '-' && host.data[i] != '.' &&
            host.data[i] != '_')
            return cause_set(why, E_BAD_INPUT, "the host has a byte that no host name has");
    return E_OK;
}

static enum err port_parse(struct slice text, struct url *url, struct cause *why)
{
    uint64_t port;

    url->port = url->scheme == URL_HTTPS ? 443 : 80;
    if (text.len == 0)
        return E_OK;
    if (text.data[0] != ':')
        return cause_set(why, E_BAD_INPUT, "text between ']' and the path");
    text = slice_from(text, 1);
    if (text.len == 0) /* "host:" is allowed and means the default */
        return E_OK;
    if (!slice_to_u64(text, &port) || port == 0 || port > 65535)
        return cause_set(why, E_BAD_INPUT, "the port must be a number from 1 to 65535");
    url->port = (uint16_t)port;
    return E_OK;
}

static enum err authority_parse(struct slice text, struct url *url, struct cause *why)
{
    if (slice_find_byte(text, '@') < text.len)
        return cause_set(why, E_BAD_INPUT, "a user name in the URL is refused");
    size_t host_end = slice_find_byte(text, ':');

    url->is_v6 = text.len > 0 && text.data[0] == '[';
    if (url->is_v6) {
        host_end = slice_find_byte(text, ']');
        if (host_end == text.len)
            return cause_set(why, E_BAD_INPUT, "']' is missing");
        url->host = slice_from(slice_first(text, host_end), 1);
        host_end++;
    } else {
        url->host = slice_first(text, host_end);
    }
    enum err err = host_check(url->host, url->is_v6, why);
    return err ? err : port_parse(slice_from(text, host_end), url, why);
}

static enum err socket_parse(struct slice text, struct url *url, struct cause *why)
{
    size_t end = slice_find_byte(text, ':');
    struct slice target = slice_from(text, end + 1);

    url->host = slice_first(text, end);
    if (url->host.len < 2 || url->host.data[0] != '/')
        return cause_set(why, E_BAD_INPUT, "the socket's path must begin with '/'");
    for (size_t i = 0; i < url->host.len; i++)
        if (url->host.data[i] >= 0 && url->host.data[i] < ' ')
            return cause_set(why, E_BAD_INPUT, "the socket's path has a control byte");
    if (target.len > 0 && target.data[0] != '/')
        return cause_set(why, E_BAD_INPUT, "the path behind the socket must begin with '/'");
    return target_parse(target, url, why);
}

static enum err network_parse(struct slice text, struct url *url, struct cause *why)
{
    size_t end = 0;

    while (end < text.len && text.data[end] != '/' && text.data[end] != '?' &&
           text.data[end] != '#')
        end++;
    enum err err = authority_parse(slice_first(text, end), url, why);
    return err ? err : target_parse(slice_from(text, end), url, why);
}

static const struct scheme {
    struct slice prefix;
    enum url_scheme scheme;
    enum err (*parse)(struct slice text, struct url *url, struct cause *why);
} schemes[] = {
    {SLICE_INIT("http://"), URL_HTTP, network_parse},
    {SLICE_INIT("https://"), URL_HTTPS, network_parse},
    {SLICE_INIT("unix://"), URL_UNIX, socket_parse},
};

enum err url_parse(struct slice text, struct url *ret, struct cause *why)
{
    struct url url = {.path = SLICE_NONE};

    if (text.len > URL_MAX_BYTES)
        return cause_set(why, E_LIMIT, "the URL is longer than %d bytes", URL_MAX_BYTES);
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        const struct scheme *row = &schemes[i];
        if (!slice_has_prefix_nocase(text, row->prefix))
            continue;
        url.scheme = row->scheme;
        enum err err = row->parse(slice_from(text, row->prefix.len), &url, why);
        if (err == E_OK)
            *ret = url;
        return err;
    }
    if (slice_find(text, SLICE("://")) == text.len)
        return cause_set(why, E_BAD_INPUT, "a URL begins with http:// or https://");
    return cause_set(why, E_UNSUPPORTED, "the scheme must be http, https or unix");
}

static enum err decode(struct buf *out, struct slice text, bool is_form)
{
    size_t len_before = out->len;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            int value = escape_value(text, i);
            if (value < 0) {
                out->len = len_before;
                return E_BAD_INPUT;
            }
            c = (char)value;
            i += 2;
        } else if (c == '+' && is_form) {
            c = ' ';
        }
        buf_add_byte(out, c);
    }
    return buf_err(out);
}

void url_add_host(struct buf *out, const struct url *url)
{
    uint16_t usual = url->scheme == URL_HTTPS ? 443 : 80;

    if (url->scheme == URL_UNIX) {
        buf_add(out, SLICE("localhost"));
        return;
    }
    buf_addf(out, url->is_v6 ? "[%.*s]" : "%.*s", SLICE_ARG(url->host));
    if (url->port != usual)
        buf_addf(out, ":%u", (unsigned)url->port);
}

enum err url_decode(struct buf *out, struct slice text)
{
    return decode(out, text, false);
}

enum err url_decode_form(struct buf *out, struct slice text)
{
    return decode(out, text, true);
}

enum err url_form_field(struct buf *out, struct slice form, struct slice name)
{
    struct slice field;

    while (slice_cut(&form, '&', &field))
        if (slice_has_prefix(field, name) && field.len > name.len && field.data[name.len] == '=')
            return url_decode_form(out, slice_from(field, name.len + 1));
    return E_NOT_FOUND;
}

void url_add_escaped(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (is_alnum((char)c) || (c != 0 && strchr("-._~", c) != NULL)) {
            buf_add_byte(out, (char)c);
            continue;
        }
        buf_add_byte(out, '%');
        buf_add_byte(out, hex_digits[c >> 4]);
        buf_add_byte(out, hex_digits[c & 15]);
    }
}
