#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/client.h"
#include "http/server.h"
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
};

static bool wait_for(int fd, short events)
{
    struct pollfd pollfd = {.fd = fd, .events = events};
    return poll(&pollfd, 1, DEADLINE_MS) == 1;
}

static bool peer_read(struct peer *peer)
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

/* Reads up to the end of the next request's head, or of its body. */
static bool peer_request(struct peer *peer, bool with_body)
{
    for (;;) {
        const char *start = peer->requests + peer->begun;
        const char *end = strstr(start, "\r\n\r\n");
        const char *length = strstr(start, "Content-Length: ");
        if (end != NULL) {
            size_t want = with_body && length != NULL ? strtoul(length + 16, NULL, 10) : 0;
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

static bool peer_send(struct peer *peer, const char *text, size_t piece)
{
    size_t len = strlen(text);

    for (size_t at = 0; at < len; at += piece)
        if (send(peer->fd, text + at, at + piece > len ? len - at : piece, MSG_NOSIGNAL) <= 0)
            return false;
    return true;
}

static void peer_hang_up(struct peer *peer, bool with_reset)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (peer->fd < 0)
        return;
    if (with_reset)
        setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(peer->fd);
    peer->fd = -1;
}

static bool peer_accept(struct peer *peer)
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

static bool peer_step(struct peer *peer, const struct step *step)
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

static void *peer_run(void *ctx)
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

static void peer_start(struct peer *peer, const struct step *steps, const char *path)
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

static void peer_join(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    assert_false(peer->failed);
}

/* --- the client's side --- */

struct rig {
    struct loop *loop;
    struct http_client *client;
    struct timer *timer;
    int pending;
};

static void too_late(void *ctx)
{
    (void)ctx;
    fprintf(stderr, "the test's deadline has passed\n");
    abort();
}

static void rig_init(struct rig *rig, uint32_t connections_max)
{
    struct http_client_options options = {.connections_max = connections_max,
                                          .connect_timeout_ms = DEADLINE_MS};
    memset(rig, 0, sizeof(*rig));
    rig->loop = loop_new();
    rig->client = http_client_new(rig->loop, &options);
    rig->timer = timer_new(rig->loop, too_late, NULL);
    timer_set(rig->timer, 3 * DEADLINE_MS);
}

static void rig_done(struct rig *rig)
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

static void on_done(struct op *op, enum err err)
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

static void ask_init(struct ask *ask, struct rig *rig, uint16_t port, const char *method)
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

static void ask_start(struct ask *ask)
{
    ask->rig->pending++;
    assert_int_equal(http_send(ask->rig->client, &ask->call), E_OK);
    assert_int_equal(ask->done_calls, 0); /* never from within */
}

static void ask_wait(struct ask *ask)
{
    ask_start(ask);
    loop_run(ask->rig->loop);
    assert_int_equal(ask->done_calls, 1);
}

/* --- answers --- */

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Note: n\r\n\r\nhello"
#define OK_AGAIN "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"

static const struct answer {
    const char *name;
    const char *method;
    struct step steps[8];
    enum err err;
    int status;
    const char *body;
    size_t body_max_bytes;
    uint32_t timeout_ms;
} answers[] = {
    {"length",
     "POST",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}},
     E_OK,
     200,
     "hello",
     0,
     0},
    {"length, dripping",
     "POST",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {DRIP, OK_HELLO}},
     E_OK,
     200,
     "hello",
     0,
     0},
    {"no content",
     "POST",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 204 No Content\r\n\r\n"},
      {WAIT_CLOSED, NULL}},
     E_OK,
     204,
     "",
     0,
     0},
    {"an error status is an answer",
     "GET",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno"}},
     E_OK,
     500,
     "no",
     0,
     0},
    {"a redirect is not followed",
     "GET",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"}},
     E_OK,
     302,
     "",
     0,
     0},
    {"chunked",
     "POST",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\n"
             "T: x\r\n\r\n"}},
     E_OK,
     200,
     "hello",
     0,
     0},
    {"chunked, dripping",
     "POST",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {DRIP, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Note: a\r\n\r\n3\r\nhel\r\n2\r\n"
             "lo\r\n0\r\n\r\n"}},
     E_OK,
     200,
     "hello",
     0,
     0},
    {"until close",
     "GET",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\n\r\nhel"},
      {SEND, "lo"},
      {CLOSE, NULL}},
     E_OK,
     200,
     "hello",
     0,
     0},
    {"until close, empty",
     "GET",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, "HTTP/1.0 200 OK\r\n\r\n"}, {CLOSE, NULL}},
     E_OK,
     200,
     "",
     0,
     0},
    {"1xx is skipped",
     "POST",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"},
      {DRIP, OK_HELLO}},
     E_OK,
     200,
     "hello",
     0,
     0},
    {"an answer to HEAD has no body",
     "HEAD",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"},
      {WAIT_CLOSED, NULL}},
     E_OK,
     200,
     "",
     0,
     0},
    {"close is obeyed",
     "GET",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"},
      {WAIT_CLOSED, NULL}},
     E_OK,
     200,
     "ok",
     0,
     0},
    {"bytes behind the answer cost the connection",
     "GET",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200"},
      {WAIT_CLOSED, NULL}},
     E_OK,
     200,
     "ok",
     0,
     0},
    {"exactly the limit",
     "GET",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}},
     E_OK,
     200,
     "hello",
     5,
     0},
    {"length above the limit",
     "GET",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}, {WAIT_CLOSED, NULL}},
     E_LIMIT,
     0,
     "",
     4,
     0},
    {"chunks above the limit",
     "GET",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n"},
      {WAIT_CLOSED, NULL}},
     E_LIMIT,
     0,
     "",
     4,
     0},
    {"until close above the limit",
     "GET",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, "HTTP/1.1 200 OK\r\n\r\nhello"}, {WAIT_CLOSED, NULL}},
     E_LIMIT,
     0,
     "",
     4,
     0},
    {"closed before the answer",
     "GET",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {CLOSE, NULL}},
     E_CLOSED,
     0,
     "",
     0,
     0},
    {"reset before the answer",
     "GET",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {RESET, NULL}},
     E_CLOSED,
     0,
     "",
     0,
     0},
    {"closed in the head",
     "GET",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, "HTTP/1.1 200 OK\r\nConte"}, {CLOSE, NULL}},
     E_CLOSED,
     0,
     "",
     0,
     0},
    {"closed in the body",
     "GET",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"},
      {CLOSE, NULL}},
     E_CLOSED,
     0,
     "",
     0,
     0},
    {"closed between chunks",
     "GET",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n"},
      {CLOSE, NULL}},
     E_CLOSED,
     0,
     "",
     0,
     0},
    {"not HTTP",
     "GET",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, "-ERR what\r\n\r\n"}},
     E_BAD_WIRE,
     0,
     "",
     0,
     0},
    {"both lengths",
     "GET",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"},
      {WAIT_CLOSED, NULL}},
     E_BAD_WIRE,
     0,
     "",
     0,
     0},
    {"a bad chunk",
     "GET",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
      {WAIT_CLOSED, NULL}},
     E_BAD_WIRE,
     0,
     "",
     0,
     0},
    {"a protocol nobody asked for",
     "GET",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n"},
      {WAIT_CLOSED, NULL}},
     E_BAD_WIRE,
     0,
     "",
     0,
     0},
    {"no answer in time",
     "GET",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {WAIT_CLOSED, NULL}},
     E_TIMEOUT,
     0,
     "",
     0,
     50},
    {"half an answer in time",
     "GET",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"},
      {WAIT_CLOSED, NULL}},
     E_TIMEOUT,
     0,
     "",
     0,
     50},
};

