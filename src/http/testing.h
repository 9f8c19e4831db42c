/* http/testing.h - what the tests of the client share: a server that follows a script, and calls to
 * wait for. Included by one test file per program. */
#ifndef HTTP_TESTING_H
#define HTTP_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/client.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define DEADLINE_MS 10000

/* --- a server that does what a script says, on a thread of its own --- */

enum what {
    END,
    ACCEPT,      /* the next connection */
    REQUEST,     /* read one whole request */
    HEAD,        /* read to the end of a head */
    SEND,        /* all at once */
    DRIP,        /* byte by byte, each in a packet of its own */
    CLOSE,       /* and wait for nothing */
    RESET,       /* close so that the peer sees a reset */
    WAIT_CLOSED, /* until the client closes */
};

struct step {
    enum what what;
    const char *text;
};

struct peer {
    int listener;
    int fd;
    uint16_t port;
    const struct step *steps;
    pthread_t thread;
    char requests[65536]; /* all that was read, one after the other */
    size_t len;
    size_t begun; /* of the current connection */
    atomic_bool failed;
    bool may_break; /* the client may hang up before the script is at its end */
};

static inline bool wait_for(int fd, short events)
{
    struct pollfd pollfd = {.fd = fd, .events = events};
    return poll(&pollfd, 1, DEADLINE_MS) == 1;
}

static inline bool peer_read(struct peer *peer)
{
    if (!wait_for(peer->fd, POLLIN))
        return false;
    size_t room = sizeof(peer->requests) - 1 - peer->len;
    ssize_t got = recv(peer->fd, peer->requests + peer->len, room < 1024 ? room : 1024, 0);
    if (got <= 0)
        return false;
    peer->len += (size_t)got;
    return true;
}

static inline size_t peer_number(const char *text)
{
    uint64_t number = 0;
    assert_true(slice_to_u64((struct slice){text, strcspn(text, "\r")}, &number));
    return (size_t)number;
}

/* Reads up to the end of the next request's head, or of its body. */
static inline bool peer_request(struct peer *peer, bool with_body)
{
    for (;;) {
        const char *start = peer->requests + peer->begun;
        const char *end = strstr(start, "\r\n\r\n");
        const char *length = strstr(start, "Content-Length: ");
        if (end != NULL) {
            size_t want = with_body && length != NULL ? peer_number(length + 16) : 0;
            size_t whole = (size_t)(end + 4 - peer->requests) + want;
            if (peer->len >= whole) {
                peer->begun = whole;
                return true;
            }
        }
        if (!peer_read(peer))
            return false;
    }
}

static inline bool peer_send(struct peer *peer, const char *text, size_t piece)
{
    size_t len = strlen(text);

    for (size_t at = 0; at < len; at += piece)
        if (send(peer->fd, text + at, at + piece > len ? len - at : piece, MSG_NOSIGNAL) <= 0)
            return false;
    return true;
}

static inline void peer_hang_up(struct peer *peer, bool with_reset)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (peer->fd < 0)
        return;
    if (with_reset)
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(peer->fd);
    peer->fd = -1;
}

