/* http/server_fixture.h - for the tests of the server: one in a loop of its own, a client with
 * blocking sockets on another thread, and handlers that answer, hold and stream. */
#ifndef HTTP_SERVER_FIXTURE_H
#define HTTP_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/server.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define DEADLINE_MS 10000
#define BODY_MAX 50000
#define LARGE_BYTES 500000
#define HELD_MAX 300
#define HOST "Host: h\r\n"

/* The server runs on the test's thread, its clients (blocking sockets) on another, whose failure
 * the test finds in rig.failure. */
struct rig {
    struct loop *loop;
    struct http_server *server;
    uint16_t port;
    struct timer *deadline;
    struct wake *wake;
    pthread_t thread;
    void (*client)(struct rig *rig);
    char failure[256];

    struct http_request *held[HELD_MAX];
    size_t held_count;
    size_t held_wanted; /* answer them, last first, when so many are there */
    struct http_stream *stream;
    int gone_calls;
    int stream_left; /* lines to write */
    struct timer *ticker;
    struct op closing;
    enum err closed_err;
    bool is_closed;
    bool closes_when_held;
    int calls;
    size_t large_bytes; /* of the answer to /large; 0 = LARGE_BYTES */
    const char *folder; /* of the authority */
};

#define check(cond)                                                                                \
    do {                                                                                           \
        if (!(cond) && rig->failure[0] == 0)                                                       \
            snprintf(rig->failure, sizeof(rig->failure), "line %d: %s", __LINE__, #cond);          \
    } while (0)

/* --- a client with blocking sockets --- */

static inline int dial(const struct rig *rig)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(rig->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = DEADLINE_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline void put(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        text += sent;
        len -= (size_t)sent;
    }
}

static inline size_t number_at(const char *text)
{
    uint64_t number = 0;
    (void)slice_to_u64((struct slice){text, strcspn(text, " \r")}, &number);
    return (size_t)number;
}

/* One answer with Content-Length: its status, or 0 at the end of the connection. */
static inline int get(int fd, char *body, size_t size)
{
    char text[65536];
    size_t len = 0;
    size_t missing = 1; /* not a byte more than this answer: the next may follow at once */

    body[0] = 0;
    while (missing > 0) {
        ssize_t got = recv(fd, text + len, missing, 0);
        if (got <= 0)
            return 0;
        len += (size_t)got;
        text[len] = 0;
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        if (end != NULL && length != NULL) {
            size_t head = (size_t)(end + 4 - text), want = number_at(length + 16);
            missing = head + want - len;
            snprintf(body, size, "%.*s", (int)want, text + head);
        }
    }
    return (int)number_at(text + 9);
}

/* All bytes up to the end of the connection. */
static inline size_t get_all(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t got;

    while (len < size - 1 && (got = recv(fd, text + len, size - 1 - len, 0)) > 0)
        len += (size_t)got;
    text[len] = 0;
    return len;
}

static inline int ask(int fd, const char *request, char *body, size_t size)
{
    put(fd, request);
    return get(fd, body, size);
}

/* --- the handler --- */

static inline void describe(struct http_request *request, struct buf *out)
{
    buf_addf(out, "%.*s %.*s", SLICE_ARG(http_request_method(request)),
             SLICE_ARG(http_request_path(request)));
    for (size_t i = 0; i < http_request_segment_count(request); i++)
        buf_addf(out, " [%.*s]", SLICE_ARG(http_request_segment(request, i)));
    struct slice version = http_request_parameter(request, SLICE("API-version"));
    if (version.data != NULL)
        buf_addf(out, " v=<%.*s>", SLICE_ARG(version));
    struct slice header = http_request_header(request, SLICE("x-test"));
    if (header.data != NULL)
        buf_addf(out, " h=<%.*s>", SLICE_ARG(header));
    buf_addf(out, " %zu:", http_request_body(request).len);
    buf_add(out, slice_first(http_request_body(request), 20));
}

static inline void answer_text(struct http_request *request, const char *text)
{
    struct buf body;
    buf_init(&body, 1000);
    buf_add(&body, slice_of(text));
    http_respond(request, 200, "text/plain", &body);
}

static inline void on_closed(struct op *op, enum err err)
{
    struct rig *rig = container_of(op, struct rig, closing);
    rig->closed_err = err;
    rig->is_closed = true;
    rig->server = NULL;
    loop_stop(rig->loop);
}

static inline void hold(struct rig *rig, struct http_request *request)
{
    rig->held[rig->held_count++] = request;
    if (rig->held_count < rig->held_wanted)
        return;
    if (rig->closes_when_held) {
        http_server_close(rig->server, 50, &rig->closing);
        return;
    }
    while (rig->held_count > 0) {
        char text[100];
        struct http_request *last = rig->held[--rig->held_count];
        snprintf(text, sizeof(text), "%.*s", SLICE_ARG(http_request_body(last)));
        answer_text(last, text);
    }
}

static inline void on_gone(void *ctx)
{
    struct rig *rig = ctx;
    rig->gone_calls++;
    timer_clear(rig->ticker);
    http_stream_end(rig->stream);
    rig->stream = NULL;
}

static inline void on_tick(void *ctx)
{
    struct rig *rig = ctx;
    char line[32];

    if (rig->stream == NULL)
        return;
    snprintf(line, sizeof(line), "line %d\n", rig->stream_left--);
    enum err err = http_stream_write(rig->stream, slice_of(line));
    check(err == E_OK || err == E_CLOSED);
    if (rig->stream_left == 0) {
        timer_clear(rig->ticker);
        http_stream_end(rig->stream);
        rig->stream = NULL;
    }
}

static inline void begin_stream(struct rig *rig, struct http_request *request)
{
    struct http_stream_options options = {
        .content_type = "text/plain", .buffer_max_bytes = 100, .gone = on_gone, .ctx = rig};
    char large[101];

    rig->stream = http_respond_stream(request, 200, &options);
    memset(large, 'x', sizeof(large));
    check(http_stream_write(rig->stream, (struct slice){large, 101}) == E_LIMIT);
    check(http_stream_write(rig->stream, SLICE("begin\n")) == E_OK);
    timer_every(rig->ticker, 1);
}

static inline void on_left(void *ctx)
{
    struct rig *rig = ctx;
    rig->gone_calls++;
    answer_text(rig->held[--rig->held_count], "to nobody");
}

static inline void watch(struct rig *rig, struct http_request *request)
{
    rig->held[rig->held_count++] = request;
    http_request_watch(request, on_left, rig);
    if (http_request_body(request).len > 0)
        answer_text(rig->held[--rig->held_count], "watched");
    else if (http_request_segment_count(request) > 1)
        http_server_close(rig->server, 50, &rig->closing);
}

static inline void handle(void *ctx, struct http_request *request)
{
    struct rig *rig = ctx;
    struct slice first = http_request_segment(request, 0);
    struct buf body;

    rig->calls++;
    if (slice_eq(first, SLICE("hold"))) {
        hold(rig, request);
    } else if (slice_eq(first, SLICE("watch"))) {
        watch(rig, request);
    } else if (slice_eq(first, SLICE("stream"))) {
        begin_stream(rig, request);
    } else if (slice_eq(first, SLICE("close"))) {
        answer_text(request, "closing");
        http_server_close(rig->server, DEADLINE_MS, &rig->closing);
    } else if (slice_eq(first, SLICE("empty"))) {
        check(http_reply_header(request, SLICE("X-A"), SLICE("b")));
        check(!http_reply_header(request, SLICE("X-A"), SLICE("b\r\nc: d")));
        check(!http_reply_header(request, SLICE("X A"), SLICE("b")));
        http_respond(request, 204, NULL, NULL);
    } else if (slice_eq(first, SLICE("large"))) {
        size_t bytes = rig->large_bytes > 0 ? rig->large_bytes : LARGE_BYTES;
        buf_init(&body, bytes);
        memset(buf_reserve(&body, bytes), 'x', bytes);
        buf_grow(&body, bytes);
        http_respond(request, 200, "text/plain", &body);
    } else if (slice_eq(first, SLICE("missed"))) {
        buf_init(&body, 1);
        buf_add(&body, SLICE("two"));
        http_respond(request, 200, "text/plain", &body);
    } else {
        buf_init(&body, 10000);
        describe(request, &body);
        http_respond(request, 200, "text/plain", &body);
    }
}

/* --- the rig --- */

static inline void too_late(void *ctx)
{
    (void)ctx;
    fprintf(stderr, "the test's deadline has passed\n");
    abort();
}

static inline void stop_loop(void *ctx)
{
    struct rig *rig = ctx;
    loop_stop(rig->loop);
}

/* The address, the handler and its ctx are the rig's. */
static inline void rig_init_with(struct rig *rig, struct http_server_options options)
{
    struct cause why = {""};

    memset(rig, 0, sizeof(*rig));
    rig->loop = loop_new();
    rig->deadline = timer_new(rig->loop, too_late, NULL);
    timer_set(rig->deadline, 3 * DEADLINE_MS);
    rig->ticker = timer_new(rig->loop, on_tick, rig);
    rig->wake = wake_new(rig->loop, stop_loop, rig);
    rig->closing.done = on_closed;
    options.address = "127.0.0.1:0";
    options.handler = handle;
    options.ctx = rig;
    if (http_server_start(rig->loop, &options, &rig->server, &why) != E_OK)
        fail_msg("%s", why.text);
    rig->port = http_server_port(rig->server);
}

static inline void rig_init(struct rig *rig)
{
    rig_init_with(rig,
                  (struct http_server_options){.body_max_bytes = BODY_MAX, .connections_max = 200});
}

static inline void *client_main(void *ctx)
{
    struct rig *rig = ctx;
    rig->client(rig);
    wake_send(rig->wake);
    return NULL;
}

static inline void rig_run(struct rig *rig, void (*client)(struct rig *rig))
{
    rig->client = client;
    assert_int_equal(pthread_create(&rig->thread, NULL, client_main, rig), 0);
}

static inline void rig_join(struct rig *rig)
{
    pthread_join(rig->thread, NULL);
    if (rig->failure[0] != 0)
        fail_msg("%s", rig->failure);
}

static inline void rig_done(struct rig *rig)
{
    if (!rig->is_closed && !rig->closing.is_busy)
        http_server_close(rig->server, DEADLINE_MS, &rig->closing);
    while (!rig->is_closed)
        loop_run(rig->loop);
    timer_free(rig->deadline);
    timer_free(rig->ticker);
    wake_free(rig->wake);
    loop_free(rig->loop);
}

static inline void with_client(void (*client)(struct rig *rig))
{
    struct rig rig;
    rig_init(&rig);
    rig_run(&rig, client);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.closed_err, E_OK);
}

static inline int ask_once(struct rig *rig, const char *request)
{
    char body[2000];
    int fd = dial(rig);
    int status = ask(fd, request, body, sizeof(body));
    close(fd);
    return status;
}

#endif
