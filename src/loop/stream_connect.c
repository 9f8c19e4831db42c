/* How a stream reaches its peer, within one time limit:
 *
 *   lookup --> attempt --ok--> handshake (TLS) --> connected
 *                | ^
 *                +-+ failed, and there is another address
 *
 * An attempt may use its share of the time that is left, so that one address that never answers
 * does not use up the time of the next. */
#include "loop/stream.h"

#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/clock.h"
#include "loop/address.h"
#include "loop/stream_internal.h"
#include "loop/timer.h"

#define CONNECT_DEFAULT_MS 10000

enum phase { LOOKUP, ATTEMPT, HANDSHAKE };

struct connect {
    struct op *op;   /* the owner's */
    struct op first; /* begins the first attempt, next turn, when there is nothing to look up */
    const struct stream_target *target;
    struct lookup *lookup;      /* under way, or NULL */
    struct addrinfo *addresses; /* owned */
    struct addrinfo *next;      /* to try; into addresses */
    struct timer *timer;
    uint64_t due_at_ms; /* monotonic */
    enum phase phase;
    enum err err; /* of the last attempt, with its text */
    char text[128];
};

/* An object of its own, for a name server may answer after the stream is gone. */
struct lookup {
    uv_getaddrinfo_t req;
    struct stream *owner; /* NULL = nobody waits any more */
};

/* ---- ending ---- */

static struct op *take_apart(struct stream *stream)
{
    struct connect *connect = stream->connect;
    struct op *op = connect->op;

    if (connect->lookup != NULL) {
        connect->lookup->owner = NULL;
        uv_cancel((uv_req_t *)&connect->lookup->req);
    }
    loop_forget(&connect->first);
    timer_free(connect->timer);
    uv_freeaddrinfo(connect->addresses);
    free(connect);
    stream->connect = NULL;
    return op;
}

static void give_up(struct stream *stream)
{
    session_free(stream);
    transport_drop(stream);
}

static uint32_t limit_ms(const struct stream_target *target)
{
    return target->timeout_ms > 0 ? target->timeout_ms : CONNECT_DEFAULT_MS;
}

static void add_peer(struct cause *why, enum err err, const struct stream_target *target)
{
    if (target->path != NULL)
        (void)cause_wrap(why, err, "%s", target->path);
    else if (strchr(target->host, ':') != NULL)
        (void)cause_wrap(why, err, "[%s]:%u", target->host, target->port);
    else
        (void)cause_wrap(why, err, "%s:%u", target->host, target->port);
}

static void end(struct stream *stream, enum err err, const char *text)
{
    const struct stream_target *target = stream->connect->target;
    struct cause why;

    snprintf(why.text, sizeof why.text, "%s", text);
    struct op *op = take_apart(stream);
    if (err != E_OK) {
        give_up(stream);
        add_peer(&why, err, target);
        op->why = why;
    }
    op_end(op, err);
}

static void end_timeout(struct stream *stream, const char *what)
{
    char text[128];
    snprintf(text, sizeof text, "%s within %u ms", what, limit_ms(stream->connect->target));
    end(stream, E_TIMEOUT, text);
}

/* ---- attempts ---- */

static void note_failure(struct connect *connect, int status)
{
    connect->err = status == UV_ETIMEDOUT    ? E_TIMEOUT
                   : status == UV_ECONNRESET ? E_CLOSED
                   : status == UV_EACCES     ? E_DENIED
                                             : E_REFUSED; /* nobody there, one way or another */
    snprintf(connect->text, sizeof connect->text, "%s", uv_text(status));
}

static uint64_t left_ms(const struct connect *connect)
{
    uint64_t now_ms = clock_now_ms();
    return connect->due_at_ms > now_ms ? connect->due_at_ms - now_ms : 0;
}

static void set_socket_options(struct stream *stream)
{
    int fd, seconds = (int)stream->connect->target->keepalive_s, gap, probes = 3;
    uv_tcp_t *tcp = &stream->transport->uv.tcp;

    uv_tcp_nodelay(tcp, 1);
    if (seconds <= 0 || uv_fileno(&stream->transport->uv.handle, &fd) != 0)
        return;
    uv_tcp_keepalive(tcp, 1, (unsigned)seconds);
    gap = seconds >= probes ? seconds / probes : 1; /* a dead peer shows after 2 * seconds */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &gap, sizeof gap);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

static void on_connected_socket(struct stream *stream)
{
    struct connect *connect = stream->connect;
    const struct stream_target *target = connect->target;
    struct cause why = {0};

    if (target->path == NULL)
        set_socket_options(stream);
    if (target->tls == NULL) {
        end(stream, E_OK, "");
        return;
    }
    connect->phase = HANDSHAKE;
    timer_set(connect->timer, left_ms(connect));
    const char *name = target->server_name != NULL ? target->server_name : target->host;
    enum err err = session_start(stream, target->tls, name, &why);
    if (err != E_OK)
        end(stream, err, cause_text(&why, err));
}

static void attempt_next(struct stream *stream);

static void on_attempted(uv_connect_t *req, int status)
{
    struct stream *stream = container_of(req, struct transport, connect)->owner;

    if (stream == NULL) /* given up by then */
        return;
    if (status == 0) {
        on_connected_socket(stream);
        return;
    }
    note_failure(stream->connect, status);
    transport_drop(stream);
    attempt_next(stream);
}

