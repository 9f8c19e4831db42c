/* The router on a real store: documents make topics and subscriptions, events go to those that
 * want them, over webhooks to a server in this process, which keeps what it was sent. */
#include "router/router_internal.h"
#include "router/testing_documents.h"

/* What the receiver got: "path:body " .., and the headers of the last. */
static char got[4096], got_name[64], got_count[16], got_type[64], got_version[16];
static int got_requests, answer_status;

static void on_request(void *ctx, struct http_request *request)
{
    size_t at = strlen(got);
    struct buf nothing = {0};

    (void)ctx;
    snprintf(got + at, sizeof got - at, "%.*s:%.*s ", SLICE_ARG(http_request_path(request)),
             SLICE_ARG(http_request_body(request)));
#define KEEP(to, name)                                                                             \
    snprintf(to, sizeof to, "%.*s", SLICE_ARG(http_request_header(request, SLICE(name))))
    KEEP(got_name, "aeg-subscription-name");
    KEEP(got_count, "aeg-delivery-count");
    KEEP(got_type, "aeg-event-type");
    KEEP(got_version, "aeg-data-version");
    got_requests++;
    http_respond(request, answer_status, NULL, &nothing);
}

static int begin(void **state)
{
    got[0] = '\0';
    got_requests = 0;
    answer_status = 200;
    router_test_begin(state, on_request);
    return 0;
}

static void put_member(const char *topic, const char *name, const char *properties)
{
    char id[256], document[1024];

    snprintf(id, sizeof id, GROUP "%s" MEMBER "%s", topic, name);
    snprintf(document, sizeof document,
             "{\"name\":\"%s\",\"queue\":\"q-%s\",\"state\":\"Succeeded\",\"properties\":{"
             "\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"
             "\"http://127.0.0.1:%u/%s\"}}%s}}",
             name, name, http_server_port(receiver), name, properties);
    put(id, document);
}

static bool has_requests(void *count)
{
    return got_requests >= *(int *)count;
}
static void wait_requests(int count)
{
    test_wait(loop, has_requests, &count);
}

static void an_event_reaches_those_who_want_it(void **state)
{
    (void)state;
    put_topic("Orders");
    put_member("Orders", "all", "");
    put_member("Orders", "some", ",\"filter\":{\"includedEventTypes\":[\"made\"]}");
    put_member("Orders", "none", ",\"filter\":{\"includedEventTypes\":[\"never\"]}");
    assert_int_equal(publish("ORDERS", "[" EVENT("1", "made") "]"), E_OK);
    wait_requests(2);
    assert_non_null(strstr(got, "/all:[{"));
    assert_non_null(strstr(got, "/some:[{"));
    assert_non_null(strstr(got, "\"n\":1.10"));
    assert_non_null(strstr(got, "\"topic\":\"" GROUP "Orders\""));
    assert_string_equal(got_type, "Notification");
    assert_string_equal(got_count, "0");
    assert_string_equal(got_version, "2");
    got[0] = '\0';
    assert_int_equal(publish("orders", EVENT("2", "else")), E_OK);
    wait_requests(3);
    assert_non_null(strstr(got, "/all:[{"));
    assert_null(strstr(got, "/some"));
    assert_string_equal(got_name, "ALL");
}

static void documents_may_come_in_any_order_and_change(void **state)
{
    (void)state;
    put_member("t", "es", "");
    assert_null(catalog_topic(router_catalog(router), SLICE("t")));
    put_topic("t");
    assert_int_equal(publish("t", EVENT("1", "a")), E_OK);
    wait_requests(1);
    put_member("t", "es", ",\"filter\":{\"includedEventTypes\":[\"b\"]}");
    assert_int_equal(publish("t", "[" EVENT("2", "a") "," EVENT("3", "b") "]"), E_OK);
    wait_requests(2);
    assert_null(strstr(got, "\"id\":\"2\""));
    assert_non_null(strstr(got, "\"id\":\"3\""));
    put(GROUP "t" MEMBER "es", NULL);
    assert_int_equal(publish("t", EVENT("4", "b")), E_OK);
    put(GROUP "t", NULL);
    assert_null(catalog_topic(router_catalog(router), SLICE("t")));
    assert_int_equal(got_requests, 2);
}

static double metric(enum metric_id id, const char *topic, const char *subscription)
{
    return series_value(
        metrics_series(metrics, id, (const char *const[]){topic, subscription, NULL}));
}

