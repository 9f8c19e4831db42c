/* redis/testing_fake.h - a server that says what a test tells it, for what a real one says rarely
 * or never. test_fake_start() in place of test_server_start(); test_server_stop() ends both.
 *
 *     static void answer(int fd, const struct resp *words, size_t count)
 *     {
 *         if (slice_eq(words[0].text, SLICE("XREADGROUP")))
 *             test_say(fd, SLICE("-LOADING Redis is loading\r\n"), 0);
 *         else
 *             test_say(fd, SLICE("+OK\r\n"), 0);
 *     }
 *
 * Each connection is served by a process of its own, so an answer may take its time or never end,
 * and what it assigns is seen by no other connection and not by the test. */
#ifndef REDIS_TESTING_FAKE_H
#define REDIS_TESTING_FAKE_H

#include "redis/testing.h"

/* Answers one command, words[0] to words[count - 1], by test_say(), or leaves it unanswered. */
typedef void (*test_answer)(int fd, const struct resp *words, size_t count);

/* One write a byte, as many pieces as there can be, each after a break of gap_ms. */
static inline void test_say(int fd, struct slice bytes, int gap_ms)
{
    for (size_t at = 0; at < bytes.len; at++) {
        if (gap_ms > 0)
            (void)poll(NULL, 0, gap_ms);
        if (write(fd, bytes.data + at, 1) != 1)
            _exit(0);
    }
}

static inline void test_fake_serve(int fd, test_answer answer)
{
    struct resp_parser parser = {0};
    struct buf in;
    size_t used;

    buf_init(&in, 1 << 20);
    for (;;) {
        char *room = buf_reserve(&in, 4096);
        ssize_t got = read(fd, room, 4096);
        if (got <= 0)
            _exit(0);
        buf_grow(&in, (size_t)got);
        struct resp_limits limits = {1 << 20, 100, 2};
        while (resp_parse(&parser, buf_slice(&in), &limits, &used, NULL) == E_OK) {
            answer(fd, &parser.nodes[1], parser.nodes[0].count);
            resp_parser_next(&parser);
            buf_consume(&in, used);
        }
    }
}

static inline void test_fake_accept(int listener, test_answer answer)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            test_fake_serve(fd, answer);
        }
        close(fd);
    }
}

/* Listens where test_server_start() would. */
static inline void test_fake_start(struct test_server *fake, test_answer answer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    test_server_place(fake);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", fake->path);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 10), 0);
    fake->pid = fork();
    assert_true(fake->pid >= 0);
    if (fake->pid == 0)
        test_fake_accept(listener, answer);
    close(listener);
}

#endif
