#include "http/testing.h"
#include "loop/address.h"

/* --- answers --- */

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

static void an_address_that_may_not_be_reached_is_denied(void **state)
{
    struct http_client_options options = {.plain_reaches = ADDRESS_PUBLIC};
    struct rig rig;
    struct ask ask;

    (void)state;
    rig_init(&rig, 1);
    http_client_free(rig.client);
    rig.client = http_client_new(rig.loop, &options);
    ask_init(&ask, &rig, 1, "POST");
    ask_wait(&ask);
    assert_int_equal(ask.err, E_DENIED);
    assert_non_null(strstr(ask.why, "127.0.0.1:1: this is a loopback address"));
    rig_done(&rig);
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
        cmocka_unit_test(an_address_that_may_not_be_reached_is_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
