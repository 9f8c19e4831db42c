/* caches/testing_load.h - clients that write into a cache as fast as it answers, each its own key,
 * and come again when they lose their connection: test_load_start(), test_load_stop(). They are
 * threads with sockets of their own, so nothing of ours stands between them and the server. */
#ifndef CACHES_TESTING_LOAD_H
#define CACHES_TESTING_LOAD_H

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/time.h>

#include "base/mem.h"
#include "redis/testing.h"

#define LOAD_PATIENCE_MS 60000
#define TEST_WRITERS_MAX 32
#define TEST_ANSWER_MAX_BYTES 256

struct test_writer {
    struct test_load *load;
    size_t index;
    pthread_t thread;
    int fd;
    SSL *ssl;                        /* NULL = plain */
    _Atomic uint64_t acked;          /* INCRs that were answered */
    uint64_t value;                  /* of the last answer */
    uint64_t longest_us;             /* between two answers */
    uint64_t last_us;                /* monotonic, of the last answer; 0 = none yet */
    size_t lost;                     /* answers that were not above the one before */
    size_t errors;                   /* connections lost or refused */
    char odd[TEST_ANSWER_MAX_BYTES]; /* an answer that no client may get; "" = none */
};

struct test_load {
    char address[24];
    uint16_t port;
    char login[512];
    SSL_CTX *tls; /* NULL = plain */
    size_t count;
    _Atomic bool stops;
    struct test_writer writers[TEST_WRITERS_MAX];
};

static inline bool test_writer_connect(struct test_writer *writer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(writer->load->port)};
    const struct timeval patience = {.tv_sec = LOAD_PATIENCE_MS / 1000};

    (void)inet_pton(AF_INET, writer->load->address, &address.sin_addr);
    writer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(writer->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(writer->fd, (struct sockaddr *)&address, sizeof address) != 0)
        return false;
    if (writer->load->tls == NULL)
        return true;
    writer->ssl = SSL_new(writer->load->tls);
    SSL_set_fd(writer->ssl, writer->fd);
    return SSL_connect(writer->ssl) == 1;
}

static inline void test_writer_drop(struct test_writer *writer)
{
    SSL_free(writer->ssl);
    writer->ssl = NULL;
    close(writer->fd);
    writer->fd = -1;
}

/* One line, without its end; false if the connection is gone. */
static inline bool test_writer_ask(struct test_writer *writer, const char *command, char *answer)
{
    int len = (int)strlen(command), have = 0;

    if (writer->ssl != NULL ? SSL_write(writer->ssl, command, len) != len
                            : send(writer->fd, command, (size_t)len, MSG_NOSIGNAL) != len)
        return false;
    do {
        int room = TEST_ANSWER_MAX_BYTES - 1 - have;
        int got = writer->ssl != NULL ? SSL_read(writer->ssl, answer + have, room)
                                      : (int)recv(writer->fd, answer + have, (size_t)room, 0);
        if (got <= 0)
            return false;
        have += got;
    } while (answer[have - 1] != '\n' && have < TEST_ANSWER_MAX_BYTES - 1);
    answer[have - 2] = '\0';
    return true;
}

static inline void test_writer_note(struct test_writer *writer, const char *answer)
{
    uint64_t now_us = clock_now_us(), value = 0;

    if (answer[0] != ':' || !slice_to_u64(slice_of(answer + 1), &value)) {
        snprintf(writer->odd, sizeof writer->odd, "%s", answer);
        return;
    }
    writer->lost += value <= writer->value;
    writer->value = value;
    writer->acked++;
    if (writer->last_us != 0 && now_us - writer->last_us > writer->longest_us)
        writer->longest_us = now_us - writer->last_us;
    writer->last_us = now_us;
}

static inline void test_writer_session(struct test_writer *writer)
{
    char answer[TEST_ANSWER_MAX_BYTES], command[64];

    if (!test_writer_connect(writer) || !test_writer_ask(writer, writer->load->login, answer))
        return;
    if (strcmp(answer, "+OK") != 0)
        snprintf(writer->odd, sizeof writer->odd, "%s", answer);
    snprintf(command, sizeof command, "INCR writer:%zu\r\n", writer->index);
    while (!writer->load->stops && writer->odd[0] == '\0' &&
           test_writer_ask(writer, command, answer))
        test_writer_note(writer, answer);
}

