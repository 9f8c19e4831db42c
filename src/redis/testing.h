/* redis/testing.h - for tests that talk to Redis: real servers on unix sockets in folders of their
 * own, a loop that runs until something is true, and a count of log lines. Included by one test
 * file per program. test_begin() and test_end() are what each test of this folder begins and ends
 * with; testing_fake.h has servers that say what they are told. */
#ifndef REDIS_TESTING_H
#define REDIS_TESTING_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "redis/client.h"

#define TEST_DEADLINE_MS 20000
#define TEST_ARGS_MAX 40

struct test_server {
    pid_t pid;
    char dir[64];
    char path[96];  /* of its socket */
    char conn[160]; /* connection string */
};

static inline void test_nap(void)
{
    (void)poll(NULL, 0, 2);
}

static inline bool test_knock(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[8] = "";
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    bool is_up = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                 write(fd, "PING\r\n", 6) == 6 && read(fd, answer, sizeof answer - 1) > 0;
    close(fd);
    return is_up;
}

/* Starts redis-server in server->dir with the words of `more`, and waits until it answers. */
static inline void test_server_run(struct test_server *server, const char *more)
{
    struct slice rest = slice_of(more), word;
    char log[128];
    const char *args[TEST_ARGS_MAX] = {
        "redis-server", "--port", "0", "--unixsocket", server->path, "--dir",
        server->dir,    "--save", "",  "--logfile",    log,          NULL};
    const size_t fixed = 11;
    size_t count = fixed;

    snprintf(log, sizeof log, "%s/log", server->dir);
    while (slice_cut(&rest, ' ', &word))
        if (word.len > 0)
            args[count++] = slice_dup(slice_eq(word, SLICE("''")) ? SLICE("") : word);
    args[count] = NULL;
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(args[0], (char *const *)(uintptr_t)args);
        _exit(127);
    }
    while (count > fixed)
        free((char *)(uintptr_t)args[--count]);
    uint64_t end_ms = clock_now_ms() + TEST_DEADLINE_MS;
    while (!test_knock(server->path)) {
        assert_true(clock_now_ms() < end_ms);
        assert_int_equal(waitpid(server->pid, NULL, WNOHANG), 0);
        test_nap();
    }
}

/* A folder of its own for what listens at server->path. */
static inline void test_server_place(struct test_server *server)
{
    snprintf(server->dir, sizeof server->dir, "/tmp/redgrid-test-XXXXXX");
    assert_non_null(mkdtemp(server->dir));
    snprintf(server->path, sizeof server->path, "%s/s", server->dir);
    snprintf(server->conn, sizeof server->conn, "!%s", server->path);
}

static inline void test_server_start(struct test_server *server, const char *more)
{
    test_server_place(server);
    test_server_run(server, more);
}

static inline void test_server_kill(struct test_server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    unlink(server->path);
    server->pid = 0;
}

