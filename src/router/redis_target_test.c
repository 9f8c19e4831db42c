/* Redis destinations on real servers, and on one that says what it is told. */
#include "redis/testing_fake.h"

#include "event/publish.h"
#include "router/redis_target.h"

#define CONNECT_MS 100
#define ANSWER_MS 300

static struct test_server other;
static struct fake_server fake;
static struct redis *cli;
static struct targets with;
static struct subscription subscription;
static struct target *target;
static struct event_batch batch;
static struct parcel parcel;
static struct parcel_result result;
static struct op op;
static bool is_done;
static enum err done_err;

static void on_done(struct op *ended, enum err err)
{
    (void)ended;
    is_done = true;
    done_err = err;
}

static bool has_ended(void *ctx)
{
    (void)ctx;
    return is_done;
}

static enum err connection(void *ctx, const char *name, char **ret, struct cause *why)
{
    (void)ctx;
    if (strcmp(name, "nowhere") == 0)
        return cause_set(why, E_BAD_INPUT, "no such name");
    *ret = slice_dup(slice_of(name));
    return E_OK;
}

static void publish(const char *events)
{
    const struct publish_rules rules = {.event = {.topic = SLICE("/topics/t")},
                                        .now_unix_us = 1000000};
    const struct publish_request request = {.content_type = SLICE("application/json"),
                                            .body = slice_of(events)};
    struct refusal why;

    assert_int_equal(publish_read(&rules, &request, &batch, &why), E_OK);
}

#define EVENT(id)                                                                                  \
    "{\"id\":\"" id "\",\"subject\":\"s/1\",\"eventType\":\"made\","                               \
    "\"eventTime\":\"2026-01-01T00:00:00Z\",\"data\":{\"n\":5},\"dataVersion\":\"\"}"
#define WRITTEN(id)                                                                                \
    "{\"id\":\"" id "\",\"topic\":\"/topics/t\",\"subject\":\"s/1\",\"eventType\":\"made\","       \
    "\"eventTime\":\"2026-01-01T00:00:00Z\",\"data\":{\"n\":5},\"dataVersion\":\"\","              \
    "\"metadataVersion\":\"1\"}"

/* A subscription to `destination` at `conn`, and one attempt of the events. */
static void begin_to(const char *conn, const char *destination, const char *events)
{
    const struct subscription_rules rules = {.input = SCHEMA_EVENT_GRID, .retention_days = 1};
    struct cause why = {0};
    struct buf json;

    buf_init(&json, 4096);
    buf_addf(&json, "{\"destination\":{%s,\"connection\":\"%s\"}}}", destination, conn);
    subscription_init(&subscription, SLICE("es1"), &rules);
    if (subscription_read(&subscription, &rules, buf_slice(&json), &why) != E_OK)
        fail_msg("%s", why.text);
    buf_done(&json);
    publish(events);
    target = redis_target_new(&with, &subscription);
    redis_target_patience(target, CONNECT_MS, ANSWER_MS);
    parcel = (struct parcel){
        .subscription = &subscription, .events = batch.events, .count = batch.count, .attempt = 1};
}

static void attempt(void)
{
    is_done = false;
    op = (struct op){.done = on_done};
    result = (struct parcel_result){.outcome = OUTCOME_ABORTED};
    assert_int_equal(target->deliver(target, &parcel, &result, &op), E_OK);
}

static void assert_ends(enum err err, enum outcome outcome)
{
    test_wait(loop, has_ended, NULL);
    assert_int_equal(done_err, err);
    assert_string_equal(outcome_name(result.outcome), outcome_name(outcome));
}

static void end_to(void)
{
    redis_target_free(target);
    event_batch_done(&batch);
    subscription_done(&subscription);
}

/* All in one: makes it, attempts once, and expects the outcome. */
static void deliver_to(const char *conn, const char *destination, const char *events,
                       enum outcome outcome)
{
    begin_to(conn, destination, events);
    attempt();
    assert_ends(E_OK, outcome);
    end_to();
}