static inline void *test_writer_main(void *ctx)
{
    struct test_writer *writer = ctx;

    while (!writer->load->stops && writer->odd[0] == '\0') {
        test_writer_session(writer);
        test_writer_drop(writer);
        writer->errors++;
        (void)poll(NULL, 0, 1);
    }
    return NULL;
}

static inline bool test_all_wrote(void *ctx)
{
    const struct test_load *load = ctx;

    for (size_t i = 0; i < load->count; i++)
        if (load->writers[i].acked == 0)
            return false;
    return true;
}

static inline void test_load_wait(bool (*is_true)(void *ctx), void *ctx)
{
    assert_true(test_wait_ms(loop, is_true, ctx, LOAD_PATIENCE_MS));
}

/* Where clients go, and with which password. */
struct test_place {
    const char *address, *key;
    uint16_t port;
    bool is_tls;
};

/* Returns when each of them has written. */
static inline struct test_load *test_load_start(const struct test_place *place, size_t count)
{
    struct test_load *load = mem_new(struct test_load);

    signal(SIGPIPE, SIG_IGN); /* SSL_write() knows no other way */
    snprintf(load->address, sizeof load->address, "%s", place->address);
    snprintf(load->login, sizeof load->login, "AUTH %s\r\n", place->key);
    load->port = place->port;
    load->tls = place->is_tls ? SSL_CTX_new(TLS_client_method()) : NULL;
    load->count = count;
    for (size_t i = 0; i < count; i++) {
        struct test_writer *writer = &load->writers[i];
        writer->load = load;
        writer->index = i;
        assert_int_equal(pthread_create(&writer->thread, NULL, test_writer_main, writer), 0);
    }
    test_load_wait(test_all_wrote, load);
    return load;
}

/* Waits until each has written once more. */
struct test_more {
    const struct test_load *load;
    uint64_t had[TEST_WRITERS_MAX];
};

static inline bool test_wrote_more(void *ctx)
{
    const struct test_more *more = ctx;

    for (size_t i = 0; i < more->load->count; i++)
        if (more->load->writers[i].acked == more->had[i] && more->load->writers[i].odd[0] == '\0')
            return false;
    return true;
}

static inline void test_load_more(const struct test_load *load)
{
    struct test_more more = {.load = load};

    for (size_t i = 0; i < load->count; i++)
        more.had[i] = load->writers[i].acked;
    test_load_wait(test_wrote_more, &more);
}

struct test_tally {
    uint64_t acked, longest_us;
    size_t lost; /* acknowledged, and not there; at most one of each writer is seen at a time */
};

/* What the server has for a writer. */
static inline uint64_t test_load_value(struct redis *redis, size_t index)
{
    struct test_call call = {0};
    char line[64];
    uint64_t value = 0;

    snprintf(line, sizeof line, "GET writer:%zu", index);
    test_load_wait(test_is_ready, redis);
    assert_int_equal(test_send(redis, line, &call), E_OK);
    test_load_wait(test_call_is_done, &call);
    assert_non_null(call.kept);
    (void)slice_to_u64(call.kept->root->text, &value);
    reply_unref(call.kept);
    return value;
}

/* Ends them; compares what they were told with what is there. */
static inline struct test_tally test_load_stop(struct test_load *load, struct redis *redis)
{
    struct test_tally tally = {0};

    load->stops = true;
    for (size_t i = 0; i < load->count; i++) {
        struct test_writer *writer = &load->writers[i];
        assert_int_equal(pthread_join(writer->thread, NULL), 0);
        assert_string_equal(writer->odd, "");
        tally.lost += writer->lost + (test_load_value(redis, i) < writer->value);
        tally.acked += writer->acked;
        if (writer->longest_us > tally.longest_us)
            tally.longest_us = writer->longest_us;
    }
    SSL_CTX_free(load->tls);
    free(load);
    return tally;
}

#endif