static void counts_survive_changes_but_not_removal(void **state)
{
    (void)state;
    put_topic("t");
    put_member("t", "es", "");
    put_member("t", "other", ",\"filter\":{\"includedEventTypes\":[\"x\"]}");
    assert_int_equal(publish("t", "[" EVENT("1", "a") "," EVENT("2", "b") "]"), E_OK);
    wait_requests(2);
    put_member("t", "es", ",\"filter\":{\"includedEventTypes\":[\"b\"]}");
    put_topic("t");
    assert_int_equal(publish("t", "[" EVENT("3", "a") "," EVENT("4", "b") "]"), E_OK);
    wait_requests(3);
    assert_true(metric(METRIC_ID_EVENTS_PUBLISHED, "t", NULL) == 4);
    assert_true(metric(METRIC_ID_EVENTS_MATCHED, "t", NULL) == 3);
    assert_true(metric(METRIC_ID_EVENTS_UNMATCHED, "t", NULL) == 1);
    assert_true(metric(METRIC_ID_EVENTS_QUEUED, "t", "es") == 3);
    assert_true(metric(METRIC_ID_EVENTS_QUEUED, "t", "other") == 0);
    assert_int_equal(active_of("t", "es")->tally->counts.queued, 3);
    put(GROUP "t" MEMBER "es", NULL);
    put_member("t", "es", "");
    assert_int_equal(active_of("t", "es")->tally->counts.queued, 0);
}

static bool has_parked(void *active)
{
    const struct active *a = active;
    return a->tally->counts.retried > 0 && subscriber_in_flight(a->subscriber) == 0;
}

static void what_is_stored_is_delivered_by_the_next_run(void **state)
{
    (void)state;
    put_topic("t");
    put_member("t", "es", "");
    answer_status = 500;
    assert_int_equal(publish("t", EVENT("1", "a")), E_OK);
    test_wait(loop, has_parked, active_of("t", "es"));
    router_end();
    test_ask(loop, redis, "ZCARD rg:{q:q-es}:due", "1");
    test_ask(loop, redis,
             "EVAL return(redis.call('ZADD',KEYS[1],1,redis.call('ZRANGE',KEYS[1],0,0)[1])) 1 "
             "rg:{q:q-es}:due",
             "0");
    answer_status = 200;
    router_begin();
    wait_requests(2);
    assert_string_equal(got_count, "1");
}

static void a_faulty_document_harms_nobody_else(void **state)
{
    (void)state;
    put_topic("t");
    put_member("t", "good", "");
    put_member("t", "bad", ",\"filter\":{\"advancedFilters\":[{\"operatorType\":\"No\"}]}");
    put(GROUP "t" MEMBER "worse", "{}");
    put(GROUP "t" MEMBER "worst", "nonsense");
    put(GROUP "u", "{\"name\":\"other\"}");
    assert_int_equal(publish("t", EVENT("1", "a")), E_OK);
    wait_requests(1);
    assert_string_equal(got_name, "GOOD");
    assert_int_equal(test_lines_of(&lines, "SUBSCRIPTION-BAD"), 1);
    assert_int_equal(test_lines_of(&lines, "TOPIC-BAD"), 1);
    assert_int_equal(test_lines_of(&lines, "DOCUMENT-BAD"), 1);
}

/* Settings and topics change; what was made before goes on getting its events. */
static void what_is_not_allowed_any_more_gets_events(void **state)
{
    static const char old[] =
        "{\"name\":\"old\",\"queue\":\"q-old\",\"state\":\"Succeeded\",\"properties\":{"
        "\"destination\":{\"properties\":{\"endpointUrl\":\"http://192.0.2.1:9/\"}}}}";
    static const char brief[] = "{\"name\":\"t\",\"id\":\"" GROUP "t\",\"properties\":{"
                                "\"inputSchema\":\"EventGridSchema\",\"eventRetentionInDays\":1}}";

    (void)state;
    put_topic("t");
    put_queue("t", "long", "\"eventTimeToLive\":\"P2D\"");
    put(GROUP "t" MEMBER "old", old);
    put(GROUP "t", brief);
    assert_int_equal(publish("t", EVENT("1", "a")), E_OK);
    assert_int_equal(test_lines_of(&lines, "SUBSCRIPTION-BAD"), 0);
    test_ask(loop, redis, "XLEN rg:{q:q-long}:events", "1");
    test_ask(loop, redis, "XLEN rg:{q:q-old}:events", "1");
    assert_true(active_of("t", "long")->ttl_ms == 86400000);
}