static inline bool peer_accept(struct peer *peer)
{
    int on = 1;

    peer_hang_up(peer, false);
    if (!wait_for(peer->listener, POLLIN))
        return false;
    peer->fd = accept(peer->listener, NULL, NULL);
    setsockopt(peer->fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
    peer->begun = peer->len;
    return peer->fd >= 0;
}

static inline bool peer_step(struct peer *peer, const struct step *step)
{
    switch (step->what) {
    case ACCEPT:
        return peer_accept(peer);
    case REQUEST:
    case HEAD:
        return peer_request(peer, step->what == REQUEST);
    case SEND:
        return peer_send(peer, step->text, 1 << 20);
    case DRIP:
        return peer_send(peer, step->text, 1);
    case CLOSE:
    case RESET:
        peer_hang_up(peer, step->what == RESET);
        return true;
    case WAIT_CLOSED:
        while (peer_read(peer))
            ;
        return true;
    case END:
        return true;
    }
    return false;
}

static inline void *peer_run(void *ctx)
{
    struct peer *peer = ctx;

    for (const struct step *step = peer->steps; step->what != END; step++)
        if (!peer_step(peer, step)) {
            peer->failed = true;
            break;
        }
    peer_hang_up(peer, false);
    return NULL;
}

static inline void peer_start(struct peer *peer, const struct step *steps, const char *path)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(inet);

    memset(peer, 0, sizeof(*peer));
    peer->fd = -1;
    peer->steps = steps;
    peer->listener = socket(path != NULL ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    if (path != NULL) {
        snprintf(local.sun_path, sizeof(local.sun_path), "%s", path);
        assert_int_equal(bind(peer->listener, (struct sockaddr *)&local, sizeof(local)), 0);
    } else {
        assert_int_equal(bind(peer->listener, (struct sockaddr *)&inet, sizeof(inet)), 0);
        getsockname(peer->listener, (struct sockaddr *)&inet, &len);
        peer->port = ntohs(inet.sin_port);
    }
    assert_int_equal(listen(peer->listener, 100), 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

static inline void peer_join(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    assert_true(!peer->failed || peer->may_break);
}

/* --- the client's side --- */

struct rig {
    struct loop *loop;
    struct http_client *client;
    struct timer *timer;
    int pending;
};

static inline void too_late(void *ctx)
{
    (void)ctx;
    fprintf(stderr, "the test's deadline has passed\n");
    abort();
}

static inline void rig_init(struct rig *rig, uint32_t connections_max)
{
    struct http_client_options options = {.connections_max = connections_max,
                                          .connect_timeout_ms = DEADLINE_MS};
    memset(rig, 0, sizeof(*rig));
    rig->loop = loop_new();
    rig->client = http_client_new(rig->loop, &options);
    rig->timer = timer_new(rig->loop, too_late, NULL);
    timer_set(rig->timer, 3 * DEADLINE_MS);
}

static inline void rig_done(struct rig *rig)
{
    timer_free(rig->timer);
    http_client_free(rig->client);
    loop_free(rig->loop);
}

/* A call and what became of it. */
struct ask {
    struct http_call call;
    struct rig *rig;
    char url[128];
    enum err err;
    int status;
    char body[256];
    char note[64]; /* the header X-Note */
    char why[CAUSE_MAX_BYTES];
    int done_calls;
    bool frees_client;
};

static inline void on_done(struct op *op, enum err err)
{
    struct ask *ask = container_of(op, struct ask, call.op);

    ask->err = err;
    ask->done_calls++;
    snprintf(ask->why, sizeof(ask->why), "%s", op->why.text);
    if (err == E_OK) {
        ask->status = ask->call.status;
        snprintf(ask->body, sizeof(ask->body), "%.*s", SLICE_ARG(ask->call.response));
        struct slice note = http_call_header(&ask->call, SLICE("x-note"));
        snprintf(ask->note, sizeof(ask->note), "%.*s", SLICE_ARG(note));
    }
    if (ask->frees_client) {
        http_client_free(ask->rig->client);
        ask->rig->client = NULL;
    }
    if (--ask->rig->pending == 0)
        loop_stop(ask->rig->loop);
}

static struct slice one_part;

static inline void ask_init(struct ask *ask, struct rig *rig, uint16_t port, const char *method)
{
    memset(ask, 0, sizeof(*ask));
    ask->rig = rig;
    ask->call.op.done = on_done;
    ask->call.method = slice_of(method);
    snprintf(ask->url, sizeof(ask->url), "http://127.0.0.1:%u/Fn?x=1", port);
    assert_int_equal(url_parse(slice_of(ask->url), &ask->call.url, NULL), E_OK);
    if (strcmp(method, "POST") == 0) {
        one_part = SLICE("hello");
        ask->call.body = &one_part;
        ask->call.body_count = 1;
    }
}

static inline void ask_start(struct ask *ask)
{
    ask->rig->pending++;
    assert_int_equal(http_send(ask->rig->client, &ask->call), E_OK);
    assert_int_equal(ask->done_calls, 0); /* never from within */
}

static inline void ask_wait(struct ask *ask)
{
    ask_start(ask);
    loop_run(ask->rig->loop);
    assert_int_equal(ask->done_calls, 1);
}

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Note: n\r\n\r\nhello"
#define OK_AGAIN "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"

#endif