#define STREAM "\"endpointType\":\"RedisStream\",\"properties\":{\"stream\":\"out\""
#define LIST "\"endpointType\":\"RedisList\",\"properties\":{\"list\":\"out\""
#define CHANNEL "\"endpointType\":\"RedisChannel\",\"properties\":{\"channel\":\"out\""

static int begin(void **state)
{
    (void)test_begin(state);
    test_server_start(&server, "");
    cli = test_open(hub, server.conn, REDIS_SHARED, NULL);
    test_wait(loop, test_is_ready, cli);
    with = (struct targets){.loop = loop, .hub = hub, .connection = connection};
    return 0;
}

static int end(void **state)
{
    redis_close(cli);
    return test_end(state);
}

static void assert_answers(const char *line, const char *expected)
{
    test_ask(loop, cli, line, expected);
}

static void an_event_becomes_a_stream_entry(void **state)
{
    (void)state;
    deliver_to(server.conn,
               STREAM ",\"deliveryAttributeMappings\":["
                      "{\"name\":\"team\",\"type\":\"Static\",\"properties\":{\"value\":\"a b\"}},"
                      "{\"name\":\"n\",\"type\":\"Dynamic\",\"properties\":{\"sourceField\":"
                      "\"data.n\"}},"
                      "{\"name\":\"x\",\"type\":\"Dynamic\",\"properties\":{\"sourceField\":"
                      "\"data.x\"}}]",
               "[" EVENT("1") "," EVENT("2") "]", OUTCOME_DELIVERED);
    assert_answers("EVAL return({redis.call('XRANGE',KEYS[1],'-','+')[1][2],"
                   "redis.call('XLEN',KEYS[1])}) 1 out",
                   "[[event " WRITTEN("1") " id 1 type made subject s/1 team a b n 5] 2]");
}

static void a_stream_keeps_about_as_many_as_it_may(void **state)
{
    (void)state;
    test_ask(loop, cli, "CONFIG SET stream-node-max-entries 2", "OK");
    for (int i = 0; i < 6; i++)
        deliver_to(server.conn, STREAM ",\"maxLength\":2", EVENT("1"), OUTCOME_DELIVERED);
    assert_answers("EVAL return(redis.call('XLEN',KEYS[1])<6) 1 out", "1");
    assert_answers("EVAL return(redis.call('XREVRANGE',KEYS[1],'+','-','COUNT',1)[1][2]) 1 out",
                   "[event " WRITTEN("1") " id 1 type made subject s/1]");
}

static void events_are_pushed_onto_a_list(void **state)
{
    (void)state;
    deliver_to(server.conn, LIST, "[" EVENT("1") "," EVENT("2") "]", OUTCOME_DELIVERED);
    assert_answers("RPOP out", WRITTEN("1"));
    assert_answers("RPOP out", WRITTEN("2"));
}

static void a_channel_without_listeners_counts_as_delivered(void **state)
{
    (void)state;
    deliver_to(server.conn, CHANNEL, EVENT("1"), OUTCOME_DELIVERED);
}

static void what_the_server_refuses_tells_why(void **state)
{
    (void)state;
    assert_answers("SET out x", "OK");
    deliver_to(server.conn, STREAM, EVENT("1"), OUTCOME_OTHER);
    assert_answers("ACL SETUSER default -publish", "OK");
    deliver_to(server.conn, CHANNEL, EVENT("1"), OUTCOME_UNAUTHORIZED);
    assert_answers("TYPE out", "string");
}

static void half_a_batch_is_none(void **state)
{
    (void)state;
    fake_start(&fake);
    fake_once(&fake, "LPUSH", ":1");
    fake_on(&fake, "LPUSH", "-OOM command not allowed");
    deliver_to(fake.place.conn, LIST, "[" EVENT("1") "," EVENT("2") "]", OUTCOME_OTHER);
    fake_stop(&fake);
}