/* An array of large events. */
static char *make_large(size_t count)
{
    static const char event[] = EVENT("1", "a");
    size_t len = 0, part = EVENT_MAX_BYTES - 1000;
    char *text = malloc(count * EVENT_MAX_BYTES + 3);

    assert_non_null(text);
    text[len++] = '[';
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            text[len++] = ',';
        memcpy(text + len, event, sizeof event - 2);
        len += sizeof event - 2;
        memcpy(text + len, ",\"topic\":\"\"", 11);
        len += 11;
        memset(text + len, ' ', part);
        len += part;
        text[len++] = '}';
    }
    memcpy(text + len, "]", 2);
    return text;
}

static struct op crowd[2];
static char order[8];
static void on_let_in(struct op *op, enum err err)
{
    assert_int_equal(err, E_OK);
    snprintf(order + strlen(order), sizeof order - strlen(order), "%d", (int)(op - crowd));
}

static void what_is_published_at_a_time_is_bounded(void **state)
{
    char *large = make_large(1);
    struct publication publications[8] = {0};
    struct event_batch batches[8];
    (void)state;
    put_topic("t");
    struct scope *scope = catalog_topic(router_catalog(router), SLICE("t"));
    const struct publish_request request = {SLICE("application/json"), NULL, 0, slice_of(large)};
    const struct publish_rules rules = {
        .event = topic_rules(scope->topic), .now_unix_us = clock_unix_us(), .next_id = id_next};
    struct refusal why;
    order[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(batches); i++) {
        assert_true(router_has_room(router));
        assert_int_equal(publish_read(&rules, &request, &batches[i], &why), E_OK);
        publications[i].op.done = on_done;
        assert_int_equal(router_publish(router, scope, &batches[i], &publications[i]), E_OK);
    }
    assert_false(router_has_room(router));
    for (size_t i = 0; i < COUNT_OF(crowd); i++) {
        crowd[i] = (struct op){.done = on_let_in};
        router_wait_for_room(router, &crowd[i]);
    }
    assert_string_equal(order, "");
    test_wait(loop, is_idle, &publications[7].op);
    assert_string_equal(order, "01");
    assert_true(router_has_room(router));
    free(large);
}

#define EAGER 64 /* subscriptions that want all, and publications */

static bool all_are_stored(void *has_stalled)
{
    *(bool *)has_stalled |= !list_is_empty(&router->stalled);
    assert_true(router->appending_bytes < APPENDING_MAX_BYTES + EAGER * sizeof(char[10000]));
    return router->publications == 0;
}

/* Of 8 KB for each of 64 subscriptions, which is 32 MB for all of them. */
static void what_is_on_the_way_to_queues_is_bounded(void **state)
{
    struct publication publications[EAGER] = {0};
    char event[8000], name[16];
    bool has_stalled = false;
    struct event_batch batch;
    struct refusal why;

    (void)state;
    put_topic("t");
    for (int i = 0; i < EAGER; i++) {
        snprintf(name, sizeof name, "es%d", i);
        put_queue("t", name, "");
    }
    struct scope *scope = catalog_topic(router_catalog(router), SLICE("t"));
    const struct publish_rules rules = {
        .event = topic_rules(scope->topic), .now_unix_us = clock_unix_us(), .next_id = id_next};
    int len = snprintf(event, sizeof event, "%s", EVENT("1", "a"));
    memset(event + len - 1, ' ', sizeof event - (size_t)len);
    event[sizeof event - 1] = '}';
    const struct publish_request request = {
        SLICE("application/json"), NULL, 0, {event, sizeof event}};
    for (size_t i = 0; i < EAGER; i++) {
        assert_int_equal(publish_read(&rules, &request, &batch, &why), E_OK);
        publications[i].op.done = on_done;
        assert_int_equal(router_publish(router, scope, &batch, &publications[i]), E_OK);
    }
    test_wait(loop, all_are_stored, &has_stalled);
    assert_true(has_stalled);
    assert_int_equal(router->appending_bytes, 0);
    test_ask(loop, redis, "XLEN rg:{q:q-es0}:events", "64");
    test_ask(loop, redis, "XLEN rg:{q:q-es63}:events", "64");
}

