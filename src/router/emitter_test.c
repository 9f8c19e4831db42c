/* What a resource emits reaches who has subscribed to it: a system topic, a webhook, a real store.
 */
#include "router/testing_documents.h"

#include "store/outbox.h"

#define CACHE "/subscriptions/S/resourceGroups/G/providers/Microsoft.Cache/Redis/C1"
#define SYSTEM_TOPIC                                                                               \
    "/subscriptions/S/resourceGroups/G/providers/Microsoft.EventGrid/systemTopics/c1"
#define SCALED "Microsoft.Cache.ScalingCompleted"
#define CREATED "Redgrid.Cache.Created"

static char got[4096];
static int got_requests;

static void on_request(void *ctx, struct http_request *request)
{
    size_t at = strlen(got);
    struct buf nothing = {0};

    (void)ctx;
    snprintf(got + at, sizeof got - at, "%.*s ", SLICE_ARG(http_request_body(request)));
    got_requests++;
    http_respond(request, 200, NULL, &nothing);
}

static int begin(void **state)
{
    got[0] = '\0';
    got_requests = 0;
    router_test_begin(state, on_request);
    return 0;
}

static void put_system_topic(void)
{
    put(SYSTEM_TOPIC,
        "{\"name\":\"c1\",\"id\":\"" SYSTEM_TOPIC "\",\"properties\":{\"source\":\"" CACHE
        "\",\"topicType\":\"Microsoft.Cache.Redis\"}}");
}

static void put_subscription(const char *filter)
{
    char document[1024];

    snprintf(document, sizeof document,
             "{\"name\":\"es1\",\"queue\":\"q1\",\"state\":\"Succeeded\",\"properties\":{"
             "\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"
             "\"http://127.0.0.1:%u/\"}},\"filter\":%s}}",
             http_server_port(receiver), filter);
    put(CACHE MEMBER "es1", document);
}

static void write_event(char *out, size_t size, const char *id, const char *type)
{
    snprintf(out, size,
             "{\"id\":\"%s\",\"subject\":\"s\",\"eventType\":\"%s\",\"eventTime\":"
             "\"2026-01-02T03:04:05.1234567+00:00\",\"data\":{\"status\":\"Succeeded\"},"
             "\"dataVersion\":\"1.0\"}",
             id, type);
}

/* With a change of some document, as the end of an operation is told. */
static void emit(const char *id, const char *type)
{
    struct resource_write write = {.op.done = on_done};
    char text[512], document[32];

    snprintf(document, sizeof document, "{\"id\":\"%s\"}", id);
    const struct resource_change change = {SLICE("/operations/1"), slice_of(document)};
    write_event(text, sizeof text, id, type);
    const struct resource_event event = {SLICE(CACHE), slice_of(text)};
    is_done = false;
    assert_int_equal(resources_commit(router_resources(router),
                                      &(struct resource_commit){.changes = &change,
                                                                .change_count = 1,
                                                                .events = &event,
                                                                .event_count = 1},
                                      &write),
                     E_OK);
    assert_int_equal(wait_done(), E_OK);
}

static bool has_requests(void *count)
{
    return got_requests >= *(int *)count;
}
static void wait_requests(int count)
{
    test_wait(loop, has_requests, &count);
}

static struct test_call length_call;
static bool is_empty;
static bool is_outbox_empty(void *ctx)
{
    (void)ctx;
    if (length_call.is_done) {
        is_empty = length_call.kept->root->integer == 0;
        length_call.kept = reply_unref(length_call.kept);
        length_call.is_done = false;
    }
    if (!is_empty && !length_call.call.op.is_busy)
        (void)test_send(redis, "XLEN " OUTBOX_KEY, &length_call);
    return is_empty;
}

static void wait_empty(void)
{
    is_empty = false;
    test_wait(loop, is_outbox_empty, NULL);
}

static void events_of_a_cache_reach_its_subscribers(void **state)
{
    (void)state;
    put_subscription("{}"); /* before its topic: documents come in any order */
    put_system_topic();
    emit("e1", SCALED);
    wait_requests(1);
    assert_non_null(strstr(got, "\"id\":\"e1\""));
    assert_non_null(strstr(got, "\"topic\":\"" CACHE "\""));
    emit("e2", CREATED); /* not one of the standard */
    emit("e3", SCALED);
    wait_requests(2);
    assert_null(strstr(got, "\"id\":\"e2\""));
    assert_non_null(strstr(got, "\"id\":\"e3\""));
    wait_empty();
}

static void types_beside_the_standard_are_asked_for_by_name(void **state)
{
    (void)state;
    put_system_topic();
    put_subscription("{\"includedEventTypes\":[\"" CREATED "\"]}");
    emit("e1", SCALED);
    emit("e2", CREATED);
    wait_requests(1);
    assert_null(strstr(got, "\"id\":\"e1\""));
    assert_non_null(strstr(got, "\"id\":\"e2\""));
}

static void what_nobody_has_subscribed_to_is_dropped(void **state)
{
    (void)state;
    emit("e1", SCALED);
    wait_empty();
    put_system_topic();
    emit("e2", "No.Such.Type");
    wait_empty();
    assert_int_equal(got_requests, 0);
}

static void what_a_dead_node_had_taken_is_published_by_the_next(void **state)
{
    char event[512], line[640];
    char *at;

    (void)state;
    put_system_topic();
    put_subscription("{}");
    router_end();
    write_event(event, sizeof event, "e1", SCALED);
    snprintf(line, sizeof line, "XADD " OUTBOX_KEY " 5-5 scope " CACHE " event %s", event);
    for (at = event; *at != '\0'; at++)
        assert_int_not_equal(*at, ' '); /* one word of the line */
    test_ask(loop, redis, line, NULL);
    test_ask(loop, redis, "XREADGROUP GROUP redgrid other STREAMS " OUTBOX_KEY " >", NULL);
    test_ask(loop, redis, "XCLAIM " OUTBOX_KEY " redgrid other 0 5-5 IDLE 60000", NULL);
    router_begin();
    wait_requests(1);
    assert_non_null(strstr(got, "\"id\":\"e1\""));
    wait_empty();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_of_a_cache_reach_its_subscribers, begin,
                                        router_test_end),
        cmocka_unit_test_setup_teardown(types_beside_the_standard_are_asked_for_by_name, begin,
                                        router_test_end),
        cmocka_unit_test_setup_teardown(what_nobody_has_subscribed_to_is_dropped, begin,
                                        router_test_end),
        cmocka_unit_test_setup_teardown(what_a_dead_node_had_taken_is_published_by_the_next, begin,
                                        router_test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
