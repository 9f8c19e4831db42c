/* Messages over a real socketpair; the test holds the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "invokers/channel.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define DEADLINE_MS 10000u
#define LIMIT 1000

struct peer {
    struct loop *loop;
    struct channel *channel;
    struct timer *deadline;
    int fd;
    struct buf heard; /* the lengths and bytes of all messages: "3:abc," */
    size_t messages;
    int closings;
    enum err err;
    char why[CAUSE_MAX_BYTES];
    bool frees_at_message;
    bool is_late;
    size_t wanted; /* messages, or with any closing the wait ends */
};

static void check(struct peer *p)
{
    if (p->messages >= p->wanted || p->closings > 0)
        loop_stop(p->loop);
}

static void on_message(void *ctx, struct slice bytes)
{
    struct peer *p = ctx;
    p->messages++;
    buf_addf(&p->heard, "%zu:", bytes.len);
    buf_add(&p->heard, slice_first(bytes, 16));
    buf_add_byte(&p->heard, ',');
    if (p->frees_at_message) {
        channel_free(p->channel);
        p->channel = NULL;
    }
    check(p);
}

static void on_closed(void *ctx, enum err err, const struct cause *why)
{
    struct peer *p = ctx;
    p->closings++;
    p->err = err;
    (void)snprintf(p->why, sizeof p->why, "%s", cause_text(why, err));
    check(p);
}

static void on_deadline(void *ctx)
{
    struct peer *p = ctx;
    p->is_late = true;
    loop_stop(p->loop);
}

static void peer_init(struct peer *p, size_t limit)
{
    int ends[2];
    memset(p, 0, sizeof *p);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    p->loop = loop_new();
    p->deadline = timer_new(p->loop, on_deadline, p);
    p->fd = ends[1];
    buf_init(&p->heard, 1 << 20);
    struct channel_options options = {
        .loop = p->loop,
        .message_max_bytes = limit,
        .queue_max_bytes = limit == LIMIT ? LIMIT + 50 : 0,
        .message = on_message,
        .closed = on_closed,
        .ctx = p,
    };
    assert_int_equal(channel_start(&options, ends[0], &p->channel, NULL), E_OK);
}

static void peer_done(struct peer *p)
{
    channel_free(p->channel);
    timer_free(p->deadline);
    loop_free(p->loop);
    if (p->fd >= 0)
        (void)close(p->fd);
    buf_done(&p->heard);
}

/* Runs the loop until so many messages came, or the channel closed. */
static void await(struct peer *p, size_t messages)
{
    p->wanted = messages;
    p->is_late = false;
    timer_set(p->deadline, DEADLINE_MS);
    loop_run(p->loop);
    timer_clear(p->deadline);
    assert_false(p->is_late);
}

static void put(struct peer *p, const void *bytes, size_t len)
{
    assert_int_equal(write(p->fd, bytes, len), (ssize_t)len);
}

#define PUT(literal) put(p, literal, sizeof(literal) - 1)

static void messages_arrive_however_they_are_split(void **state)
{
    static const char bytes[] = "\0\0\0\3abc\0\0\0\0\0\0\0\1x\0\0\0\5hello";
    (void)state;
    for (size_t at = 1; at < sizeof bytes - 1; at++) {
        struct peer peer, *p = &peer;
        peer_init(p, LIMIT);
        put(p, bytes, at);
        if (at >= 7)
            await(p, 1); /* the first part was read and is used up, as far as it is whole */
        put(p, bytes + at, sizeof bytes - 1 - at);
        if (p->messages < 4)
            await(p, 4);
        assert_string_equal(buf_text(&p->heard), "3:abc,0:,1:x,5:hello,");
        peer_done(p);
    }
}

static void endings_are_told_apart(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        size_t messages;
        enum err err;
    } rows[] = {
        {"", 0, 0, E_CLOSED},
        {"\0\0\0\1a", 5, 1, E_CLOSED},
        {"\0\0", 2, 0, E_BAD_WIRE},
        {"\0\0\0\3ab", 6, 0, E_BAD_WIRE},
        {"\0\0\0\1a\0\0\3\xe9", 9, 1, E_LIMIT}, /* 1001 bytes: refused as soon as the head tells */
        {"\xff\xff\xff\xff", 4, 0, E_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct peer peer, *p = &peer;
        peer_init(p, LIMIT);
        put(p, rows[i].bytes, rows[i].len);
        if (rows[i].err != E_LIMIT) {
            (void)close(p->fd);
            p->fd = -1;
        }
        await(p, SIZE_MAX);
        assert_int_equal(p->err, rows[i].err);
        assert_int_equal(p->messages, rows[i].messages);
        assert_int_equal(p->closings, 1);
        assert_int_equal(channel_send(p->channel, &(struct rpc_message){.type = RPC_LOG}),
                         E_CLOSED);
        peer_done(p);
    }
}

static void the_longest_message_passes(void **state)
{
    struct peer peer, *p = &peer;
    char longest[4 + LIMIT] = {0, 0, LIMIT >> 8, (char)(LIMIT & 255)};
    (void)state;
    peer_init(p, LIMIT);
    put(p, longest, sizeof longest);
    await(p, 1);
    assert_int_equal(p->closings, 0);
    peer_done(p);
}

