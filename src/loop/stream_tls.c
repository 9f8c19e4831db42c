/* The TLS half of a stream. OpenSSL works on two memory BIOs:
 *
 *   socket --> incoming --> in  BIO --> SSL_read  --> the reader's buf
 *   socket <-- sending  <-- out BIO <-- SSL_write <-- the writer's parts
 *
 * A big write is encrypted in rounds of ROUND_BYTES, the next when the last is sent, so that it
 * does not stand in memory twice. OpenSSL may have something to send at any time (handshake, key
 * updates), hence a flush after every call. */
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/stream_internal.h"
#include "loop/tls_internal.h"

#define ROUND_BYTES (256 * 1024)
#define RECORD_BYTES (16 * 1024) /* the most that TLS puts into one record */

struct session {
    SSL *ssl;
    bool is_handshaking;
    bool is_broken;            /* OpenSSL must not be asked any more */
    bool is_sending;           /* libuv holds `sending` */
    struct buf sending;        /* encrypted */
    const struct slice *parts; /* of the write under way: the caller's, then `copied` */
    struct slice *copied;      /* owned; NULL = none */
    size_t count, at, offset;  /* parts, the current one, and how much of it is encrypted */
};

/* What the socket gave, before it goes into the BIO. One for all sessions, since libuv asks for
 * room, reads and hands over in one go. */
static char incoming[2 * RECORD_BYTES];

enum progress { FINISHED, UNDER_WAY, FAILED };

/* ---- sending ---- */

static void on_sent(uv_write_t *req, int status);

/* Sends what OpenSSL wrote; a uv status. What cannot be sent at once is_sending. */
static int flush(struct stream *stream)
{
    struct session *session = stream->session;
    struct transport *transport = stream->transport;
    BIO *out = SSL_get_wbio(session->ssl);
    size_t pending = BIO_ctrl_pending(out), len = 0;

    if (session->is_sending || pending == 0)
        return 0;
    buf_clear(&session->sending);
    char *to = buf_reserve(&session->sending, pending);
    if (to == NULL || BIO_read_ex(out, to, pending, &len) != 1)
        return UV_ENOMEM;
    uv_buf_t rest = {to, len};
    int status = uv_try_write(&transport->uv.stream, &rest, 1);
    if (status == (int)len)
        return 0;
    if (status < 0 && status != UV_EAGAIN)
        return status;
    if (status > 0)
        rest = (uv_buf_t){to + status, len - (size_t)status};
    status = uv_write(&transport->write, &transport->uv.stream, &rest, 1, on_sent);
    session->is_sending = status == 0;
    return status;
}

/* Takes the next piece of the parts: in place if it fills records, else gathered in `gather`. */
static struct slice next_piece(struct session *session, char gather[RECORD_BYTES])
{
    size_t len = 0;

    while (session->at < session->count) {
        struct slice part = slice_from(session->parts[session->at], session->offset);
        size_t room = RECORD_BYTES - len;
        if (len == 0 && part.len >= RECORD_BYTES) {
            part = slice_first(part, ROUND_BYTES);
            session->offset += part.len;
            return part;
        }
        if (part.len > room) {
            memcpy(gather + len, part.data, room);
            session->offset += room;
            return (struct slice){gather, RECORD_BYTES};
        }
        if (part.len > 0)
            memcpy(gather + len, part.data, part.len);
        len += part.len;
        session->at++;
        session->offset = 0;
    }
    return (struct slice){gather, len};
}

/* Encrypts up to ROUND_BYTES, more or less. False when OpenSSL will not. */
static bool encrypt_round(struct session *session)
{
    char gather[RECORD_BYTES];
    size_t done = 0, wrote;

    while (done < ROUND_BYTES) {
        struct slice piece = next_piece(session, gather);
        if (piece.len == 0)
            return true;
        ERR_clear_error();
        if (SSL_write_ex(session->ssl, piece.data, piece.len, &wrote) != 1)
            return false;
        done += piece.len;
    }
    return true;
}

/* Goes on with the write under way, as far as the socket takes it. */
static enum progress write_on(struct stream *stream, enum err *ret_err, char *text, size_t size)
{
    struct session *session = stream->session;

    for (;;) {
        int status = flush(stream);
        if (status < 0) {
            *ret_err = err_from_uv(status);
            snprintf(text, size, "%s", uv_text(status));
            return FAILED;
        }
        if (session->is_sending)
            return UNDER_WAY;
        if (session->at == session->count)
            return FINISHED;
        if (!session->is_broken && encrypt_round(session))
            continue;
        session->is_broken = true;
        *ret_err = stream->read_err = E_TLS; /* reading is over too */
        snprintf(stream->read_text, sizeof stream->read_text, "%s", tls_reason(session->ssl));
        snprintf(text, size, "%s", stream->read_text);
        return FAILED;
    }
}

static void forget_parts(struct session *session)
{
    free(session->copied);
    session->copied = NULL;
    session->parts = NULL;
    session->count = session->at = session->offset = 0;
}

static void on_sent(uv_write_t *req, int status)
{
    struct stream *stream = container_of(req, struct transport, write)->owner;
    enum err err = E_OK;
    char text[160] = "";

    if (stream == NULL)
        return;
    stream->session->is_sending = false;
    if (stream->write_op == NULL || stream->write_late.is_busy) { /* OpenSSL's own bytes */
        if (status == 0)
            (void)flush(stream); /* if it fails, reading tells */
        return;
    }
    if (status < 0) {
        err = err_from_uv(status);
        snprintf(text, sizeof text, "%s", uv_text(status));
    } else if (write_on(stream, &err, text, sizeof text) == UNDER_WAY) {
        return;
    }
    forget_parts(stream->session);
    stream_write_end(stream, err, text);
}