static void every_kind_of_answer_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        const struct answer *row = &answers[i];
        struct peer peer;
        struct rig rig;
        struct ask ask;
        peer_start(&peer, row->steps, NULL);
        rig_init(&rig, 1);
        ask_init(&ask, &rig, peer.port, row->method);
        ask.call.response_max_bytes = row->body_max_bytes;
        ask.call.timeout_ms = row->timeout_ms;
        ask_wait(&ask);
        if (ask.err != row->err || ask.status != row->status || strcmp(ask.body, row->body) != 0)
            fail_msg("%s: %s (%s), status %d, body '%s'", row->name, err_name(ask.err), ask.why,
                     ask.status, ask.body);
        if (row->err)
            assert_non_null(strstr(ask.why, "http://127.0.0.1:"));
        assert_int_equal(http_client_stats(rig.client).retries, 0);
        rig_done(&rig);
        peer_join(&peer);
    }
}

static void a_request_is_written_as_the_rfc_says(void **state)
{
    static const struct step steps[] = {{ACCEPT, NULL}, {REQUEST, NULL},  {SEND, OK_HELLO},
                                        {HEAD, NULL},   {SEND, OK_AGAIN}, {END, NULL}};
    static const struct http_header headers[] = {{SLICE_INIT("A"), SLICE_INIT("b c")},
                                                 {SLICE_INIT("Empty"), SLICE_INIT("")}};
    struct slice parts[] = {SLICE("one "), SLICE(""), SLICE("two")};
    char want[256];
    struct peer peer;
    struct rig rig;
    struct ask ask;

    (void)state;
    peer_start(&peer, steps, NULL);
    rig_init(&rig, 1);
    ask_init(&ask, &rig, peer.port, "PUT");
    ask.call.headers = headers;
    ask.call.header_count = 2;
    ask.call.body = parts;
    ask.call.body_count = 3;
    ask_wait(&ask);
    assert_string_equal(ask.note, "n");
    ask_init(&ask, &rig, peer.port, "GET");
    ask_wait(&ask);
    assert_string_equal(ask.body, "again");
    assert_int_equal(http_client_stats(rig.client).connects, 1);
    assert_int_equal(http_client_stats(rig.client).idle, 1);
    rig_done(&rig);
    peer_join(&peer);
    snprintf(want, sizeof(want),
             "PUT /Fn?x=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nA: b c\r\nEmpty: \r\n"
             "Content-Length: 7\r\n\r\none two"
             "GET /Fn?x=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
             peer.port, peer.port);
    assert_string_equal(peer.requests, want);
}

