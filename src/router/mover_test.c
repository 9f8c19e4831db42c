/* A mover on a real store, with a storage in this process that answers as it is told. */
#include "redis/testing.h"

#include "http/client.h"
#include "http/server.h"
#include "router/mover.h"

#define TOPIC "/t"
#define KEY "rg:{q:s1}:dead"
#define NOW_MS 1893456000000u /* 2030-01-01T00:00:00Z */
#define EVENT                                                                                      \
    "{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"T\",\"eventTime\":\"2030-01-01T00:00:00Z\"}"
#define KEEPING 64

static struct redis *redis;
static struct http_client *client;
static struct http_server *receiver;
static struct blob_account account;
static struct subscription subscription;
static struct mover *mover;
static uint64_t now_unix_ms;

/* What the storage got, and answers. */
static char paths[KEEPING][256];
static char body[2048], entry[64], queue_name[64];
static size_t got;
static int answer;     /* 0 = it keeps the request */
static size_t refused; /* so many of the next are answered with 500 */
static struct http_request *kept[KEEPING];
static size_t kept_count;

static void on_request(void *ctx, struct http_request *request)
{
    struct buf nothing = {0};

    (void)ctx;
    assert_true(got < KEEPING);
    snprintf(paths[got++], sizeof paths[0], "%.*s", SLICE_ARG(http_request_path(request)));
    snprintf(body, sizeof body, "%.*s", SLICE_ARG(http_request_body(request)));
    snprintf(entry, sizeof entry, "%.*s",
             SLICE_ARG(http_request_header(request, SLICE("x-ms-meta-redgridentry"))));
    snprintf(queue_name, sizeof queue_name, "%.*s",
             SLICE_ARG(http_request_header(request, SLICE("x-ms-meta-redgridqueue"))));
    if (answer == 0)
        kept[kept_count++] = request;
    else if (refused > 0)
        http_respond(request, 500, NULL, &nothing);
    else
        http_respond(request, answer, NULL, &nothing);
    refused -= refused > 0;
}

static bool stopped;
static void on_stopped(struct op *op, enum err err)
{
    (void)op;
    (void)err;
    stopped = true;
}
static bool is_stopped(void *ctx)
{
    (void)ctx;
    return stopped;
}

static uint64_t given_time(void)
{
    return now_unix_ms;
}

static void start(void)
{
    mover = mover_start(
        &(struct mover_options){.loop = loop,
                                .redis = redis,
                                .queue = SLICE("s1"),
                                .rules = {.schema = SCHEMA_EVENT_GRID, .topic = SLICE(TOPIC)},
                                .subscription = &subscription,
                                .http = client,
                                .account = &account,
                                .now_unix_ms = given_time,
                                .look_ms = 20});
}

static void stop(void)
{
    struct op op = {.done = on_stopped};

    stopped = false;
    mover_stop(mover, &op);
    test_wait(loop, is_stopped, NULL);
    mover_free(mover);
    mover = NULL;
}

static int begin(void **state)
{
    char connection[256];
    struct cause why = {0};

    (void)test_begin(state);
    test_server_start(&server, "");
    redis = test_open(hub, server.conn, REDIS_SHARED, NULL);
    test_wait(loop, test_is_ready, redis);
    client = http_client_new(loop, &(struct http_client_options){0});
    assert_int_equal(http_server_start(loop,
                                       &(struct http_server_options){.address = "127.0.0.1:0",
                                                                     .handler = on_request},
                                       &receiver, &why),
                     E_OK);
    snprintf(connection, sizeof connection,
             "AccountName=a;AccountKey=QUJD;BlobEndpoint=http://127.0.0.1:%u/a",
             (unsigned)http_server_port(receiver));
    assert_int_equal(blob_account_read(slice_of(connection), &account, &why), E_OK);
    subscription_init(&subscription, SLICE("es1"),
                      &(struct subscription_rules){.input = SCHEMA_EVENT_GRID});
    subscription.dead_letter_container = slice_dup(SLICE("dead"));
    now_unix_ms = NOW_MS;
    got = kept_count = refused = 0;
    answer = 201;
    return 0;
}

static int end(void **state)
{
    struct op closed = {.done = on_stopped};
    struct buf nothing = {0};

    if (mover != NULL)
        stop();
    for (size_t i = 0; i < kept_count; i++)
        http_respond(kept[i], 500, NULL, &nothing);
    http_client_free(client);
    stopped = false;
    http_server_close(receiver, 100, &closed);
    test_wait(loop, is_stopped, NULL);
    subscription_done(&subscription);
    blob_account_done(&account);
    redis_close(redis);
    return test_end(state);
}

/* One that died at that time; `what` instead of the event. */
static void die(uint64_t died_unix_ms, const char *what)
{
    char line[1024], id[64];

    snprintf(id, sizeof id, "%llu-0", (unsigned long long)died_unix_ms);
    snprintf(line, sizeof line, "XADD " KEY " %s h 1893456000000000 b %s reason r attempts 2", id,
             what);
    test_ask(loop, redis, line, id);
}

static bool has_got(void *ctx)
{
    return got >= *(size_t *)ctx;
}