static inline void test_server_stop(struct test_server *server)
{
    char file[512];
    if (server->pid > 0)
        test_server_kill(server);
    DIR *dir = opendir(server->dir);
    for (struct dirent *at; dir != NULL && (at = readdir(dir)) != NULL;) {
        snprintf(file, sizeof file, "%s/%s", server->dir, at->d_name);
        unlink(file);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(server->dir);
}

/* A TCP port that was free a moment ago. */
static inline uint16_t test_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* ---- the loop ---- */

struct test_wait {
    struct loop *loop;
    bool (*is_true)(void *ctx);
    void *ctx;
    uint64_t end_ms;
};

static inline void test_look(void *ctx)
{
    struct test_wait *wait = ctx;
    if (wait->is_true(wait->ctx) || clock_now_ms() >= wait->end_ms)
        loop_stop(wait->loop);
}

static inline bool test_wait_ms(struct loop *loop, bool (*is_true)(void *ctx), void *ctx,
                                uint64_t ms)
{
    struct test_wait wait = {loop, is_true, ctx, clock_now_ms() + ms};
    struct timer *timer = timer_new(loop, test_look, &wait);
    timer_every(timer, 1);
    if (!is_true(ctx))
        loop_run(loop);
    timer_free(timer);
    return is_true(ctx);
}

static inline void test_wait(struct loop *loop, bool (*is_true)(void *ctx), void *ctx)
{
    assert_true(test_wait_ms(loop, is_true, ctx, TEST_DEADLINE_MS));
}

/* Lets the loop run for a while, to see that nothing happens. */
static inline bool test_never(void *ctx)
{
    (void)ctx;
    return false;
}

/* ---- one call at a time ---- */

struct test_call {
    struct redis_call call;
    bool is_done;
    enum err err;
    struct reply *kept;
    char why[CAUSE_MAX_BYTES];
};

static inline void test_call_done(struct op *op, enum err err)
{
    struct test_call *call = container_of(op, struct test_call, call.op);
    assert_false(call->is_done);
    call->is_done = true;
    call->err = err;
    snprintf(call->why, sizeof call->why, "%s", op->why.text);
    if (call->call.reply != NULL)
        call->kept = reply_ref(call->call.reply);
}

static inline bool test_call_is_done(void *ctx)
{
    return ((struct test_call *)ctx)->is_done;
}

/* Words separated by spaces; E_OK when it could be sent. */
static inline enum err test_send(struct redis *redis, const char *line, struct test_call *call)
{
    struct slice args[TEST_ARGS_MAX];
    struct slice rest = slice_of(line);
    size_t count = 0;

    while (slice_cut(&rest, ' ', &args[count]))
        count++;
    *call = (struct test_call){.call.op.done = test_call_done,
                               .call.timeout_ms = call->call.timeout_ms};
    return redis_call(redis, args, count, &call->call);
}

static inline void test_text(const struct resp *node, struct buf *out)
{
    if (node->type == RESP_INTEGER)
        buf_add_i64(out, node->integer);
    else if (node->type == RESP_NIL)
        buf_add(out, SLICE("nil"));
    else
        buf_add(out, node->text);
    for (uint32_t i = 0; i < node->count; i++) {
        buf_add(out, i == 0 ? SLICE("[") : SLICE(" "));
        test_text(resp_child(node, i), out);
    }
    if (node->count > 0)
        buf_add_byte(out, ']');
}

static inline bool test_is_ready(void *ctx)
{
    return redis_is_ready(ctx);
}

static inline bool test_is_down(void *ctx)
{
    return !redis_is_ready(ctx);
}

/* Waits until the client is ready, sends the words and compares what comes back. */
static inline void test_ask(struct loop *loop, struct redis *redis, const char *line,
                            const char *expected)
{
    struct test_call call = {0};
    struct buf text;

    test_wait(loop, test_is_ready, redis);
    assert_int_equal(test_send(redis, line, &call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    buf_init(&text, 1 << 20);
    if (call.kept != NULL)
        test_text(call.kept->root, &text);
    else
        buf_add(&text, slice_of(err_name(call.err)));
    if (expected != NULL)
        assert_string_equal(buf_text(&text), expected);
    buf_done(&text);
    reply_unref(call.kept);
}

static inline struct redis *test_open(struct redis_hub *hub, const char *conn, enum redis_kind kind,
                                      const char *name)
{
    struct redis_options *options;
    assert_int_equal(redis_options_parse(slice_of(conn), &options, NULL), E_OK);
    struct redis *redis = redis_open(hub, options, kind, name);
    redis_options_unref(options);
    return redis;
}

/* ---- log lines ---- */

#define TEST_LINES_MAX 32
struct test_lines {
    size_t count;
    char ids[TEST_LINES_MAX][32];
    char last[512];
};

static inline void test_tap(void *ctx, const struct log_record *record)
{
    struct test_lines *lines = ctx;
    assert_true(lines->count < TEST_LINES_MAX);
    snprintf(lines->ids[lines->count++], 32, "%.*s", SLICE_ARG(record->id));
    snprintf(lines->last, sizeof lines->last, "%.*s", SLICE_ARG(record->text));
}

static inline size_t test_lines_of(const struct test_lines *lines, const char *id)
{
    size_t count = 0;
    for (size_t i = 0; i < lines->count; i++)
        count += strcmp(lines->ids[i], id) == 0;
    return count;
}

/* ---- what each test begins and ends with ---- */

static struct test_server server; /* started by the test, if at all; stopped by test_end() */
static struct loop *loop;
static struct redis_hub *hub;
static struct test_lines lines;

/* ctx: the id of a line that there should be */
static inline bool test_has_line(void *ctx)
{
    return test_lines_of(&lines, ctx) > 0;
}

static inline void test_wait_line(const char *id)
{
    test_wait(loop, test_has_line, (void *)(uintptr_t)id);
}

static inline int test_begin(void **state)
{
    (void)state;
    lines = (struct test_lines){0};
    log_tap(test_tap, &lines);
    loop = loop_new();
    hub = redis_hub_new(loop);
    return 0;
}

static inline int test_end(void **state)
{
    (void)state;
    redis_hub_free(hub);
    loop_free(loop);
    test_server_stop(&server);
    log_tap(NULL, NULL);
    return 0;
}

#endif