static void what_must_not_be_sent_is_refused_at_once(void **state)
{
    static const struct row {
        const char *method;
        struct http_header header;
        enum err err;
    } rows[] = {
        {"PO ST", {SLICE_INIT("A"), SLICE_INIT("b")}, E_BAD_INPUT},
        {"", {SLICE_INIT("A"), SLICE_INIT("b")}, E_BAD_INPUT},
        {"POST", {SLICE_INIT("A:"), SLICE_INIT("b")}, E_BAD_INPUT},
        {"POST", {SLICE_INIT("A"), SLICE_INIT("b\r\nC: d")}, E_BAD_INPUT},
        {"POST", {SLICE_INIT("host"), SLICE_INIT("x")}, E_BAD_INPUT},
        {"POST", {SLICE_INIT("Content-length"), SLICE_INIT("1")}, E_BAD_INPUT},
        {"POST", {SLICE_INIT("Transfer-Encoding"), SLICE_INIT("chunked")}, E_BAD_INPUT},
    };
    struct rig rig;
    struct ask ask;

    (void)state;
    rig_init(&rig, 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        ask_init(&ask, &rig, 1, rows[i].method);
        ask.call.headers = &rows[i].header;
        ask.call.header_count = 1;
        assert_int_equal(http_send(rig.client, &ask.call), rows[i].err);
    }
    ask_init(&ask, &rig, 1, "POST");
    ask.call.url.scheme = URL_HTTPS;
    assert_int_equal(http_send(rig.client, &ask.call), E_UNSUPPORTED);
    ask_init(&ask, &rig, 1, "POST");
    ask.call.body_count = HTTP_BODY_PARTS_MAX + 1;
    assert_int_equal(http_send(rig.client, &ask.call), E_LIMIT);
    rig_done(&rig);
}

