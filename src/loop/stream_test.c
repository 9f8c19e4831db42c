#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/address.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "loop/testing.h"

static char dir[] = "/tmp/stream_test.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    world_begin();
    snprintf(dir, sizeof dir, "/tmp/stream_test.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int tear_down(void **state)
{
    char path[64];
    (void)state;
    world_end();
    snprintf(path, sizeof path, "%s/socket", dir);
    unlink(path);
    return rmdir(dir);
}

/* ---- peers ---- */

static int listen_tcp(uint16_t *ret_port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int listen_unix(char *path, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(path, size, "%s/socket", dir);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static struct stream *adopt(int fd)
{
    struct stream *stream;
    assert_true(fd >= 0);
    assert_int_equal(stream_adopt(loop, fd, &stream, NULL), E_OK);
    return stream;
}

static struct stream *connect_to(const struct stream_target *target)
{
    struct stream *stream = stream_new(loop);
    struct wait wait = WAIT;
    assert_int_equal(stream_connect(stream, target, &wait.op), E_OK);
    assert_int_equal(wait.ended, 0);
    assert_int_equal(wait_for(&wait), E_OK);
    return stream;
}

static void pair_local(struct stream **a, struct stream **b)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *a = adopt(fds[0]);
    *b = adopt(fds[1]);
}

static void pair_tcp(struct stream **a, struct stream **b)
{
    struct stream_target target = {.host = "127.0.0.1", .keepalive_s = 30};
    int fd = listen_tcp(&target.port, 1);
    *a = connect_to(&target);
    *b = adopt(accept(fd, NULL, NULL));
    close(fd);
}

static void pair_name(struct stream **a, struct stream **b) /* often ::1 is tried first, in vain */
{
    struct stream_target target = {.host = "localhost"};
    int fd = listen_tcp(&target.port, 1);
    *a = connect_to(&target);
    *b = adopt(accept(fd, NULL, NULL));
    close(fd);
}

static void pair_unix(struct stream **a, struct stream **b)
{
    char path[64];
    int fd = listen_unix(path, sizeof path);
    *a = connect_to(&(struct stream_target){.path = path});
    *b = adopt(accept(fd, NULL, NULL));
    close(fd);
}

/* Sends back what comes, one chunk at a time. */
struct echo {
    struct stream *stream;
    struct buf buf;
    struct op read;
    struct op write;
    struct slice part;
    int ended;
};

static void echo_ask(struct echo *echo)
{
    buf_clear(&echo->buf);
    assert_int_equal(stream_read(echo->stream, &echo->buf, CHUNK_BYTES, &echo->read), E_OK);
}

static void on_echo_read(struct op *op, enum err err)
{
    struct echo *echo = container_of(op, struct echo, read);
    echo->part = buf_slice(&echo->buf);
    if (err != E_OK)
        echo->ended++;
    else
        assert_int_equal(stream_write(echo->stream, &echo->part, 1, &echo->write), E_OK);
}

static void on_echo_written(struct op *op, enum err err)
{
    assert_int_equal(err, E_OK);
    echo_ask(container_of(op, struct echo, write));
}

static void echo_start(struct echo *echo, struct stream *stream)
{
    *echo =
        (struct echo){.stream = stream, .read.done = on_echo_read, .write.done = on_echo_written};
    buf_init(&echo->buf, CHUNK_BYTES);
    echo_ask(echo);
}

static void echo_end(struct echo *echo) /* the other side is closed already */
{
    while (echo->ended == 0)
        turns(1);
    stream_free(echo->stream);
    buf_done(&echo->buf);
}

/* ---- bytes ---- */

static void big_payloads_come_back_whole_over_every_kind(void **state)
{
    static void (*const kinds[])(struct stream * *a, struct stream * *b) = {pair_local, pair_tcp,
                                                                            pair_name, pair_unix};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct stream *client, *server;
        struct echo echo;
        kinds[i](&client, &server);
        echo_start(&echo, server);
        echo_big(client);
        stream_free(client);
        echo_end(&echo);
    }
}

static void what_nobody_reads_holds_the_writer_up(void **state)
{
    (void)state;
    struct stream *a, *b;
    struct buf payload = big_payload(), into;
    struct slice part = buf_slice(&payload);
    struct wait write = WAIT;

    pair_local(&a, &b);
    buf_init(&into, BIG_BYTES);
    assert_int_equal(stream_write(a, &part, 1, &write.op), E_OK);
    struct wait first = WAIT;
    assert_int_equal(stream_read(b, &into, 1000, &first.op), E_OK);
    assert_int_equal(wait_for(&first), E_OK);
    assert_int_equal(into.len, 1000);
    turns(100);
    assert_int_equal(into.len, 1000); /* not asked for, not read */
    assert_int_equal(write.ended, 0);
    while (into.len < BIG_BYTES) {
        struct wait read = WAIT;
        assert_int_equal(stream_read(b, &into, BIG_BYTES, &read.op), E_OK);
        assert_int_equal(wait_for(&read), E_OK);
    }
    assert_int_equal(wait_for(&write), E_OK);
    assert_true(slice_eq(buf_slice(&into), part));
    stream_free(a);
    stream_free(b);
    buf_done(&payload);
    buf_done(&into);
}

static void small_writes_end_later_too(void **state)
{
    (void)state;
    struct stream *a, *b;
    struct slice none = SLICE_NONE, one = SLICE("x"), many[STREAM_PARTS_MAX + 1] = {{0}};
    struct wait wait = WAIT, empty = WAIT, over = WAIT;

    pair_local(&a, &b);
    assert_int_equal(stream_write(a, &one, 1, &wait.op), E_OK);
    assert_int_equal(wait.ended, 0);
    assert_int_equal(wait_for(&wait), E_OK);
    assert_int_equal(stream_write(a, &none, 1, &empty.op), E_OK);
    assert_int_equal(wait_for(&empty), E_OK);
    assert_int_equal(stream_write(a, many, COUNT_OF(many), &over.op), E_LIMIT);
    assert_int_equal(over.ended, 0);
    stream_free(a);
    stream_free(b);
}

static void a_full_buf_is_said_and_the_end_is_said_again(void **state)
{
    (void)state;
    struct stream *a, *b;
    struct slice part = SLICE("abcdef");
    struct wait write = WAIT, read = WAIT, full = WAIT, end = WAIT, again = WAIT;
    struct buf into;

    pair_local(&a, &b);
    buf_init(&into, 4);
    assert_int_equal(stream_write(a, &part, 1, &write.op), E_OK);
    assert_int_equal(stream_read(b, &into, 100, &read.op), E_OK);
    assert_int_equal(wait_for(&read), E_OK);
    assert_int_equal(buf_err(&into), E_OK);
    assert_true(slice_eq(buf_slice(&into), SLICE("abcd")));
    assert_int_equal(stream_read(b, &into, 100, &full.op), E_OK);
    assert_int_equal(wait_for(&full), E_LIMIT);
    buf_clear(&into);
    assert_int_equal(wait_for(&write), E_OK);
    stream_free(a);
    struct wait rest = WAIT;
    assert_int_equal(stream_read(b, &into, 100, &rest.op), E_OK);
    assert_int_equal(wait_for(&rest), E_OK);
    assert_true(slice_eq(buf_slice(&into), SLICE("ef")));
    assert_int_equal(stream_read(b, &into, 100, &end.op), E_OK);
    assert_int_equal(wait_for(&end), E_CLOSED);
    assert_string_equal(end.op.why.text, "closed by the peer");
    assert_int_equal(stream_read(b, &into, 100, &again.op), E_OK);
    assert_int_equal(wait_for(&again), E_CLOSED);
    again = WAIT;
    assert_int_equal(stream_write(b, &part, 1, &again.op), E_OK);
    assert_int_equal(wait_for(&again), E_CLOSED);
    assert_string_equal(again.op.why.text, "broken pipe");
    stream_free(b);
    buf_done(&into);
}

/* ---- connects that fail ---- */

struct bad_peer {
    struct stream_target target;
    enum err err;
    const char *text; /* how it begins; NULL = any */
};

static void check_bad_peer(const struct bad_peer *row)
{
    struct stream *stream = stream_new(loop);
    struct wait wait = WAIT;
    enum err err = stream_connect(stream, &row->target, &wait.op);

    if (err == E_OK)
        err = wait_for(&wait);
    else
        assert_false(wait.op.is_busy);
    assert_int_equal(err, row->err);
    if (row->text != NULL && strncmp(wait.op.why.text, row->text, strlen(row->text)) != 0)
        assert_string_equal(wait.op.why.text, row->text);
    stream_free(stream);
}

static void failed_connects_name_the_peer_and_the_reason(void **state)
{
    (void)state;
    uint16_t port;
    char refused[64], refused6[64], path[64], missing[96], long_path[200];

    close(listen_tcp(&port, 1)); /* nobody listens there now */
    snprintf(refused, sizeof refused, "127.0.0.1:%u: connection refused", port);
    snprintf(refused6, sizeof refused6, "[::1]:%u: ", port);
    snprintf(path, sizeof path, "%s/nobody", dir);
    snprintf(missing, sizeof missing, "%s: no such file or directory", path);
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    const struct bad_peer rows[] = {
        {{.host = "127.0.0.1", .port = port}, E_REFUSED, refused},
        {{.host = "::1", .port = port}, E_REFUSED, refused6},
        {{.host = "localhost", .port = port}, E_REFUSED, "localhost:"},
        {{.path = path}, E_REFUSED, missing},
        {{.path = long_path}, E_LIMIT, "xxxxxxxx"},
        {{.host = "a..b", .port = 1}, E_DNS, "a..b:1: "},
        {{.host = "localhost", .port = port, .reaches = ADDRESS_PUBLIC | ADDRESS_PRIVATE},
         E_DENIED,
         "localhost:"},
        {{.host = "169.254.169.254", .port = 80, .reaches = ADDRESS_PUBLIC | ADDRESS_LOOPBACK},
         E_DENIED,
         "169.254.169.254:80: this is a link-local address, which may not be called"},
        {{.host = "127.0.0.1", .port = port, .reaches = ADDRESS_LOOPBACK}, E_REFUSED, refused},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_bad_peer(&rows[i]);
}

static void a_peer_that_never_answers_takes_no_longer_than_the_limit(void **state)
{
    (void)state;
    struct stream_target target = {.host = "127.0.0.1", .timeout_ms = 60};
    int fd = listen_tcp(&target.port, 0), fillers[8];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(target.port)};
    char text[64];

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < COUNT_OF(fillers); i++) { /* the kernel then drops further SYNs */
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    uint64_t start_ms = clock_now_ms();
    snprintf(text, sizeof text, "127.0.0.1:%u: no answer within 60 ms", target.port);
    check_bad_peer(&(struct bad_peer){target, E_TIMEOUT, text});
    assert_in_range(clock_now_ms() - start_ms, 60, 5000);
    for (size_t i = 0; i < COUNT_OF(fillers); i++)
        close(fillers[i]);
    close(fd);
}

static void what_is_no_stream_is_refused_and_closed(void **state)
{
    (void)state;
    struct stream *stream = NULL;
    struct cause why = {0};
    int fd = open(dir, O_PATH | O_CLOEXEC);

    assert_int_not_equal(stream_adopt(loop, fd, &stream, &why), E_OK);
    assert_null(stream);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_string_not_equal(why.text, "");
}

/* ---- ends before the end ---- */

static void free_cancels_what_is_busy_later(void **state)
{
    (void)state;
    struct stream *a, *b, *c = stream_new(loop);
    struct buf payload = big_payload(), into;
    struct slice part = buf_slice(&payload), small = SLICE("x");
    struct wait waits[4];

    for (size_t i = 0; i < COUNT_OF(waits); i++)
        waits[i] = WAIT;
    pair_local(&a, &b);
    buf_init(&into, 10);
    assert_int_equal(stream_write(a, &part, 1, &waits[0].op), E_OK);
    assert_int_equal(stream_read(a, &into, 10, &waits[1].op), E_OK);
    assert_int_equal(stream_write(b, &small, 1, &waits[2].op), E_OK);
    struct stream_target target = {.host = "localhost", .port = 1};
    assert_int_equal(stream_connect(c, &target, &waits[3].op), E_OK);
    stream_free(a);
    stream_free(b);
    stream_free(c);
    stream_free(NULL);
    for (size_t i = 0; i < COUNT_OF(waits); i++)
        assert_int_equal(waits[i].ended, 0);
    for (size_t i = 0; i < COUNT_OF(waits); i++)
        assert_int_equal(wait_for(&waits[i]), E_CANCELED);
    assert_int_equal(into.len, 0);
    buf_done(&payload);
    buf_done(&into);
}

struct suicide {
    struct op op;
    struct stream *stream;
    int ended;
};

static void on_read_free(struct op *op, enum err err)
{
    struct suicide *suicide = container_of(op, struct suicide, op);
    assert_int_equal(err, E_OK);
    stream_free(suicide->stream);
    suicide->ended++;
}

static void a_stream_may_be_freed_in_its_own_callback(void **state)
{
    (void)state;
    struct stream *a, *b;
    struct wait write = WAIT;
    struct slice part = SLICE("bye");
    struct suicide suicide = {.op.done = on_read_free};
    struct buf into;

    pair_local(&a, &b);
    suicide.stream = b;
    buf_init(&into, 10);
    assert_int_equal(stream_read(b, &into, 1, &suicide.op), E_OK);
    assert_int_equal(stream_write(a, &part, 1, &write.op), E_OK);
    while (suicide.ended == 0)
        turns(1);
    assert_int_equal(wait_for(&write), E_OK);
    stream_free(a);
    buf_done(&into);
}

static void an_aborted_read_may_be_repeated_a_write_may_not(void **state)
{
    (void)state;
    struct stream *a, *b;
    struct wait read = WAIT, again = WAIT, write = WAIT, other = WAIT, late = WAIT;
    struct buf payload = big_payload(), into;
    struct slice part = SLICE("x"), big = buf_slice(&payload);

    pair_local(&a, &b);
    buf_init(&into, BIG_BYTES);
    assert_int_equal(stream_read(a, &into, 10, &read.op), E_OK);
    op_abort(&read.op);
    assert_int_equal(read.ended, 0);
    assert_int_equal(stream_read(a, &into, 10, &again.op), E_OK); /* reading may go on */
    assert_int_equal(wait_for(&read), E_CANCELED);
    assert_int_equal(stream_write(b, &part, 1, &other.op), E_OK);
    assert_int_equal(wait_for(&again), E_OK);
    assert_int_equal(into.len, 1);
    assert_int_equal(wait_for(&other), E_OK);
    assert_int_equal(stream_write(a, &big, 1, &write.op), E_OK);
    op_abort(&write.op); /* writing may not: half a message is out */
    buf_done(&payload);
    assert_int_equal(wait_for(&write), E_CANCELED);
    assert_int_equal(stream_write(a, &part, 1, &late.op), E_CLOSED);
    assert_int_equal(stream_read(a, &into, 1, &late.op), E_CLOSED);
    stream_free(a);
    stream_free(b);
    buf_done(&into);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(big_payloads_come_back_whole_over_every_kind),
        ROW(what_nobody_reads_holds_the_writer_up),
        ROW(small_writes_end_later_too),
        ROW(a_full_buf_is_said_and_the_end_is_said_again),
        ROW(failed_connects_name_the_peer_and_the_reason),
        ROW(a_peer_that_never_answers_takes_no_longer_than_the_limit),
        ROW(what_is_no_stream_is_refused_and_closed),
        ROW(free_cancels_what_is_busy_later),
        ROW(a_stream_may_be_freed_in_its_own_callback),
        ROW(an_aborted_read_may_be_repeated_a_write_may_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
