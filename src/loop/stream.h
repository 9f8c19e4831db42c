/* loop/stream.h - a byte stream to a peer: TCP, unix socket, TLS over TCP, or a descriptor that is
 * open already. Rules: one connect, or adopt and perhaps secure, then at most one read and one
 * write at a time. Reading is asked for, so back-pressure is the absence of asking. Any error ends
 * the stream's use: free it. */
#ifndef LOOP_STREAM_H
#define LOOP_STREAM_H

#include <stdint.h>

#include "base/buf.h"
#include "loop/op.h"

struct loop;
struct stream;
struct tls;

struct stream_target {
    const char *path; /* unix socket; or NULL, and then */
    const char *host; /* name or address; every address of a name is tried in turn */
    uint16_t port;
    const struct tls *tls;   /* NULL = no TLS; borrowed until the stream is freed */
    const char *server_name; /* for SNI and verification; NULL = host */
    uint32_t timeout_ms;     /* for all of it: name, connect, handshake; 0 = 10 s */
    uint32_t keepalive_s;    /* TCP keep-alive; 0 = off */
    unsigned reaches; /* kinds of addresses (loop/address.h) that may be connected to; 0 = all.
                         Judged after the name was looked up, so no name leads elsewhere */
};

struct stream *stream_new(struct loop *loop);
/* stream_adopt takes over a connected socket (fd is closed with the stream, or at once on failure).
 */
enum err stream_adopt(struct loop *loop, int fd, struct stream **ret, struct cause *why);

/* stream_secure makes an adopted stream, of which nothing was read or written yet, the server's
 * side of TLS: later E_OK; or E_TLS, E_CLOSED, E_CANCELED. How long a client may take is the
 * caller's to say, by op_abort(). `tls` is of tls_server_new(). */
enum err stream_secure(struct stream *stream, const struct tls *tls, struct op *op);

/* stream_connect: later E_OK; or E_DNS, E_DENIED (`reaches`), E_REFUSED, E_TIMEOUT, E_TLS,
 * E_CLOSED, E_CANCELED, with the peer's name in op->why. TCP_NODELAY is set. `target` is borrowed
 * until then, its tls until the stream is freed. */
enum err stream_connect(struct stream *stream, const struct stream_target *target, struct op *op);

/* stream_read waits for bytes and appends at most what `into` has room for (it reserves; see
 * buf.h), at least one and up to `chunk` bytes. Later E_OK; E_CLOSED at the end of the stream;
 * E_LIMIT if `into` is full; other errors. Several chunks that are there may be appended at once.
 * Between turns nothing points into `into`: its owner may change or move its content meanwhile. */
enum err stream_read(struct stream *stream, struct buf *into, size_t chunk, struct op *op);

/* stream_write sends the parts in order. They are borrowed until done. At most STREAM_PARTS_MAX
 * parts, else E_LIMIT. */
#define STREAM_PARTS_MAX 1024
enum err stream_write(struct stream *stream, const struct slice *parts, size_t count,
                      struct op *op);

/* stream_finish tells the peer that nothing more will be sent, and reading goes on. For when no
 * write is under way. Closing at once instead would take what was sent last away from a peer that
 * is still sending. */
void stream_finish(struct stream *stream);

/* stream_free closes at once; a busy op ends with E_CANCELED, later. NULL is fine. In callbacks:
 * yes. */
void stream_free(struct stream *stream);

/* The TLS side of a client. Verification is on unless told otherwise; TLS 1.2 and 1.3. */
struct tls_options {
    const char *ca_file;   /* PEM; NULL = the system's */
    const char *cert_file; /* client certificate chain, PEM; NULL = none */
    const char *key_file;  /* NULL = cert_file */
    bool is_insecure;      /* do not verify */
    bool only_tls12;
    bool only_tls13;
    bool check_revocation; /* with CRLs that ca_file holds */
};
enum err tls_new(const struct tls_options *options, struct tls **ret,
                 struct cause *why); /* reads files: blocks */
void tls_free(struct tls *tls);

/* tls_server_new is the server's side: a certificate chain and its key, PEM; TLS 1.2 and 1.3. Reads
 * files: blocks. E_OK; or E_TLS with the file named. */
enum err tls_server_new(const char *cert_file, const char *key_file, struct tls **ret,
                        struct cause *why);
/* tls_server_reload reads the files again, for connections to come. A failure changes nothing. */
enum err tls_server_reload(struct tls *tls, struct cause *why);

#endif