/* --- reuse --- */

static const struct reuse {
    const char *name;
    struct step steps[10];
    enum err err; /* of the second call */
    const char *body;
    uint64_t connects;
    uint64_t retries;
} reuses[] = {
    {"kept",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}, {REQUEST, NULL}, {SEND, OK_AGAIN}},
     E_OK,
     "again",
     1,
     0},
    {"closed instead of the second answer",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, OK_HELLO},
      {REQUEST, NULL},
      {CLOSE, NULL},
      {ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, OK_AGAIN}},
     E_OK,
     "again",
     2,
     1},
    {"reset instead of the second answer",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, OK_HELLO},
      {REQUEST, NULL},
      {RESET, NULL},
      {ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, OK_AGAIN}},
     E_OK,
     "again",
     2,
     1},
    {"closed again",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, OK_HELLO},
      {REQUEST, NULL},
      {CLOSE, NULL},
      {ACCEPT, NULL},
      {REQUEST, NULL},
      {CLOSE, NULL}},
     E_CLOSED,
     "",
     2,
     1},
    {"closed after a part of the second answer",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, OK_HELLO},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 2"},
      {CLOSE, NULL}},
     E_CLOSED,
     "",
     1,
     0},
    {"closed after a 1xx",
     {{ACCEPT, NULL},
      {REQUEST, NULL},
      {SEND, OK_HELLO},
      {REQUEST, NULL},
      {SEND, "HTTP/1.1 100 Continue\r\n\r\n"},
      {CLOSE, NULL}},
     E_CLOSED,
     "",
     1,
     0},
    {"no HTTP as second answer",
     {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}, {REQUEST, NULL}, {SEND, "junk\r\n\r\n"}},
     E_BAD_WIRE,
     "",
     1,
     0},
};

static void a_kept_connection_is_reused_and_a_stale_one_replaced_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(reuses); i++) {
        const struct reuse *row = &reuses[i];
        struct peer peer;
        struct rig rig;
        struct ask ask;
        peer_start(&peer, row->steps, NULL);
        rig_init(&rig, 1);
        ask_init(&ask, &rig, peer.port, "POST");
        ask_wait(&ask);
        assert_string_equal(ask.body, "hello");
        ask_init(&ask, &rig, peer.port, "POST");
        ask_wait(&ask);
        struct http_client_stats stats = http_client_stats(rig.client);
        if (ask.err != row->err || strcmp(ask.body, row->body) != 0 ||
            stats.connects != row->connects || stats.retries != row->retries)
            fail_msg("%s: %s (%s), '%s', %d connects, %d retries", row->name, err_name(ask.err),
                     ask.why, ask.body, (int)stats.connects, (int)stats.retries);
        rig_done(&rig);
        peer_join(&peer);
    }
}

static void turn_until_closed(void *ctx)
{
    struct rig *rig = ctx;
    if (http_client_stats(rig->client).open == 0)
        loop_stop(rig->loop);
}

/* Runs the loop until the client has no connection any more. */
static void wait_closed(struct rig *rig)
{
    struct timer *timer = timer_new(rig->loop, turn_until_closed, rig);
    timer_every(timer, 1);
    loop_run(rig->loop);
    timer_free(timer);
    assert_int_equal(http_client_stats(rig->client).idle, 0);
}

