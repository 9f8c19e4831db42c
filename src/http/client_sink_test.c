#include "http/testing.h"

#define BIG_BYTES (3u << 20)

/* A sink that takes its time: a turn of the loop for each piece. */
struct slow_sink {
    struct http_sink sink;
    struct loop *loop;
    size_t bytes, pieces, longest;
    char text[64];   /* the first of it */
    size_t fails_at; /* piece that it refuses, from 1; 0 = none */
    bool fails_later;
    struct http_call *aborts; /* with the first piece */
};

static enum err slow_take(struct http_sink *sink, struct slice bytes, struct op *op)
{
    struct slow_sink *slow = container_of(sink, struct slow_sink, sink);
    bool fails = ++slow->pieces == slow->fails_at;

    for (size_t i = 0; i < bytes.len && slow->bytes + i + 1 < sizeof slow->text; i++)
        slow->text[slow->bytes + i] = bytes.data[i];
    slow->bytes += bytes.len;
    slow->longest = bytes.len > slow->longest ? bytes.len : slow->longest;
    if (fails)
        (void)!cause_set(&op->why, E_FULL, "no room");
    if (fails && !slow->fails_later)
        return E_FULL;
    loop_later(slow->loop, op, fails ? E_FULL : E_OK);
    if (slow->aborts != NULL)
        op_abort(&slow->aborts->op);
    return E_OK;
}

static void sink_init(struct slow_sink *slow, struct rig *rig, struct ask *ask)
{
    *slow = (struct slow_sink){.sink.take = slow_take, .loop = rig->loop};
    ask->call.sink = &slow->sink;
}

static const struct row {
    const char *name, *answer;
    size_t max_bytes;
    enum err err;
    const char *sunk, *body;
    enum what how, then;
} rows[] = {
    {"a length", OK_HELLO, 5, E_OK, "hello", "", SEND, SEND},
    {"a length, byte by byte", OK_HELLO, 5, E_OK, "hello", "", DRIP, SEND},
    {"a length of nothing", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 5, E_OK, "", "", SEND,
     SEND},
    {"chunks",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 5,
     E_OK, "hello", "", SEND, SEND},
    {"chunks, byte by byte",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 5,
     E_OK, "hello", "", DRIP, SEND},
    {"until the end", "HTTP/1.1 200 OK\r\n\r\nhello", 5, E_OK, "hello", "", DRIP, CLOSE},
    {"a broken body", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", 6, E_CLOSED, "hello", "",
     DRIP, CLOSE},
    {"a refusal", "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\nhello", 1, E_OK, "", "hello", DRIP,
     SEND},
    {"too long", OK_HELLO, 4, E_LIMIT, "", "", SEND, SEND},
    {"too long in chunks",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", 4,
     E_LIMIT, "he", "", DRIP, SEND},
    {"too long until the end", "HTTP/1.1 200 OK\r\n\r\nhello", 4, E_LIMIT, "hell", "", DRIP, CLOSE},
};

static void every_kind_of_body_goes_to_a_sink(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        const struct step steps[] = {{ACCEPT, NULL},
                                     {REQUEST, NULL},
                                     {row->how, row->answer},
                                     {row->then, row->then == SEND ? "" : NULL},
                                     {row->then == SEND ? WAIT_CLOSED : END, NULL},
                                     {END, NULL}};
        struct slow_sink slow;
        struct peer peer;
        struct rig rig;
        struct ask ask;
        peer_start(&peer, steps, NULL);
        peer.may_break = row->err == E_LIMIT; /* we hang up while it sends */
        rig_init(&rig, 1);
        ask_init(&ask, &rig, peer.port, "GET");
        sink_init(&slow, &rig, &ask);
        ask.call.response_max_bytes = row->max_bytes;
        ask_wait(&ask);
        bool is_as_much = /* of a failure: what came before it, more or less at once */
            row->err == E_OK ? strcmp(slow.text, row->sunk) == 0
                             : slice_has_prefix(slice_of(row->sunk), slice_of(slow.text));
        if (ask.err != row->err || !is_as_much || strcmp(ask.body, row->body) != 0)
            fail_msg("%s: %s (%s), sunk '%s', body '%s'", row->name, err_name(ask.err), ask.why,
                     slow.text, ask.body);
        rig_done(&rig);
        peer_join(&peer);
    }
}

static void a_long_body_takes_little_memory_and_the_connection_is_kept(void **state)
{
    static const struct step steps[] = {{ACCEPT, NULL},  {REQUEST, NULL},  {SEND, NULL},
                                        {REQUEST, NULL}, {SEND, OK_AGAIN}, {WAIT_CLOSED, NULL},
                                        {END, NULL}};
    struct step own[COUNT_OF(steps)];
    char *answer = malloc(BIG_BYTES + 100);
    struct slow_sink slow;
    struct peer peer;
    struct rig rig;
    struct ask ask;

    (void)state;
    memcpy(own, steps, sizeof steps);
    size_t head =
        (size_t)snprintf(answer, 100, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", BIG_BYTES);
    memset(answer + head, 'x', BIG_BYTES);
    answer[head + BIG_BYTES] = '\0';
    own[2].text = answer;
    peer_start(&peer, own, NULL);
    rig_init(&rig, 1);
    ask_init(&ask, &rig, peer.port, "GET");
    sink_init(&slow, &rig, &ask);
    ask.call.response_max_bytes = BIG_BYTES;
    ask_wait(&ask);
    assert_int_equal(ask.err, E_OK);
    assert_int_equal(slow.bytes, BIG_BYTES);
    assert_in_range(slow.longest, 1, 2u << 20);
    ask_init(&ask, &rig, peer.port, "GET");
    ask_wait(&ask);
    assert_string_equal(ask.body, "again");
    assert_int_equal(http_client_stats(rig.client).connects, 1);
    rig_done(&rig);
    peer_join(&peer);
    free(answer);
}

static void a_sink_that_fails_ends_the_call(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}, {WAIT_CLOSED, NULL}, {END, NULL}};
    (void)state;
    for (int later = 0; later < 2; later++) {
        struct slow_sink slow;
        struct peer peer;
        struct rig rig;
        struct ask ask;
        peer_start(&peer, steps, NULL);
        rig_init(&rig, 1);
        ask_init(&ask, &rig, peer.port, "GET");
        sink_init(&slow, &rig, &ask);
        slow.fails_at = 1;
        slow.fails_later = later == 1;
        ask_wait(&ask);
        assert_int_equal(ask.err, E_FULL);
        assert_non_null(strstr(ask.why, "no room"));
        assert_int_equal(http_client_stats(rig.client).open, 0);
        rig_done(&rig);
        peer_join(&peer);
    }
}

static void a_call_can_be_aborted_while_its_sink_is_busy(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}, {WAIT_CLOSED, NULL}, {END, NULL}};
    struct slow_sink slow;
    struct peer peer;
    struct rig rig;
    struct ask ask;

    (void)state;
    peer_start(&peer, steps, NULL);
    rig_init(&rig, 1);
    ask_init(&ask, &rig, peer.port, "GET");
    sink_init(&slow, &rig, &ask);
    slow.aborts = &ask.call;
    ask_wait(&ask);
    assert_int_equal(ask.err, E_CANCELED);
    assert_int_equal(slow.pieces, 1);
    rig_done(&rig);
    peer_join(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_body_goes_to_a_sink),
        cmocka_unit_test(a_long_body_takes_little_memory_and_the_connection_is_kept),
        cmocka_unit_test(a_sink_that_fails_ends_the_call),
        cmocka_unit_test(a_call_can_be_aborted_while_its_sink_is_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