void session_write(struct stream *stream, const struct slice *parts, size_t count)
{
    struct session *session = stream->session;
    struct cause *why = &stream->write_op->why;
    enum err err = E_OK;

    session->parts = parts;
    session->count = count;
    session->at = session->offset = 0;
    if (write_on(stream, &err, why->text, sizeof why->text) == UNDER_WAY) {
        session->copied = mem_new_array(count + 1, struct slice); /* the array may be on a stack */
        memcpy(session->copied, parts, count * sizeof *parts);
        session->parts = session->copied;
        return;
    }
    forget_parts(session);
    loop_later(stream->loop, &stream->write_late, err);
}

/* ---- receiving ---- */

static void note_failure(struct stream *stream, int ssl_error)
{
    bool is_end = ssl_error == SSL_ERROR_ZERO_RETURN;

    stream->session->is_broken = !is_end;
    stream->read_err = is_end ? E_CLOSED : E_TLS;
    snprintf(stream->read_text, sizeof stream->read_text, "%s",
             is_end ? "closed by the peer" : tls_reason(stream->session->ssl));
}

/* Decrypts into the reader's buf. FINISHED: there is something; FAILED: read_err says why not. */
static enum progress take(struct stream *stream)
{
    struct session *session = stream->session;
    struct buf *into = stream->into;
    size_t left = into->max_bytes - into->len, total = 0, got;

    if (left > stream->chunk)
        left = stream->chunk;
    char *to = session->is_broken ? NULL : buf_reserve(into, left);
    int ok = to != NULL;
    while (ok && total < left) {
        ERR_clear_error();
        ok = SSL_read_ex(session->ssl, to + total, left - total, &got);
        if (ok)
            total += got;
    }
    buf_grow(into, total);
    int ssl_error = ok || to == NULL ? SSL_ERROR_NONE : SSL_get_error(session->ssl, ok);
    if (ssl_error != SSL_ERROR_NONE && ssl_error != SSL_ERROR_WANT_READ)
        note_failure(stream, ssl_error);
    (void)flush(stream);
    if (total > 0)
        return FINISHED;
    return stream->read_err != E_OK ? FAILED : UNDER_WAY;
}

void session_read(struct stream *stream)
{
    enum progress progress = take(stream);

    if (progress == UNDER_WAY && stream_watch(stream) != E_OK)
        progress = FAILED;
    if (progress == FINISHED)
        loop_later(stream->loop, &stream->read_late, E_OK);
    else if (progress == FAILED)
        loop_later(stream->loop, &stream->read_late, stream->read_err);
}

static void secured(struct stream *stream, enum err err, const char *text)
{
    if (SSL_is_server(stream->session->ssl))
        stream_secured(stream, err, text);
    else
        stream_connect_secured(stream, err, text);
}

static void shake(struct stream *stream)
{
    struct session *session = stream->session;

    ERR_clear_error();
    int result = SSL_do_handshake(session->ssl);
    int ssl_error = SSL_get_error(session->ssl, result);
    session->is_handshaking = result != 1;
    session->is_broken = result != 1 && ssl_error != SSL_ERROR_WANT_READ;
    (void)flush(stream); /* the alert too, so that the peer knows; if it fails, reading tells */
    if (result == 1)
        secured(stream, E_OK, "");
    else if (session->is_broken)
        secured(stream, E_TLS, tls_reason(session->ssl));
    else if (stream_watch(stream) != E_OK)
        secured(stream, stream->read_err, stream->read_text);
}

void session_got(struct stream *stream, ssize_t got)
{
    struct session *session = stream->session;

    if (got > 0)
        BIO_write(SSL_get_rbio(session->ssl), incoming, (int)got);
    if (session->is_handshaking) {
        if (got > 0)
            shake(stream);
        else
            secured(stream, stream->read_err, "closed in the TLS handshake");
        return;
    }
    if (stream->read_op == NULL || stream->read_late.is_busy)
        return;
    enum progress progress = take(stream);
    if (progress == FINISHED)
        stream_read_end(stream, E_OK, NULL);
    else if (progress == FAILED)
        stream_read_end(stream, stream->read_err, stream->read_text);
}

void session_room(uv_buf_t *ret)
{
    *ret = (uv_buf_t){incoming, sizeof incoming};
}

bool session_wants_bytes(const struct session *session)
{
    return session->is_handshaking;
}

/* ---- life ---- */

enum err session_start(struct stream *stream, const struct tls *tls, const char *host,
                       struct cause *why)
{
    SSL *ssl = tls_open(tls, host, why);

    if (ssl == NULL)
        return E_TLS;
    stream->session = mem_new(struct session);
    stream->session->ssl = ssl;
    stream->session->is_handshaking = true;
    buf_init(&stream->session->sending, 4 * ROUND_BYTES);
    shake(stream);
    return E_OK;
}

/* So that the peer can tell an end from a cut. */
void session_finish(struct stream *stream)
{
    struct session *session = stream->session;

    if (session == NULL || stream->transport == NULL || session->is_handshaking ||
        session->is_broken || stream->write_op != NULL ||
        (SSL_get_shutdown(session->ssl) & SSL_SENT_SHUTDOWN) != 0)
        return;
    SSL_shutdown(session->ssl);
    (void)flush(stream);
}

void session_free(struct stream *stream)
{
    struct session *session = stream->session;

    if (session == NULL)
        return;
    session_finish(stream);
    stream->session = NULL;
    SSL_free(session->ssl);
    buf_done(&session->sending);
    free(session->copied);
    free(session);
}
