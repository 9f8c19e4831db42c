/* server/listeners.h - where this server is reached: by HTTP at `listen`, by HTTPS at
 * `listen_https`, with a certificate of the private authority in DATA/tls (loop/authority.h).
 * Rules: without its HTTP address the server does not start. HTTPS at the address of the default
 * is given up with a warning when another program has it, since several servers on one machine
 * would all want it. */
#ifndef SERVER_LISTENERS_H
#define SERVER_LISTENERS_H

#include "base/buf.h"
#include "http/server.h"

struct listeners;
struct settings;

struct listeners_options {
    struct loop *loop;
    const struct settings *settings;
    const char *data; /* the folder */
    void (*handler)(void *ctx, struct http_request *request);
    void (*begin)(void *ctx, struct http_request *request);
    void *ctx;
    size_t body_max_bytes;
};

/* listeners_open blocks on the disk. E_OK and *ret; or an error that names the setting. */
enum err listeners_open(const struct listeners_options *options, struct listeners **ret,
                        struct cause *why);
/* listeners_certificate makes the certificate of this server in `folder`, for all names by which
 * clients know it or its caches. Blocks. Errors as of authority_open(), the setting named. */
enum err listeners_certificate(const struct settings *settings, const char *folder,
                               struct cause *why);
uint16_t listeners_http_port(const struct listeners *listeners);
uint16_t listeners_https_port(const struct listeners *listeners); /* 0 = not served */
/* listeners_write_url appends the URL of HTTP, or what the setting public_url says. */
void listeners_write_url(struct buf *out, const struct listeners *listeners);
/* listeners_write_https appends that of HTTPS; nothing if it is not served. */
void listeners_write_https(struct buf *out, const struct listeners *listeners);
/* listeners_describe appends both as members, url and httpsUrl; "" = not served. */
void listeners_describe(struct buf *out, const struct listeners *listeners);
/* listeners_reload reads the certificate of HTTPS again, for connections to come; logs what is
 * wrong with it, and goes on with the one before. Blocks on the disk. */
void listeners_reload(struct listeners *listeners);
/* listeners_close ends both, and frees, when the op ends; as http_server_close(). */
void listeners_close(struct listeners *listeners, uint32_t grace_ms, struct op *op);

#endif