static void an_idle_connection_that_closes_or_speaks_is_dropped(void **state)
{
    static const struct step scripts[][6] = {
        {{ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}, {CLOSE, NULL}, {END, NULL}},
        {{ACCEPT, NULL},
         {REQUEST, NULL},
         {SEND, OK_HELLO},
         {SEND, OK_AGAIN},
         {WAIT_CLOSED, NULL},
         {END, NULL}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        struct peer peer;
        struct rig rig;
        struct ask ask;
        peer_start(&peer, scripts[i], NULL);
        rig_init(&rig, 1);
        ask_init(&ask, &rig, peer.port, "POST");
        ask_wait(&ask);
        assert_string_equal(ask.body, "hello");
        wait_closed(&rig);
        rig_done(&rig);
        peer_join(&peer);
    }
}

static void an_unused_connection_is_closed_after_a_while(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}, {WAIT_CLOSED, NULL}, {END, NULL}};
    struct http_client_options options = {.idle_timeout_ms = 20};
    struct peer peer;
    struct rig rig;
    struct ask ask;

    (void)state;
    peer_start(&peer, steps, NULL);
    rig_init(&rig, 1);
    http_client_free(rig.client);
    rig.client = http_client_new(rig.loop, &options);
    ask_init(&ask, &rig, peer.port, "POST");
    ask_wait(&ask);
    assert_int_equal(http_client_stats(rig.client).idle, 1);
    wait_closed(&rig);
    rig_done(&rig);
    peer_join(&peer);
}

static void an_early_answer_does_not_wait_for_a_body_nobody_reads(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL},
        {HEAD, NULL},
        {SEND, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"},
        {ACCEPT, NULL}, /* closes the first only when the second call came */
        {REQUEST, NULL},
        {SEND, OK_AGAIN},
        {END, NULL}};
    struct slice part;
    struct peer peer;
    struct rig rig;
    struct ask ask;

    (void)state;
    part.len = 64 * 1024 * 1024;
    part.data = calloc(1, part.len);
    peer_start(&peer, steps, NULL);
    rig_init(&rig, 1);
    ask_init(&ask, &rig, peer.port, "POST");
    ask.call.body = &part;
    ask_wait(&ask);
    assert_int_equal(ask.err, E_OK);
    assert_int_equal(ask.status, 413);
    assert_string_equal(ask.body, "big");
    ask_init(&ask, &rig, peer.port, "POST");
    ask_wait(&ask);
    assert_string_equal(ask.body, "again");
    assert_int_equal(http_client_stats(rig.client).connects, 2);
    rig_done(&rig);
    peer_join(&peer);
    free((void *)(uintptr_t)part.data);
}

static void requests_go_to_unix_sockets(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}, {END, NULL}};
    char folder[] = "/tmp/http-test-XXXXXX";
    char path[64];
    struct peer peer;
    struct rig rig;
    struct ask ask;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s", folder);
    peer_start(&peer, steps, path);
    rig_init(&rig, 1);
    ask_init(&ask, &rig, 1, "POST");
    snprintf(ask.url, sizeof(ask.url), "unix://%s:/p", path);
    assert_int_equal(url_parse(slice_of(ask.url), &ask.call.url, NULL), E_OK);
    ask_wait(&ask);
    assert_string_equal(ask.body, "hello");
    rig_done(&rig);
    peer_join(&peer);
    assert_non_null(strstr(peer.requests, "POST /p HTTP/1.1\r\nHost: localhost\r\n"));
    unlink(path);
    rmdir(folder);
}

static void nobody_listening_is_refused(void **state)
{
    struct rig rig;
    struct ask ask;

    (void)state;
    rig_init(&rig, 1);
    ask_init(&ask, &rig, 1, "POST");
    ask_wait(&ask);
    assert_int_equal(ask.err, E_REFUSED);
    assert_int_equal(http_client_stats(rig.client).open, 0);
    rig_done(&rig);
}

/* --- waiting, aborting, freeing --- */