/* Events for it would be lost if it did not work any more. */
static void what_was_right_when_it_was_made_works_on(void **state)
{
    (void)state;
    put_topic("t");
    put_queue("t", "pulls", "\"eventTimeToLive\":\"P7D\"");
    put(GROUP "t" MEMBER "plain",
        "{\"name\":\"plain\",\"queue\":\"q-plain\",\"state\":\"Succeeded\","
        "\"properties\":{\"destination\":{\"properties\":{"
        "\"endpointUrl\":\"http://192.0.2.1:9/\"}}}}");
    put(GROUP "t", "{\"name\":\"t\",\"id\":\"" GROUP "t\",\"properties\":{"
                   "\"eventRetentionInDays\":1}}");
    assert_int_equal(active_of("t", "pulls")->ttl_ms, 86400000);
    assert_int_equal(publish("t", EVENT("1", "a")), E_OK);
    assert_int_equal(active_of("t", "pulls")->tally->counts.queued, 1);
    assert_int_equal(active_of("t", "plain")->tally->counts.queued, 1);
}

/* It is read from the event again, and need not stand beside it. */
static void a_custom_event_may_have_a_long_id(void **state)
{
    char event[2000];

    (void)state;
    put(GROUP "c",
        "{\"name\":\"c\",\"id\":\"" GROUP "c\",\"properties\":{\"inputSchema\":"
        "\"CustomEventSchema\",\"inputSchemaMapping\":{\"inputSchemaMappingType\":\"Json\","
        "\"properties\":{\"id\":{\"sourceField\":\"n\"}}}}}");
    put_member("c", "es", "");
    snprintf(event, sizeof event, "{\"n\":\"%01000d\"}", 7);
    assert_int_equal(publish("c", event), E_OK);
    wait_requests(1);
    assert_non_null(strstr(got, "0000000007\",\"topic\":"));
}

/* The answer to a take was on its way when the subscription was changed. */
static void what_came_for_the_subscription_before_is_delivered(void **state)
{
    (void)state;
    put_topic("t");
    put_member("t", "es", "");
    assert_int_equal(publish("t", EVENT("1", "a")), E_OK);
    wait_requests(1);
    (void)test_wait_ms(loop, test_never, NULL, 50);
    test_ask(loop, redis, "XADD rg:{q:q-es}:events * h 1767225600000000 b " EVENT("2", "a"), NULL);
    test_ask(loop, redis, "XREADGROUP GROUP redgrid me COUNT 9 STREAMS rg:{q:q-es}:events >", NULL);
    put_member("t", "es", ",\"filter\":{\"subjectBeginsWith\":\"s\"}");
    wait_requests(2);
    assert_non_null(strstr(got, "\"id\":\"2\""));
    put_member("t", "es", "");
    (void)test_wait_ms(loop, test_never, NULL, 50);
    assert_int_equal(got_requests, 2); /* each once */
}

static void who_waits_for_room_is_told_of_a_stop(void **state)
{
    (void)state;
    crowd[0] = (struct op){.done = on_let_in};
    order[0] = '\0';
    router_wait_for_room(router, &crowd[0]);
    router_end();
    assert_string_equal(order, "0");
}

static void a_store_that_is_away_refuses_the_publication(void **state)
{
    (void)state;
    put_topic("t");
    put_member("t", "es", "");
    test_server_kill(&server);
    test_wait(loop, test_is_down, redis);
    assert_int_equal(publish("t", EVENT("1", "a")), E_CLOSED);
    test_server_run(&server, "");
    test_wait(loop, test_is_ready, redis);
    put_topic("t");
    put_member("t", "es", "");
    assert_int_equal(publish("t", EVENT("2", "a")), E_OK);
    wait_requests(1);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, router_test_end)
    const struct CMUnitTest tests[] = {
        ROW(an_event_reaches_those_who_want_it),
        ROW(documents_may_come_in_any_order_and_change),
        ROW(counts_survive_changes_but_not_removal),
        ROW(what_is_stored_is_delivered_by_the_next_run),
        ROW(a_faulty_document_harms_nobody_else),
        ROW(what_is_not_allowed_any_more_gets_events),
        ROW(what_is_published_at_a_time_is_bounded),
        ROW(what_is_on_the_way_to_queues_is_bounded),
        ROW(what_was_right_when_it_was_made_works_on),
        ROW(a_custom_event_may_have_a_long_id),
        ROW(what_came_for_the_subscription_before_is_delivered),
        ROW(who_waits_for_room_is_told_of_a_stop),
        ROW(a_store_that_is_away_refuses_the_publication),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
