#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
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
#define HELD_MAX 300

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
};

#define check(cond)                                                                                \
    do {                                                                                           \
        if (!(cond) && rig->failure[0] == 0)                                                       \
            snprintf(rig->failure, sizeof(rig->failure), "line %d: %s", __LINE__, #cond);          \
    } while (0)

/* --- a client with blocking sockets --- */

static int dial(const struct rig *rig)
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

static void put(int fd, const char *text)
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

static size_t number_at(const char *text)
{
    uint64_t number = 0;
    (void)slice_to_u64((struct slice){text, strcspn(text, " \r")}, &number);
    return (size_t)number;
}

/* One answer with Content-Length: its status, or 0 at the end of the connection. */
static int get(int fd, char *body, size_t size)
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
static size_t get_all(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t got;

    while (len < size - 1 && (got = recv(fd, text + len, size - 1 - len, 0)) > 0)
        len += (size_t)got;
    text[len] = 0;
    return len;
}

static int ask(int fd, const char *request, char *body, size_t size)
{
    put(fd, request);
    return get(fd, body, size);
}

/* --- the handler --- */

static void describe(struct http_request *request, struct buf *out)
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

static void answer_text(struct http_request *request, const char *text)
{
    struct buf body;
    buf_init(&body, 1000);
    buf_add(&body, slice_of(text));
    http_respond(request, 200, "text/plain", &body);
}

static void on_closed(struct op *op, enum err err)
{
    struct rig *rig = container_of(op, struct rig, closing);
    rig->closed_err = err;
    rig->is_closed = true;
    rig->server = NULL;
    loop_stop(rig->loop);
}

static void hold(struct rig *rig, struct http_request *request)
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

static void on_gone(void *ctx)
{
    struct rig *rig = ctx;
    rig->gone_calls++;
    timer_clear(rig->ticker);
    http_stream_end(rig->stream);
    rig->stream = NULL;
}

static void on_tick(void *ctx)
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

static void begin_stream(struct rig *rig, struct http_request *request)
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

static void handle(void *ctx, struct http_request *request)
{
    struct rig *rig = ctx;
    struct slice first = http_request_segment(request, 0);
    struct buf body;

    rig->calls++;
    if (slice_eq(first, SLICE("hold"))) {
        hold(rig, request);
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

static void too_late(void *ctx)
{
    (void)ctx;
    fprintf(stderr, "the test's deadline has passed\n");
    abort();
}

static void stop_loop(void *ctx)
{
    struct rig *rig = ctx;
    loop_stop(rig->loop);
}

static void rig_init(struct rig *rig)
{
    struct http_server_options options = {.address = "127.0.0.1:0",
                                          .body_max_bytes = BODY_MAX,
                                          .connections_max = 200,
                                          .handler = handle,
                                          .ctx = rig};
    struct cause why = {""};

    memset(rig, 0, sizeof(*rig));
    rig->loop = loop_new();
    rig->deadline = timer_new(rig->loop, too_late, NULL);
    timer_set(rig->deadline, 3 * DEADLINE_MS);
    rig->ticker = timer_new(rig->loop, on_tick, rig);
    rig->wake = wake_new(rig->loop, stop_loop, rig);
    rig->closing.done = on_closed;
    if (http_server_start(rig->loop, &options, &rig->server, &why) != E_OK)
        fail_msg("%s", why.text);
    rig->port = http_server_port(rig->server);
}

static void *client_main(void *ctx)
{
    struct rig *rig = ctx;
    rig->client(rig);
    wake_send(rig->wake);
    return NULL;
}

static void rig_run(struct rig *rig, void (*client)(struct rig *rig))
{
    rig->client = client;
    assert_int_equal(pthread_create(&rig->thread, NULL, client_main, rig), 0);
}

static void rig_join(struct rig *rig)
{
    pthread_join(rig->thread, NULL);
    if (rig->failure[0] != 0)
        fail_msg("%s", rig->failure);
}

static void rig_done(struct rig *rig)
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

static void with_client(void (*client)(struct rig *rig))
{
    struct rig rig;
    rig_init(&rig);
    rig_run(&rig, client);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.closed_err, E_OK);
}

/* --- requests --- */

#define HOST "Host: h\r\n"

static void ask_rows(struct rig *rig)
{
    static const struct row {
        const char *request;
        int status;
        const char *body; /* NULL: any */
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", 200, "GET / 0:"},
        {"GET /a/b%2Fc//d/ HTTP/1.1\r\n" HOST "\r\n", 200, "GET /a/b%2Fc//d/ [a] [b/c] [d] 0:"},
        {"GET /%C3%A4+?x&api-version=1%2B1+2&api-version=3 HTTP/1.1\r\n" HOST "\r\n", 200,
         "GET /%C3%A4+ [\xc3\xa4+] v=<1+1 2> 0:"},
        {"GET /?api-version HTTP/1.1\r\n" HOST "\r\n", 200, "GET / v=<> 0:"},
        {"GET http://h:1/abs?api-version=2 HTTP/1.1\r\n" HOST "\r\n", 200,
         "GET /abs [abs] v=<2> 0:"},
        {"POST /p HTTP/1.1\r\n" HOST "X-Test: t\r\nContent-Length: 5\r\n\r\nhello", 200,
         "POST /p [p] h=<t> 5:hello"},
        {"POST /p HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0"
         "\r\n\r\n",
         200, "POST /p [p] 5:hello"},
        {"PUT /p HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200, "PUT /p [p] 0:"},
        {"GET /missed HTTP/1.1\r\n" HOST "\r\n", 500, ""},
        {"GET /%zz HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
        {"GET /a%00b HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
        {"GET /%ff HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
        {"GET /?a=%ff HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
        {"GET /a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a HTTP/1.1\r\n" HOST
         "\r\n",
         414, NULL},
        {"POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 200, "POST /p [p] 5:hello"},
    };
    char body[1000];
    int fd = dial(rig); /* one for all of them: keep-alive */

    for (size_t i = 0; i < COUNT_OF(rows) && rig->failure[0] == 0; i++) {
        int status = ask(fd, rows[i].request, body, sizeof(body));
        if (status != rows[i].status || (rows[i].body != NULL && strcmp(body, rows[i].body) != 0))
            snprintf(rig->failure, sizeof(rig->failure), "row %zu: %d %.200s", i, status, body);
    }
    close(fd);
}

static void requests_arrive_whole_on_one_connection(void **state)
{
    (void)state;
    with_client(ask_rows);
}

static void ask_dripping(struct rig *rig)
{
    const char *text = "POST /p HTTP/1.1\r\n" HOST "X-Test: t\r\nContent-Length: 5\r\n\r\nhello";
    char body[1000];
    int fd = dial(rig), on = 1;

    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
    for (; *text != 0; text++)
        send(fd, text, 1, MSG_NOSIGNAL);
    check(get(fd, body, sizeof(body)) == 200);
    check(strcmp(body, "POST /p [p] h=<t> 5:hello") == 0);
    close(fd);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    with_client(ask_dripping);
}

static void ask_pipelined(struct rig *rig)
{
    char body[1000];
    int fd = dial(rig);

    put(fd, "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n"
            "POST /3 HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
    check(get(fd, body, sizeof(body)) == 200 && strcmp(body, "GET /1 [1] 0:") == 0);
    check(get(fd, body, sizeof(body)) == 200 && strcmp(body, "GET /2 [2] 0:") == 0);
    check(get(fd, body, sizeof(body)) == 200 && strcmp(body, "POST /3 [3] 1:x") == 0);
    close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    with_client(ask_pipelined);
}

static void ask_empty(struct rig *rig)
{
    char text[1000];
    int fd = dial(rig);

    put(fd, "GET /empty HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    get_all(fd, text, sizeof(text));
    check(strncmp(text, "HTTP/1.1 204 ", 13) == 0);
    check(strstr(text, "X-A: b\r\n") != NULL);
    check(strstr(text, "c: d") == NULL);
    close(fd);
}

static void an_answer_may_be_empty_and_have_headers(void **state)
{
    (void)state;
    with_client(ask_empty);
}

/* --- limits --- */

static void ask_large(struct rig *rig)
{
    char head[200], answer[2000];
    char *body = malloc(4 * BODY_MAX + 1);
    static const struct row {
        size_t len;
        int status;
    } rows[] = {{BODY_MAX, 200}, {BODY_MAX + 1, 413}, {4 * BODY_MAX, 413}, {BODY_MAX, 200}};
    int fd = dial(rig);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        memset(body, 'x', rows[i].len);
        body[rows[i].len] = 0;
        snprintf(head, sizeof(head), "POST / HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
                 rows[i].len);
        put(fd, head);
        check(ask(fd, body, answer, sizeof(answer)) == rows[i].status);
        /* and with a length that shows only as it comes */
        snprintf(head, sizeof(head),
                 "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
                 rows[i].len);
        put(fd, head);
        put(fd, body);
        check(ask(fd, "\r\n0\r\n\r\n", answer, sizeof(answer)) == rows[i].status);
    }
    close(fd);
    fd = dial(rig);
    check(ask(fd,
              "POST / HTTP/1.1\r\n" HOST "Content-Length: 60000\r\nExpect: 100-continue\r\n\r\n",
              answer, sizeof(answer)) == 413);
    close(fd);
    fd = dial(rig);
    check(ask(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999\r\n\r\n", answer,
              sizeof(answer)) == 413);
    check(strstr(answer, "RequestEntityTooLarge") != NULL);
    close(fd);
    free(body);
}

static void a_body_above_the_limit_is_413(void **state)
{
    (void)state;
    with_client(ask_large);
}

static int ask_once(struct rig *rig, const char *request)
{
    char body[2000];
    int fd = dial(rig);
    int status = ask(fd, request, body, sizeof(body));
    close(fd);
    return status;
}

static void ask_malformed(struct rig *rig)
{
    struct buf large;

    check(ask_once(rig, "POST / HTTP/1.1\r\n" HOST
                        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
    check(ask_once(rig, "GET / HTTP/1.1\r\n\r\n") == 400); /* no Host */
    check(ask_once(rig, "POST / HTTP/1.1\r\n" HOST "Content-Length: x\r\n\r\n") == 400);
    buf_init(&large, 100000);
    buf_add(&large, SLICE("GET / HTTP/1.1\r\n" HOST "X: "));
    for (int i = 0; i < 50000; i++)
        buf_add_byte(&large, 'x');
    buf_add(&large, SLICE("\r\n\r\n"));
    int status = ask_once(rig, buf_text(&large));
    check(status == 431 || status == 413);
    buf_done(&large);
    check(rig->calls == 0);
}

static void malformed_requests_never_reach_the_handler(void **state)
{
    (void)state;
    with_client(ask_malformed);
}

/* --- held requests --- */

#define MANY 64

static void ask_many(struct rig *rig)
{
    int fds[MANY];
    char text[200], want[20], body[200];

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < MANY; i++) {
            if (round == 0)
                fds[i] = dial(rig);
            snprintf(want, sizeof(want), "%d-%d", round, i);
            snprintf(text, sizeof(text),
                     "POST /hold HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n%s", strlen(want),
                     want);
            put(fds[i], text);
        }
        for (int i = 0; i < MANY; i++) {
            snprintf(want, sizeof(want), "%d-%d", round, i);
            check(get(fds[i], body, sizeof(body)) == 200 && strcmp(body, want) == 0);
        }
    }
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
}

static void requests_are_held_and_answered_last_first(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.held_wanted = MANY;
    rig_run(&rig, ask_many);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.closed_err, E_OK);
}

static void ask_and_leave(struct rig *rig)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    const char *request = "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx";
    char body[200];
    int fds[10];

    /* half a head, half a body, and whole requests that nobody waits for */
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = dial(rig);
        if (i < 4)
            put(fds[i], i < 2 ? "POST /hold HTT"
                              : "POST /h HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nx");
        else
            put(fds[i], request);
        if (i == 0 || i == 2) /* a reset would take a whole request away too */
            setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        close(fds[i]);
    }
    int fd = dial(rig); /* the seventh of the held ones lets all be answered */
    check(ask(fd, request, body, sizeof(body)) == 200);
    close(fd);
}

static void a_client_that_left_is_answered_to_nobody(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.held_wanted = 7;
    rig_run(&rig, ask_and_leave);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig); /* E_OK: nothing was left behind that the close would wait for */
    assert_int_equal(rig.closed_err, E_OK);
    assert_int_equal(rig.calls, 7);
}

/* --- streams --- */

static void read_stream(struct rig *rig)
{
    char text[4000];
    int fd = dial(rig);

    put(fd, "GET /stream HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    get_all(fd, text, sizeof(text));
    check(strstr(text, "Transfer-Encoding: chunked\r\n") != NULL);
    check(strstr(text, "begin\n") != NULL);
    check(strstr(text, "line 3\n") != NULL);
    check(strstr(text, "line 1\n") != NULL);
    check(strstr(text, "\r\n0\r\n\r\n") != NULL);
    close(fd);
}

static void a_stream_is_sent_as_it_is_written(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.stream_left = 20;
    rig_run(&rig, read_stream);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.gone_calls, 0);
    assert_int_equal(rig.closed_err, E_OK);
}

static void leave_stream(struct rig *rig)
{
    char text[100];
    int fd = dial(rig);

    put(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    check(recv(fd, text, sizeof(text), 0) > 0);
    close(fd);
}

static void stop_when_gone(void *ctx)
{
    struct rig *rig = ctx;
    if (rig->gone_calls > 0)
        loop_stop(rig->loop);
}

static void a_stream_tells_that_its_client_left(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.stream_left = 1 << 30;
    rig_run(&rig, leave_stream);
    struct timer *timer = timer_new(rig.loop, stop_when_gone, &rig);
    timer_every(timer, 1);
    while (rig.gone_calls == 0)
        loop_run(rig.loop);
    rig_join(&rig);
    timer_free(timer);
    rig_done(&rig);
    assert_int_equal(rig.gone_calls, 1);
}

static void keep_stream(struct rig *rig)
{
    char text[4000];
    int fd = dial(rig);

    put(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    check(recv(fd, text, sizeof(text), 0) > 0);
    check(ask_once(rig, "GET /close HTTP/1.1\r\n" HOST "\r\n") == 200);
    while (recv(fd, text, sizeof(text), 0) > 0)
        ;
    close(fd);
}

static void closing_the_server_ends_its_streams(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.stream_left = 1 << 30;
    rig_run(&rig, keep_stream);
    while (!rig.is_closed)
        loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.gone_calls, 1);
    assert_int_equal(rig.closed_err, E_OK);
}

/* --- the end --- */

static void ask_close(struct rig *rig)
{
    char body[200];
    int fd = dial(rig);

    check(ask(fd, "GET /close HTTP/1.1\r\n" HOST "\r\n", body, sizeof(body)) == 200);
    check(strcmp(body, "closing") == 0);
    check(recv(fd, body, 1, 0) <= 0); /* and then the connection ends */
    close(fd);
    check(dial(rig) < 0); /* nobody listens */
}

static void a_close_lets_what_is_answered_leave(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig_run(&rig, ask_close);
    while (!rig.is_closed)
        loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.closed_err, E_OK);
}

static void ask_held_for_ever(struct rig *rig)
{
    check(ask_once(rig, "GET /hold HTTP/1.1\r\n" HOST "X-Test: t\r\n\r\n") == 503);
}

static void what_is_held_too_long_is_cut_and_may_be_answered_later(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.held_wanted = 1;
    rig.closes_when_held = true;
    rig_run(&rig, ask_held_for_ever);
    while (!rig.is_closed)
        loop_run(rig.loop);
    rig_join(&rig);
    assert_int_equal(rig.closed_err, E_TIMEOUT);
    assert_int_equal(rig.held_count, 1);
    assert_null(http_request_header(rig.held[0], SLICE("X-Test")).data);
    assert_int_equal(http_request_segment_count(rig.held[0]), 1);
    answer_text(rig.held[0], "too late");
    rig_done(&rig);
}

static void ask_curl(struct rig *rig)
{
    char command[300], line[300] = "";

    snprintf(command, sizeof(command),
             "head -c 40000 /dev/zero | tr '\\0' x | curl -s -X POST --data-binary @- "
             "'http://127.0.0.1:%u/a?api-version=7' 'http://127.0.0.1:%u/b' 2>&1",
             rig->port, rig->port);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL || fgets(line, sizeof(line), pipe) == NULL)
        line[0] = 0;
    check(strstr(line, "POST /a [a] v=<7> 40000:xxx") != NULL);
    if (pipe != NULL)
        pclose(pipe);
}

static void curl_is_content(void **state)
{
    (void)state;
    if (system("curl --version >/dev/null 2>&1") != 0)
        skip();
    with_client(ask_curl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_arrive_whole_on_one_connection),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(an_answer_may_be_empty_and_have_headers),
        cmocka_unit_test(a_body_above_the_limit_is_413),
        cmocka_unit_test(malformed_requests_never_reach_the_handler),
        cmocka_unit_test(requests_are_held_and_answered_last_first),
        cmocka_unit_test(a_client_that_left_is_answered_to_nobody),
        cmocka_unit_test(a_stream_is_sent_as_it_is_written),
        cmocka_unit_test(a_stream_tells_that_its_client_left),
        cmocka_unit_test(closing_the_server_ends_its_streams),
        cmocka_unit_test(a_close_lets_what_is_answered_leave),
        cmocka_unit_test(what_is_held_too_long_is_cut_and_may_be_answered_later),
        cmocka_unit_test(curl_is_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