static void calls_wait_in_order_and_expire_while_they_wait(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL}, {REQUEST, NULL}, {WAIT_CLOSED, NULL}, {END, NULL}};
    struct peer peer;
    struct rig rig;
    struct ask asks[3];

    (void)state;
    peer_start(&peer, steps, NULL);
    rig_init(&rig, 1);
    for (size_t i = 0; i < 3; i++) {
        ask_init(&asks[i], &rig, peer.port, "POST");
        asks[i].call.timeout_ms = i == 0 ? 200 : 30;
        ask_start(&asks[i]);
    }
    assert_int_equal(http_client_stats(rig.client).waiting, 2);
    op_abort(&asks[2].call.op);
    assert_int_equal(asks[2].done_calls, 0);
    loop_run(rig.loop);
    assert_int_equal(asks[0].err, E_TIMEOUT);
    assert_int_equal(asks[1].err, E_TIMEOUT);
    assert_int_equal(asks[2].err, E_CANCELED);
    assert_int_equal(http_client_stats(rig.client).connects, 1);
    assert_int_equal(http_client_stats(rig.client).waiting, 0);
    rig_done(&rig);
    peer_join(&peer);
}

static void abort_it(void *ctx)
{
    struct ask *ask = ctx;
    op_abort(&ask->call.op);
    assert_int_equal(ask->done_calls, 0);
}

static void a_call_can_be_aborted_in_the_exchange(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL}, {REQUEST, NULL}, {WAIT_CLOSED, NULL}, {END, NULL}};
    struct peer peer;
    struct rig rig;
    struct ask ask;

    (void)state;
    peer_start(&peer, steps, NULL);
    rig_init(&rig, 1);
    ask_init(&ask, &rig, peer.port, "POST");
    struct timer *timer = timer_new(rig.loop, abort_it, &ask);
    timer_set(timer, 30);
    ask_wait(&ask);
    assert_int_equal(ask.err, E_CANCELED);
    timer_free(timer);
    rig_done(&rig);
    peer_join(&peer);
}

static void a_call_can_be_aborted_while_it_connects(void **state)
{
    struct rig rig;
    struct ask ask;

    (void)state;
    rig_init(&rig, 1);
    ask_init(&ask, &rig, 1, "POST");
    ask_start(&ask);
    op_abort(&ask.call.op);
    op_abort(&ask.call.op); /* harmless */
    loop_run(rig.loop);
    assert_int_equal(ask.done_calls, 1);
    assert_int_equal(ask.err, E_CANCELED);
    rig_done(&rig);
}

static void freeing_the_client_cancels_all(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}, {WAIT_CLOSED, NULL}, {END, NULL}};
    struct peer peer;
    struct rig rig;
    struct ask asks[3];

    (void)state;
    peer_start(&peer, steps, NULL);
    rig_init(&rig, 1);
    for (size_t i = 0; i < 3; i++) {
        ask_init(&asks[i], &rig, peer.port, "POST");
        asks[i].frees_client = i == 0;
        ask_start(&asks[i]);
    }
    loop_run(rig.loop);
    assert_int_equal(asks[0].err, E_OK);
    assert_int_equal(asks[1].err, E_CANCELED);
    assert_int_equal(asks[2].err, E_CANCELED);
    rig_done(&rig);
    peer_join(&peer);
}

/* --- many, against our own server --- */

#define ASKS 64
#define ROUNDS 20

static void echo(void *ctx, struct http_request *request)
{
    struct buf body;

    (void)ctx;
    buf_init(&body, 100000);
    buf_add(&body, http_request_body(request));
    http_respond(request, 200, "text/plain", &body);
}

struct storm {
    struct rig *rig;
    struct http_call call;
    char text[64];
    struct slice parts[3];
    char big[40000];
    int index;
    int rounds;
    int bad;
};