static void attempt_path(struct stream *stream)
{
    struct transport *transport = transport_new(stream, true);
    uv_pipe_connect(&transport->connect, &transport->uv.pipe, stream->connect->target->path,
                    on_attempted);
}

static bool may_reach(struct connect *connect, const struct addrinfo *address)
{
    unsigned reaches = connect->target->reaches;
    enum address_kind kind = address_kind(address->ai_addr);

    if (reaches == 0 || (reaches & kind) != 0)
        return true;
    connect->err = E_DENIED;
    snprintf(connect->text, sizeof connect->text, "this is %s, which may not be called",
             address_kind_name(kind));
    return false;
}

/* The next address that can be tried at all; ends the connect when there is none. */
static void attempt_next(struct stream *stream)
{
    struct connect *connect = stream->connect;
    uint64_t share = 1;

    connect->phase = ATTEMPT;
    while (connect->next != NULL) {
        const struct addrinfo *address = connect->next;
        connect->next = address->ai_next;
        if (!may_reach(connect, address))
            continue;
        struct transport *transport = transport_new(stream, false);
        int status =
            uv_tcp_connect(&transport->connect, &transport->uv.tcp, address->ai_addr, on_attempted);
        if (status == 0) {
            for (const struct addrinfo *at = connect->next; at != NULL; at = at->ai_next)
                share++;
            timer_set(connect->timer, left_ms(connect) / share);
            return;
        }
        note_failure(connect, status);
        transport_drop(stream);
    }
    if (connect->err == E_TIMEOUT)
        end_timeout(stream, "no answer");
    else
        end(stream, connect->err, connect->text);
}

static void on_timeout(void *ctx)
{
    struct stream *stream = ctx;

    switch (stream->connect->phase) {
    case LOOKUP:
        end_timeout(stream, "no answer from the name server");
        return;
    case ATTEMPT:
        note_failure(stream->connect, UV_ETIMEDOUT);
        transport_drop(stream);
        attempt_next(stream);
        return;
    case HANDSHAKE:
        end_timeout(stream, "no TLS handshake");
        return;
    }
}

void stream_connect_secured(struct stream *stream, enum err err, const char *text)
{
    end(stream, err, text);
}

/* ---- where to ---- */

static void on_first(struct op *op, enum err err)
{
    struct connect *connect = container_of(op, struct connect, first);
    struct stream *stream = connect->op->runner;

    (void)err;
    connect->phase = ATTEMPT;
    if (connect->target->path != NULL)
        attempt_path(stream);
    else
        attempt_next(stream);
}

static void on_looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *addresses)
{
    struct lookup *lookup = container_of(req, struct lookup, req);
    struct stream *stream = lookup->owner;

    free(lookup);
    if (stream == NULL) {
        uv_freeaddrinfo(addresses);
        return;
    }
    stream->connect->lookup = NULL;
    stream->connect->addresses = stream->connect->next = addresses;
    if (status == 0)
        attempt_next(stream);
    else
        end(stream, E_DNS, uv_text(status));
}

static enum err look_up(struct stream *stream, struct cause *why)
{
    struct connect *connect = stream->connect;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    char port[8];

    snprintf(port, sizeof port, "%u", connect->target->port);
    if (getaddrinfo(connect->target->host, port, &hints, &connect->addresses) == 0) {
        connect->next = connect->addresses; /* an address: nothing to wait for */
        loop_later(stream->loop, &connect->first, E_OK);
        return E_OK;
    }
    hints.ai_flags = 0;
    connect->addresses = NULL;
    connect->lookup = mem_new(struct lookup);
    connect->lookup->owner = stream;
    int status = uv_getaddrinfo(loop_uv(stream->loop), &connect->lookup->req, on_looked_up,
                                connect->target->host, port, &hints);
    if (status == 0)
        return E_OK;
    free(connect->lookup); /* not a name that can be looked up at all */
    connect->lookup = NULL;
    return cause_set(why, E_DNS, "%s", uv_text(status));
}

void stream_connect_cancel(struct stream *stream)
{
    struct op *op = take_apart(stream);
    give_up(stream);
    loop_end_later(stream->loop, op, E_CANCELED);
}

static void connect_abort(struct op *op)
{
    stream_connect_cancel(op->runner);
}

enum err stream_connect(struct stream *stream, const struct stream_target *target, struct op *op)
{
    assert(stream->transport == NULL && stream->connect == NULL);
    if (target->path != NULL && strlen(target->path) >= sizeof((struct sockaddr_un){0}).sun_path)
        return cause_set(&op->why, E_LIMIT, "%s: longer than a unix socket's path may be",
                         target->path);
    struct connect *connect = mem_new(struct connect);
    *connect = (struct connect){.op = op,
                                .first.done = on_first,
                                .target = target,
                                .timer = timer_new(stream->loop, on_timeout, stream),
                                .due_at_ms = clock_now_ms() + limit_ms(target)};
    stream->connect = connect;
    op_begin(op, connect_abort, stream);
    timer_set(connect->timer, limit_ms(target));
    if (target->path != NULL) {
        loop_later(stream->loop, &connect->first, E_OK);
        return E_OK;
    }
    enum err err = look_up(stream, &op->why);
    if (err != E_OK) {
        take_apart(stream);
        loop_forget(op); /* it never began */
        add_peer(&op->why, err, target);
    }
    return err;
}
