/* wire/url.h - where an HTTP request goes. Pure: callable anywhere.
 * Source: RFC 3986, and RFC 9110 section 4 for http and https. Strict, because URLs come from users
 * of the server and are written into requests: no user name, no white space, no control or
 * non-ASCII byte, no malformed escape. A fragment is dropped.
 *   http://host[:port][/path][?query]    https://...    [v6-address] as host
 *   unix:///path/of.sock[:/path[?query]] (a socket's path with a colon cannot be told) */
#ifndef WIRE_URL_H
#define WIRE_URL_H

#include "base/buf.h"

#define URL_MAX_BYTES 8192
#define URL_HOST_MAX_BYTES 255

enum url_scheme { URL_HTTP, URL_HTTPS, URL_UNIX };

struct url {
    enum url_scheme scheme;
    struct slice
        host;      /* name or address, as written, without brackets; of unix: the socket's path */
    uint16_t port; /* 80 or 443 if none was given; of unix: 0 */
    bool is_v6;    /* host is an IPv6 address */
    struct slice path;  /* still escaped; "/" if there was none */
    struct slice query; /* still escaped, from its '?' on; empty if there was none */
};

/* url_parse: E_OK and *ret, which points into `text`; or E_BAD_INPUT, E_LIMIT, E_UNSUPPORTED
 * (scheme), with the reason in `why` and *ret untouched. `why` may be NULL. */
enum err url_parse(struct slice text, struct url *ret, struct cause *why);

/* url_add_host appends what the Host header of a request to `url` says. */
void url_add_host(struct buf *out, const struct url *url);

/* url_decode appends `text` with its %XX escapes replaced; url_decode_form takes '+' for a space
 * too. E_BAD_INPUT for a malformed escape, with `out` as it was; E_LIMIT. Any byte may come out,
 * NUL included. */
enum err url_decode(struct buf *out, struct slice text);
enum err url_decode_form(struct buf *out, struct slice text);
/* url_form_field appends the unescaped value of the first field of that name in a form,
 * "name=value&..": E_OK; E_NOT_FOUND if there is none; E_BAD_INPUT, E_LIMIT as url_decode(). */
enum err url_form_field(struct buf *out, struct slice form, struct slice name);

/* url_add_escaped appends `text` with all but letters, digits and -._~ escaped: one path segment,
 * or the name or value of a query. */
void url_add_escaped(struct buf *out, struct slice text);

#endif
