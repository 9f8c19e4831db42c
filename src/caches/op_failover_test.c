/* Failing over on request, patching and rebooting, with real servers and the engine. */
#include "caches/caches_testing.h"

#define STANDARD                                                                                   \
    "{\"sku\":{\"name\":\"Standard\",\"family\":\"C\",\"capacity\":1},"                            \
    "\"enableNonSslPort\":true}"
#define BASIC                                                                                      \
    "{\"sku\":{\"name\":\"Basic\",\"family\":\"C\",\"capacity\":0},"                               \
    "\"enableNonSslPort\":true}"
#define SUCCEEDED "\"provisioningState\":\"Succeeded\""

static void create(const char *properties)
{
    struct asked asked;

    put(properties, &asked);
    if (asked.ending.err)
        fail_msg("%s", asked.ending.why);
    wait_shown(SUCCEEDED);
    wait_for(is_settled, NULL);
}

static bool is_gone(void *ctx)
{
    (void)ctx;
    return the_cache() == NULL;
}

static void drop(void)
{
    struct asked asked;

    ask(&asked);
    assert_int_equal(caches_delete(world.caches, SLICE(CACHE_ID), &asked.request), E_OK);
    wait_for(is_over, &asked.ending);
    assert_int_equal(asked.ending.err, E_OK);
    wait_for(is_gone, NULL);
}

static bool has_operation(void *ctx)
{
    (void)ctx;
    return the_cache()->operation != NULL;
}

static bool is_idle(void *ctx)
{
    return !has_operation(ctx) && is_settled(ctx);
}

static enum err act(const char *kind, const char *arguments, struct asked *asked)
{
    ask(asked);
    enum err err =
        caches_act(world.caches, SLICE(CACHE_ID), kind, slice_of(arguments), &asked->request);
    if (err) {
        snprintf(asked->ending.why, sizeof asked->ending.why, "%s", asked->request.op.why.text);
        return err;
    }
    wait_for(is_over, &asked->ending);
    return asked->ending.err;
}

/* Asks for it, and waits until it has ended. */
static void act_to_end(const char *kind, const char *arguments)
{
    struct asked asked;

    if (act(kind, arguments, &asked) != E_OK)
        fail_msg("%s", asked.ending.why);
    struct slice id = {asked.request.operation, strlen(asked.request.operation)};
    char document[OPERATION_ID_MAX_BYTES];
    assert_true(operation_document_id(id, document));
    uint64_t end_ms = clock_now_ms() + SLOW_MS;
    while (slice_find(resources_get(world.resources, slice_of(document)), SLICE("InProgress")) <
           resources_get(world.resources, slice_of(document)).len) {
        assert_true(clock_now_ms() < end_ms);
        (void)test_wait_ms(loop, test_never, NULL, 5);
    }
    wait_for(is_idle, NULL);
}

static void ask_client(const char *line, const char *expected)
{
    struct redis *client = client_open();
    test_ask(loop, client, line, expected);
    redis_close(client);
}

static void assert_primary(const char *name)
{
    assert_string_equal(cache_primary(the_cache(), 0)->name, name);
}

static void a_replica_takes_over_on_request(void **state)
{
    (void)state;
    daemon_begin();
    create(STANDARD);
    ask_client("SET k v", "OK");
    for (size_t i = 0; i < 4; i++) {
        act_to_end("failover", "{\"shardId\":0}");
        assert_primary(i % 2 == 0 ? "n2" : "n1");
        ask_client("GET k", "v");
    }
    assert_int_equal(the_cache()->state.epoch, 5);
    assert_int_equal(events_of("Redgrid.Cache.FailoverCompleted"), 4);
    assert_int_equal(events_of("Redgrid.Cache.OperationFailed"), 0);
    drop();
    daemon_end();
}

static void without_a_replica_it_is_refused(void **state)
{
    struct asked asked;

    (void)state;
    daemon_begin();
    create(BASIC);
    assert_int_equal(act("failover", "{}", &asked), E_BAD_INPUT);
    assert_string_equal(asked.ending.why,
                        "Basic has no replica that could take over; Standard has");
    assert_int_equal(act("failover", "{\"shardId\":1}", &asked), E_BAD_INPUT);
    assert_non_null(strstr(asked.ending.why, "shardId"));
    assert_int_equal(events_of("FailoverCompleted"), 0);
    drop();
    daemon_end();
}

/* Whoever of the two dies meanwhile, the other serves, with all there was. */
static void a_death_meanwhile_is_repaired(void **state)
{
    static const char *const victims[] = {"n1", "n2"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(victims); i++) {
        struct asked asked;
        daemon_begin();
        create(STANDARD);
        ask_client("SET k v", "OK");
        assert_int_equal(act("failover", "{}", &asked), E_OK);
        wait_for(has_operation, NULL);
        kill(member_pid(cache_server(the_cache(), victims[i])), SIGKILL);
        wait_for(is_idle, NULL);
        ask_client("GET k", "v");
        assert_int_equal(events_of("Redgrid.Cache.NodeUp"), i + 1);
        drop();
        daemon_end();
    }
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_replica_takes_over_on_request, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_death_meanwhile_is_repaired, world_begin, world_end),
        cmocka_unit_test_setup_teardown(without_a_replica_it_is_refused, world_begin, world_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