static void a_server_that_is_away_is_waited_for_a_while(void **state)
{
    (void)state;
    test_server_place(&other);
    begin_to(other.conn, LIST, EVENT("1"));
    attempt();
    assert_ends(E_OK, OUTCOME_SOCKET_ERROR);
    redis_target_patience(target, TEST_DEADLINE_MS, TEST_DEADLINE_MS);
    attempt();
    test_server_run(&other, "");
    assert_ends(E_OK, OUTCOME_DELIVERED);
    end_to();
    test_server_stop(&other);
}

static void a_server_that_hangs_ends_the_attempt_in_time(void **state)
{
    (void)state;
    test_server_start(&other, "");
    begin_to(other.conn, LIST, EVENT("1"));
    attempt();
    assert_ends(E_OK, OUTCOME_DELIVERED);
    assert_int_equal(kill(other.pid, SIGSTOP), 0);
    attempt();
    assert_ends(E_OK, OUTCOME_TIMED_OUT);
    assert_int_equal(kill(other.pid, SIGCONT), 0);
    redis_target_patience(target, TEST_DEADLINE_MS, TEST_DEADLINE_MS);
    attempt();
    assert_ends(E_OK, OUTCOME_DELIVERED);
    end_to();
    test_server_stop(&other);
}

static void a_stop_ends_it_at_once(void **state)
{
    (void)state;
    test_server_place(&other);
    begin_to(other.conn, LIST, EVENT("1"));
    redis_target_patience(target, TEST_DEADLINE_MS, TEST_DEADLINE_MS);
    attempt();
    op_abort(&op);
    assert_ends(E_CANCELED, OUTCOME_ABORTED); /* untouched */
    test_server_run(&other, "");
    attempt();
    assert_ends(E_OK, OUTCOME_DELIVERED);
    assert_int_equal(kill(other.pid, SIGSTOP), 0);
    attempt();
    (void)test_wait_ms(loop, test_never, NULL, 20); /* it is on its way */
    op_abort(&op);
    assert_ends(E_CANCELED, OUTCOME_ABORTED);
    assert_int_equal(kill(other.pid, SIGCONT), 0);
    end_to();
    test_server_stop(&other);
}

static void a_name_that_means_nothing_is_refused_and_later_keeps_events(void **state)
{
    struct cause why = {0};

    (void)state;
    begin_to("nowhere", LIST, EVENT("1"));
    assert_int_equal(redis_target_check(&with, &subscription, &why), E_BAD_INPUT);
    assert_string_equal(why.text, "destination.properties.connection: no such name");
    attempt();
    assert_ends(E_OK, OUTCOME_RESOLUTION_ERROR);
    end_to();
    begin_to("h,what=1", LIST, EVENT("1"));
    assert_int_equal(redis_target_check(&with, &subscription, &why), E_BAD_INPUT);
    assert_non_null(strstr(why.text, "connection: Keyword 'what' is not supported"));
    end_to();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_becomes_a_stream_entry, begin, end),
        cmocka_unit_test_setup_teardown(a_stream_keeps_about_as_many_as_it_may, begin, end),
        cmocka_unit_test_setup_teardown(events_are_pushed_onto_a_list, begin, end),
        cmocka_unit_test_setup_teardown(a_channel_without_listeners_counts_as_delivered, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_the_server_refuses_tells_why, begin, end),
        cmocka_unit_test_setup_teardown(half_a_batch_is_none, begin, end),
        cmocka_unit_test_setup_teardown(a_server_that_is_away_is_waited_for_a_while, begin, end),
        cmocka_unit_test_setup_teardown(a_server_that_hangs_ends_the_attempt_in_time, begin, end),
        cmocka_unit_test_setup_teardown(a_stop_ends_it_at_once, begin, end),
        cmocka_unit_test_setup_teardown(a_name_that_means_nothing_is_refused_and_later_keeps_events,
                                        begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