static void wait_got(size_t count)
{
    test_wait(loop, has_got, &count);
}

static bool is_left(void *ctx)
{
    struct test_call call = {0};
    int64_t count = -1;

    assert_int_equal(test_send(redis, "XLEN " KEY, &call), E_OK);
    test_wait(loop, test_call_is_done, &call);
    assert_true(resp_int(call.kept->root, &count));
    reply_unref(call.kept);
    return count == *(int64_t *)ctx;
}

static void wait_left(int64_t count)
{
    uint64_t end_ms = clock_now_ms() + TEST_DEADLINE_MS;

    while (!is_left(&count)) {
        assert_true(clock_now_ms() < end_ms);
        (void)test_wait_ms(loop, test_never, NULL, 5);
    }
}

static void a_dead_letter_becomes_a_blob_and_leaves_the_stream(void **state)
{
    (void)state;
    start();
    die(NOW_MS, EVENT);
    wait_left(0);
    assert_int_equal(got, 1);
    assert_string_equal(paths[0],
                        "/a/dead/ES1/2030/1/1/0/1c49f8ef-ce79-5aa1-8e40-1d87e9eb7765.json");
    assert_string_equal(entry, "1893456000000-0");
    assert_string_equal(queue_name, "s1");
    assert_non_null(strstr(body, "[{\"id\":\"1\",\"topic\":\"/t\""));
    assert_non_null(strstr(body, "\"deadLetterReason\":\"r\",\"deliveryAttempts\":2,"
                                 "\"publishTime\":\"2030-01-01T00:00:00.000000Z\"}]"));
}

/* As after a crash between the two steps, or by the mover of another node. */
static void carried_twice_it_is_the_same_blob(void **state)
{
    (void)state;
    start();
    die(NOW_MS, EVENT);
    wait_left(0);
    test_ask(loop, redis, "DEL " KEY, "1");
    die(NOW_MS, EVENT);
    die(NOW_MS + 1, EVENT);
    wait_left(0);
    assert_int_equal(got, 3);
    bool is_first = strcmp(paths[0], paths[1]) == 0;
    assert_string_equal(paths[0], paths[is_first ? 1 : 2]);
    assert_string_not_equal(paths[1], paths[2]);
}

static void what_is_older_than_four_hours_stays_for_good(void **state)
{
    (void)state;
    die(NOW_MS - MOVER_GIVE_UP_MS - 1, EVENT);
    die(NOW_MS - MOVER_GIVE_UP_MS, EVENT);
    die(NOW_MS - 1000, EVENT);
    start();
    wait_left(1);
    assert_int_equal(got, 2);
    test_ask(loop, redis, "XLEN " KEY, "1");
}

/* L5: the clock goes on while the storage is down. */
static void what_could_not_be_written_for_four_hours_is_left_alone(void **state)
{
    (void)state;
    answer = 500;
    die(NOW_MS, EVENT);
    start();
    wait_got(1);
    test_wait_line("DEAD-LETTER-STORAGE");
    now_unix_ms = NOW_MS + MOVER_GIVE_UP_MS + 1;
    answer = 201;
    die(now_unix_ms, EVENT);
    wait_left(1);
    assert_int_equal(got, 2);
    test_wait_line("DEAD-LETTER-STORED");
}

static void an_outage_is_told_once_and_nothing_is_lost(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        die(NOW_MS + i, EVENT);
    refused = 17; /* the first page, and one of the second */
    start();
    wait_left(0);
    assert_int_equal(got, 37);
    test_wait_line("DEAD-LETTER-STORED");
    assert_int_equal(test_lines_of(&lines, "DEAD-LETTER-STORAGE"), 1);
}

static void what_cannot_be_read_stays_and_keeps_nothing_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        die(NOW_MS + i, "{}");
    die(NOW_MS + 20, EVENT);
    start();
    wait_left(20);
    assert_int_equal(got, 1);
}

static void a_stop_does_not_wait_for_the_storage(void **state)
{
    (void)state;
    answer = 0;
    die(NOW_MS, EVENT);
    start();
    wait_got(1);
    stop();
    test_ask(loop, redis, "XLEN " KEY, "1");
}

static void the_store_may_be_away(void **state)
{
    (void)state;
    start();
    test_server_kill(&server);
    test_wait(loop, test_is_down, redis);
    (void)test_wait_ms(loop, test_never, NULL, 50);
    test_server_run(&server, "");
    test_wait(loop, test_is_ready, redis);
    die(NOW_MS, EVENT);
    wait_left(0);
    assert_int_equal(got, 1);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_dead_letter_becomes_a_blob_and_leaves_the_stream),
        ROW(carried_twice_it_is_the_same_blob),
        ROW(what_is_older_than_four_hours_stays_for_good),
        ROW(what_could_not_be_written_for_four_hours_is_left_alone),
        ROW(an_outage_is_told_once_and_nothing_is_lost),
        ROW(what_cannot_be_read_stays_and_keeps_nothing_back),
        ROW(a_stop_does_not_wait_for_the_storage),
        ROW(the_store_may_be_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