static void storm_send(struct storm *storm)
{
    size_t big = storm->rounds % 3 == 0 ? sizeof(storm->big) : 0;

    snprintf(storm->text, sizeof(storm->text), "call %d round %d", storm->index, storm->rounds);
    memset(storm->big, 'a' + storm->index % 26, sizeof(storm->big));
    storm->parts[0] = slice_of(storm->text);
    storm->parts[1] = (struct slice){storm->big, big};
    storm->parts[2] = SLICE(".");
    assert_int_equal(http_send(storm->rig->client, &storm->call), E_OK);
}

static void storm_done(struct op *op, enum err err)
{
    struct storm *storm = container_of(op, struct storm, call.op);
    struct slice got = storm->call.response;

    for (size_t i = 0; i < 3 && err == E_OK; i++) {
        if (!slice_eq(slice_first(got, storm->parts[i].len), storm->parts[i]))
            storm->bad++;
        got = slice_from(got, storm->parts[i].len);
    }
    storm->bad += err != E_OK || got.len > 0;
    if (++storm->rounds < ROUNDS)
        storm_send(storm);
    else if (--storm->rig->pending == 0)
        loop_stop(storm->rig->loop);
}

struct closing {
    struct op op;
    struct loop *loop;
};

static void on_server_closed(struct op *op, enum err err)
{
    assert_int_equal(err, E_OK);
    loop_stop(container_of(op, struct closing, op)->loop);
}

static void sixty_four_at_once_get_their_own_answers(void **state)
{
    struct closing closing = {.op.done = on_server_closed};
    struct http_server_options options = {.address = "127.0.0.1:0", .handler = echo};
    struct storm *storms = calloc(ASKS, sizeof(*storms));
    struct http_server *server;
    char url[64];
    struct rig rig;

    (void)state;
    rig_init(&rig, 16); /* so that most of them wait */
    closing.loop = rig.loop;
    assert_int_equal(http_server_start(rig.loop, &options, &server, NULL), E_OK);
    snprintf(url, sizeof(url), "http://localhost:%u/", http_server_port(server));
    for (int i = 0; i < ASKS; i++) {
        storms[i].rig = &rig;
        storms[i].index = i;
        storms[i].call.op.done = storm_done;
        storms[i].call.method = SLICE("POST");
        storms[i].call.body = storms[i].parts;
        storms[i].call.body_count = 3;
        storms[i].call.timeout_ms = DEADLINE_MS;
        assert_int_equal(url_parse(slice_of(url), &storms[i].call.url, NULL), E_OK);
        rig.pending++;
        storm_send(&storms[i]);
    }
    loop_run(rig.loop);
    for (int i = 0; i < ASKS; i++) {
        assert_int_equal(storms[i].bad, 0);
        assert_int_equal(storms[i].rounds, ROUNDS);
    }
    assert_int_equal(http_client_stats(rig.client).connects, 16);
    http_server_close(server, DEADLINE_MS, &closing.op);
    loop_run(rig.loop);
    rig_done(&rig);
    free(storms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_answer_is_judged),
        cmocka_unit_test(a_request_is_written_as_the_rfc_says),
        cmocka_unit_test(what_must_not_be_sent_is_refused_at_once),
        cmocka_unit_test(a_kept_connection_is_reused_and_a_stale_one_replaced_once),
        cmocka_unit_test(an_idle_connection_that_closes_or_speaks_is_dropped),
        cmocka_unit_test(an_unused_connection_is_closed_after_a_while),
        cmocka_unit_test(an_early_answer_does_not_wait_for_a_body_nobody_reads),
        cmocka_unit_test(requests_go_to_unix_sockets),
        cmocka_unit_test(nobody_listening_is_refused),
        cmocka_unit_test(calls_wait_in_order_and_expire_while_they_wait),
        cmocka_unit_test(a_call_can_be_aborted_in_the_exchange),
        cmocka_unit_test(a_call_can_be_aborted_while_it_connects),
        cmocka_unit_test(freeing_the_client_cancels_all),
        cmocka_unit_test(sixty_four_at_once_get_their_own_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
