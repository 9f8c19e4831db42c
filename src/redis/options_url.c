/* The notation of redis-cli -u and most clients:
 * scheme://user:password@host:port/database?key=value and unix://user:password@/path?key=value.
 * Every part may be percent-encoded; query keys are those of a connection string, or their short
 * names below. */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "redis/options_parser.h"

#define PART_MAX_BYTES 16384
#define SCHEME_SHOWN_MAX 20

static const struct {
    struct slice name;
    int tls;
    bool is_unix;
} schemes[] = {
    {SLICE_INIT("redis"), 0, false},  {SLICE_INIT("rediss"), 1, false},
    {SLICE_INIT("valkey"), 0, false}, {SLICE_INIT("valkeys"), 1, false},
    {SLICE_INIT("unix"), 0, true},    {SLICE_INIT("redis+unix"), 0, true},
};

static const struct {
    struct slice name;
    struct slice key;
} short_names[] = {
    {SLICE_INIT("db"), SLICE_INIT("defaultDatabase")},
    {SLICE_INIT("ca_file"), SLICE_INIT("caFile")},
    {SLICE_INIT("cert_file"), SLICE_INIT("certFile")},
    {SLICE_INIT("key_file"), SLICE_INIT("keyFile")},
    {SLICE_INIT("insecure"), SLICE_INIT("tlsInsecure")},
    {SLICE_INIT("client_name"), SLICE_INIT("name")},
};

bool options_is_url(struct slice text)
{
    size_t end = slice_find(text, SLICE("://"));
    return end < text.len && end < slice_find_byte(text, ',') && end < slice_find_byte(text, '=');
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* decode adds `text` without its percent-encoding. `part` names it, as the text may be secret. */
static enum err decode(struct options_parser *parser, struct slice text, const char *part,
                       struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_value(text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_value(text.data[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return cause_set(parser->why, E_BAD_INPUT,
                                 "The URL's %s holds a '%%' without two hexadecimal digits (a "
                                 "percent sign itself is %%25).",
                                 part);
            c = (char)(high * 16 + low);
            i += 2;
        }
        buf_add_byte(out, c);
    }
    return buf_err(out);
}

static enum err decode_text(struct options_parser *parser, struct slice text, const char *part,
                            char **to)
{
    struct buf plain;
    buf_init(&plain, PART_MAX_BYTES);
    enum err err = decode(parser, text, part, &plain);
    if (err == E_OK)
        options_set_text(to, buf_slice(&plain));
    buf_done(&plain);
    return err;
}

static enum err parse_user(struct options_parser *parser, struct slice text)
{
    size_t colon = slice_find_byte(text, ':');
    enum err err = decode_text(parser, slice_first(text, colon), "user", &parser->options->user);

    if (err == E_OK && colon < text.len)
        err = decode_text(parser, slice_from(text, colon + 1), "password",
                          &parser->options->password);
    return err;
}

static enum err parse_query_pair(struct options_parser *parser, struct slice pair)
{
    size_t equals = slice_find_byte(pair, '=');
    struct slice key = slice_first(pair, equals);
    struct buf value;

    for (size_t i = 0; i < COUNT_OF(short_names); i++)
        if (slice_eq_nocase(key, short_names[i].name))
            key = short_names[i].key;
    buf_init(&value, PART_MAX_BYTES);
    enum err err = decode(parser, slice_from(pair, equals + 1), "query", &value);
    if (err == E_OK)
        err = options_set_key(parser, key, buf_slice(&value));
    buf_done(&value);
    return err;
}

static enum err parse_query(struct options_parser *parser, struct slice query)
{
    struct slice pair;

    while (slice_cut(&query, '&', &pair)) {
        enum err err = pair.len > 0 ? parse_query_pair(parser, pair) : E_OK;
        if (err)
            return err;
    }
    return E_OK;
}

static enum err parse_hosts(struct options_parser *parser, struct slice hosts)
{
    struct slice host;

    if (hosts.len == 0)
        return cause_set(parser->why, E_BAD_INPUT, "The URL names no host.");
    while (slice_cut(&hosts, ',', &host)) {
        if (host.len > 0 && host.data[0] == '!')
            return cause_set(parser->why, E_BAD_INPUT, "A unix socket's URL begins with unix://.");
        enum err err = options_add_endpoint(parser, host);
        if (err)
            return err;
    }
    return E_OK;
}

static enum err parse_socket(struct options_parser *parser, struct slice path)
{
    struct redis_endpoint *endpoint = &parser->options->endpoints[0];

    enum err err = decode_text(parser, path, "path", &endpoint->path);
    if (err)
        return err;
    if (endpoint->path == NULL)
        return cause_set(parser->why, E_BAD_INPUT, "The URL names no socket: unix:///path.");
    parser->options->endpoint_count = 1;
    return E_OK;
}

static enum err parse_network(struct options_parser *parser, struct slice rest)
{
    size_t slash = slice_find_byte(rest, '/');
    struct slice database = slice_from(rest, slash + 1);

    enum err err = parse_hosts(parser, slice_first(rest, slash));
    if (err == E_OK && database.len > 0)
        err = options_set_key(parser, SLICE("defaultDatabase"), database);
    return err;
}

enum err options_parse_url(struct options_parser *parser, struct slice text)
{
    size_t end = slice_find(text, SLICE("://"));
    struct slice rest = slice_from(text, end + 3);
    struct slice query = SLICE_NONE;
    size_t which = 0;

    while (which < COUNT_OF(schemes) &&
           !slice_eq_nocase(slice_first(text, end), schemes[which].name))
        which++;
    if (which == COUNT_OF(schemes))
        return cause_set(parser->why, E_BAD_INPUT,
                         "Scheme '%.*s' is not supported: use redis, rediss or unix.",
                         SLICE_ARG(slice_first(slice_first(text, end), SCHEME_SHOWN_MAX)));
    parser->tls = schemes[which].tls;
    size_t at = slice_find_byte(rest, '@'); /* passwords hold it as %40 */
    size_t question = slice_find_byte(rest, '?');
    enum err err = E_OK;
    if (at < question) {
        err = parse_user(parser, slice_first(rest, at));
        question -= at + 1;
        rest = slice_from(rest, at + 1);
    }
    if (question < rest.len) {
        query = slice_from(rest, question + 1);
        rest = slice_first(rest, question);
    }
    if (err == E_OK)
        err = schemes[which].is_unix ? parse_socket(parser, rest) : parse_network(parser, rest);
    return err == E_OK ? parse_query(parser, query) : err;
}