static void a_channel_may_be_freed_in_a_message(void **state)
{
    struct peer peer, *p = &peer;
    (void)state;
    peer_init(p, LIMIT);
    p->frees_at_message = true;
    PUT("\0\0\0\1a\0\0\0\1b");
    await(p, 1);
    assert_string_equal(buf_text(&p->heard), "1:a,");
    assert_int_equal(p->closings, 0);
    peer_done(p);
}

/* The other end reads so slowly that a write does not fit: order and bytes stay. */
struct reader {
    struct peer *peer;
    struct timer *timer;
    struct buf got;
    size_t wanted;
};

static void on_reader(void *ctx)
{
    struct reader *r = ctx;
    char *into = buf_reserve(&r->got, 65536);
    assert_non_null(into);
    ssize_t n = recv(r->peer->fd, into, 65536, MSG_DONTWAIT);
    if (n > 0)
        buf_grow(&r->got, (size_t)n);
    if (r->got.len >= r->wanted || n == 0)
        loop_stop(r->peer->loop);
}

static void what_is_sent_arrives_in_order(void **state)
{
    struct peer peer, *p = &peer;
    struct reader r = {.peer = p};
    char *text = mem_zeroed(300000, 1);
    size_t wanted[20];
    (void)state;
    peer_init(p, 1 << 20);
    buf_init(&r.got, 32 << 20);
    memset(text, 'x', 300000);
    for (size_t i = 0; i < 20; i++) {
        struct rpc_message message = {.type = RPC_LOG,
                                      .log.message = {text, i % 2 ? 300000 - i : i}};
        size_t before = r.wanted;
        struct buf copy;
        buf_init(&copy, 1 << 20);
        rpc_encode(&copy, &message);
        wanted[i] = copy.len;
        r.wanted = before + 4 + copy.len;
        buf_done(&copy);
        assert_int_equal(channel_send(p->channel, &message), E_OK);
    }
    channel_end(p->channel);
    assert_int_equal(channel_send(p->channel, &(struct rpc_message){.type = RPC_LOG}), E_CLOSED);
    r.timer = timer_new(p->loop, on_reader, &r);
    timer_every(r.timer, 1);
    await(p, SIZE_MAX);
    assert_int_equal(r.got.len, r.wanted);
    struct slice rest = buf_slice(&r.got);
    for (size_t i = 0; i < 20; i++) {
        struct slice message;
        size_t used;
        assert_int_equal(rpc_frame_next(rest, RPC_FRAME_PLAIN, 1 << 20, &message, &used), E_OK);
        assert_int_equal(message.len, wanted[i]);
        rest = slice_from(rest, used);
    }
    r.wanted = SIZE_MAX; /* and then the end of the stream */
    await(p, SIZE_MAX);
    assert_int_equal(recv(p->fd, text, 1, MSG_DONTWAIT), 0);
    timer_free(r.timer);
    buf_done(&r.got);
    free(text);
    peer_done(p);
}

static void too_long_a_message_is_not_sent(void **state)
{
    struct peer peer, *p = &peer;
    char text[LIMIT + 1] = {0};
    char got[64];
    (void)state;
    peer_init(p, LIMIT);
    assert_int_equal(
        channel_send(p->channel,
                     &(struct rpc_message){.type = RPC_LOG, .log.message = {text, sizeof text}}),
        E_LIMIT);
    assert_int_equal(
        channel_send(p->channel, &(struct rpc_message){.type = RPC_WORKER_STATUS_REQUEST}), E_OK);
    PUT("\0\0\0\1a");
    await(p, 1); /* a turn has passed */
    ssize_t n = recv(p->fd, got, sizeof got, 0);
    assert_int_equal(n, 6);
    assert_memory_equal(got, "\0\0\0\2\x62\0", 6);
    peer_done(p);
}

static void a_full_queue_refuses_whole_messages(void **state)
{
    struct peer peer, *p = &peer;
    char text[LIMIT] = {0};
    char got[2 * LIMIT];
    size_t sent = 0, refused = 0;
    (void)state;
    peer_init(p, LIMIT);
    for (size_t len = 400; len > 0; len /= 2) {
        struct rpc_message message = {.type = RPC_LOG, .log.message = {text, len}};
        for (int i = 0; i < 3; i++)
            if (channel_send(p->channel, &message) == E_OK)
                sent++;
            else
                refused++;
    }
    assert_true(sent > 2 && refused > 2);
    PUT("\0\0\0\1a");
    await(p, 1); /* a turn has passed */
    ssize_t n = recv(p->fd, got, sizeof got, 0);
    struct slice rest = {got, (size_t)n}, message;
    for (size_t used; rest.len > 0; rest = slice_from(rest, used), sent--)
        assert_int_equal(rpc_frame_next(rest, RPC_FRAME_PLAIN, LIMIT, &message, &used), E_OK);
    assert_int_equal(sent, 0);
    peer_done(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_however_they_are_split),
        cmocka_unit_test(endings_are_told_apart),
        cmocka_unit_test(the_longest_message_passes),
        cmocka_unit_test(a_channel_may_be_freed_in_a_message),
        cmocka_unit_test(what_is_sent_arrives_in_order),
        cmocka_unit_test(too_long_a_message_is_not_sent),
        cmocka_unit_test(a_full_queue_refuses_whole_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
