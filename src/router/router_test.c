/* The router on a real store: documents make topics and subscriptions, events go to those that
 * want them, over webhooks to a server in this process, which keeps what it was sent. */
#include "router/testing.h"

#include "router/reception.h"

#define GROUP "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/"

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

static bool is_idle(void *op)
{
    return !((struct op *)op)->is_busy;
}

static int begin(void **state)
{
    got[0] = '\0';
    got_requests = 0;
    answer_status = 200;
    router_test_begin(state, on_request);
    return 0;
}

static void put(const char *id, const char *document)
{
    struct resource_write write = {.op.done = on_done};
    enum err err =
        document != NULL
            ? resource_put(router_resources(router), slice_of(id), slice_of(document), &write)
            : resource_delete(router_resources(router), slice_of(id), &write);
    is_done = false;
    assert_int_equal(err, E_OK);
    assert_int_equal(wait_done(), E_OK);
}

static void put_topic(const char *name)
{
    char id[256], document[512];

    snprintf(id, sizeof id, GROUP "%s", name);
    snprintf(document, sizeof document,
             "{\"name\":\"%s\",\"id\":\"%s\",\"properties\":{\"inputSchema\":\"EventGridSchema\"}}",
             name, id);
    put(id, document);
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

static enum err publish(const char *topic, const char *events)
{
    struct scope *scope = catalog_topic(router_catalog(router), slice_of(topic));
    struct publication publication = {.op.done = on_done};
    const struct publish_request request = {SLICE("application/json"), NULL, 0, slice_of(events)};
    struct event_batch batch;
    struct refusal why;

    assert_non_null(scope);
    const struct publish_rules rules = {
        .event = topic_rules(scope->topic), .now_unix_us = clock_unix_us(), .next_id = id_next};
    if (publish_read(&rules, &request, &batch, &why) != E_OK)
        fail_msg("%s", why.text.text);
    is_done = false;
    assert_int_equal(router_publish(router, scope, &batch, &publication), E_OK);
    return wait_done();
}

#define EVENT(id, type)                                                                            \
    "{\"id\":\"" id "\",\"subject\":\"s\",\"eventType\":\"" type                                   \
    "\",\"eventTime\":\"2026-01-01T00:00:00Z\",\"data\":{\"n\":1.10},\"dataVersion\":\"2\"}"

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

static struct active *active_of(const char *topic, const char *name)
{
    struct scope *scope = catalog_topic(router_catalog(router), slice_of(topic));
    struct member *member = catalog_member(scope, slice_of(name));

    assert_non_null(member);
    assert_non_null(member->active);
    return member->active;
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

/* ---- pull ---- */

static char came[512];
static int receptions;
static enum err receive_err;

static void on_received(struct op *op, enum err err)
{
    struct reception *reception = container_of(op, struct reception, op);
    struct queue_cursor cursor;
    struct queue_entry entry;

    receptions++;
    receive_err = err;
    came[0] = '\0';
    if (err != E_OK)
        return;
    queue_cursor_init(&cursor, reception->call.reply);
    while (queue_cursor_next(&cursor, &entry)) {
        size_t at = strlen(came);
        snprintf(came + at, sizeof came - at, "%.8s ", entry.body.data);
    }
}

static void put_queue(const char *topic, const char *name)
{
    char id[256], document[512];

    snprintf(id, sizeof id, GROUP "%s" MEMBER "%s", topic, name);
    snprintf(document, sizeof document,
             "{\"name\":\"%s\",\"queue\":\"q-%s\",\"state\":\"Succeeded\",\"properties\":{"
             "\"deliveryConfiguration\":{\"deliveryMode\":\"Queue\",\"queue\":{}}}}",
             name, name);
    put(id, document);
}

static void a_pull_client_gets_what_is_there_and_waits_for_what_is_not(void **state)
{
    struct reception reception = {.op.done = on_received};

    (void)state;
    receptions = 0;
    put_topic("t");
    put_queue("t", "pull");
    assert_int_equal(publish("t", "[" EVENT("1", "a") "," EVENT("2", "a") "]"), E_OK);
    reception_start(&reception, active_of("t", "PULL"), 10, 0);
    test_wait(loop, is_idle, &reception.op);
    assert_string_equal(came, "{\"id\":\"1 {\"id\":\"2 ");
    reception_start(&reception, active_of("t", "pull"), 10, 0);
    test_wait(loop, is_idle, &reception.op);
    assert_string_equal(came, ""); /* both are locked */
    struct reception waiting = {.op.done = on_received};
    reception_start(&waiting, active_of("t", "pull"), 10, 3600000);
    assert_int_equal(publish("t", EVENT("3", "a")), E_OK);
    test_wait(loop, is_idle, &waiting.op);
    assert_int_equal(receptions, 3);
    assert_string_equal(came, "{\"id\":\"3 ");
}

static void a_waiting_pull_client_is_sent_away_when_its_subscription_goes(void **state)
{
    struct reception reception = {.op.done = on_received};

    (void)state;
    put_topic("t");
    put_queue("t", "pull");
    reception_start(&reception, active_of("t", "pull"), 1, 3600000);
    (void)test_wait_ms(loop, test_never, NULL, 20);
    put(GROUP "t" MEMBER "pull", NULL);
    test_wait(loop, is_idle, &reception.op);
    assert_int_equal(receive_err, E_CANCELED);
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
        ROW(a_pull_client_gets_what_is_there_and_waits_for_what_is_not),
        ROW(a_waiting_pull_client_is_sent_away_when_its_subscription_goes),
        ROW(a_store_that_is_away_refuses_the_publication),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
