/* Changes on a real store: what they leave there, which endpoints are asked, and what is in force
 * when they are not there yet or answer badly. */
#include "router/testing.h"

#include "router/document.h"
#include "router/resource_id.h"
#include "json/scan.h"

#define TOPIC RESOURCE_GROUP "/providers/Microsoft.EventGrid/topics/"

/* How the endpoint answers. */
static enum { ECHO, SILENT, NEVER } manner;
static char got[8192];
static char got_type[64], callback[512];
static int got_requests;

static struct slice inside(struct slice json)
{
    return (struct slice){json.data + 1, json.len - 2};
}

static void answer_validation(struct http_request *request)
{
    struct slice event = SLICE_NONE, rest = http_request_body(request);
    struct buf body;

    (void)jx_scan_item(&rest, &event);
    struct slice data = jx_scan_member(event, SLICE("data"));
    snprintf(callback, sizeof callback, "%.*s",
             SLICE_ARG(inside(jx_scan_member(data, SLICE("validationUrl")))));
    buf_init(&body, 1024);
    if (manner == ECHO)
        buf_addf(&body, "{\"ValidationResponse\":%.*s}",
                 SLICE_ARG(jx_scan_member(data, SLICE("validationCode"))));
    http_respond(request, manner == NEVER ? 500 : 200, NULL, &body);
}

static void on_request(void *ctx, struct http_request *request)
{
    size_t at = strlen(got);
    struct buf nothing = {0};

    (void)ctx;
    snprintf(got + at, sizeof got - at, "%.*s %.*s:%.*s ", SLICE_ARG(http_request_method(request)),
             SLICE_ARG(http_request_path(request)), SLICE_ARG(http_request_body(request)));
    snprintf(got_type, sizeof got_type, "%.*s",
             SLICE_ARG(http_request_header(request, SLICE("aeg-event-type"))));
    got_requests++;
    if (slice_eq(http_request_method(request), SLICE("OPTIONS"))) {
        if (manner == ECHO)
            (void)http_reply_header(request, SLICE("WebHook-Allowed-Origin"), SLICE("*"));
        snprintf(callback, sizeof callback, "%.*s",
                 SLICE_ARG(http_request_header(request, SLICE("WebHook-Request-Callback"))));
        http_respond(request, 200, NULL, &nothing);
    } else if (strcmp(got_type, "SubscriptionValidation") == 0) {
        answer_validation(request);
    } else {
        http_respond(request, 200, NULL, &nothing);
    }
}

static int begin(void **state)
{
    got[0] = callback[0] = '\0';
    got_requests = 0;
    manner = ECHO;
    router_extra = (struct router_options){.window_ms = 60000, .retry_ms = 1, .chores_ms = 20};
    router_test_begin(state, on_request);
    return 0;
}

/* ---- asking ---- */

static struct change change;

static void fresh(void)
{
    change = (struct change){.op.done = on_done};
    is_done = false;
}

static enum err outcome(enum err err)
{
    if (err != E_OK) {
        done_why = change.op.why;
        return err;
    }
    return wait_done();
}

static enum err ask_topic(const char *name, const char *properties, bool is_patch)
{
    char id[256];

    snprintf(id, sizeof id, TOPIC "%s", name);
    fresh();
    return outcome(change_topic(router_changes(router),
                                &(struct change_request){.scope = slice_of(id),
                                                         .name = slice_of(name),
                                                         .properties = slice_of(properties),
                                                         .is_patch = is_patch},
                                &change));
}

static enum err ask(const char *name, const char *properties, bool is_patch)
{
    fresh();
    return outcome(change_subscription(router_changes(router),
                                       &(struct change_request){.scope = SLICE(TOPIC "top"),
                                                                .name = slice_of(name),
                                                                .properties = slice_of(properties),
                                                                .url = SLICE("http://here:1"),
                                                                .is_patch = is_patch},
                                       &change));
}

/* To the receiver's `path`. */
static enum err put(const char *name, const char *path, const char *more)
{
    char text[512];

    snprintf(text, sizeof text,
             "{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"
             "\"http://127.0.0.1:%u/%s\"}}%s}",
             http_server_port(receiver), path, more);
    return ask(name, text, false);
}

static enum err ask_removal(const char *id)
{
    fresh();
    return outcome(change_remove(router_changes(router), slice_of(id), &change));
}

static enum err confirm(const char *name)
{
    char code[64] = "", token[64] = "";
    const char *id = strstr(callback, "id="), *secret = strstr(callback, "token=");

    snprintf(code, sizeof code, "%.36s", id != NULL ? id + 3 : "");
    snprintf(token, sizeof token, "%.36s", secret != NULL ? secret + 6 : "");
    fresh();
    return outcome(change_confirm(
        router_changes(router),
        &(struct confirmation){slice_of(name), slice_of(code), slice_of(token)}, &change));
}

static struct slice document_of(const char *id)
{
    return resources_get(router_resources(router), slice_of(id));
}

static const char *state_of(const char *name)
{
    char id[256];

    snprintf(id, sizeof id, TOPIC "top" MEMBER "%s", name);
    return document_state(document_of(id), clock_unix_ms());
}

static bool is_active(const char *name)
{
    struct scope *scope = catalog_topic(router_catalog(router), SLICE("top"));
    struct member *member = catalog_member(scope, slice_of(name));
    return member != NULL && member->active != NULL;
}

static const char *queue_of(const char *name)
{
    static char text[64];
    char id[256];

    snprintf(id, sizeof id, TOPIC "top" MEMBER "%s", name);
    snprintf(text, sizeof text, "%.*s",
             SLICE_ARG(inside(jx_scan_member(document_of(id), SLICE("queue")))));
    return text;
}

/* ---- topics ---- */

static void a_topic_is_made_changed_and_removed(void **state)
{
    (void)state;
    assert_int_equal(ask_topic("Orders", "", false), E_OK);
    const struct topic *topic = catalog_topic(router_catalog(router), SLICE("orders"))->topic;
    struct access_keys keys = topic->keys;
    assert_string_equal(topic->name, "Orders");
    assert_int_equal(strlen(keys.text[0]), 44);
    assert_string_not_equal(keys.text[0], keys.text[1]);

    assert_int_equal(ask_topic("orders", "{\"disableLocalAuth\":true}", true), E_OK);
    topic = catalog_topic(router_catalog(router), SLICE("orders"))->topic;
    assert_true(topic->is_local_auth_disabled);
    assert_string_equal(topic->name, "Orders");
    assert_string_equal(topic->keys.text[0], keys.text[0]);

    fresh();
    assert_int_equal(
        outcome(change_topic_key(router_changes(router), SLICE(TOPIC "ORDERS"), 1, &change)), E_OK);
    topic = catalog_topic(router_catalog(router), SLICE("orders"))->topic;
    assert_string_equal(topic->keys.text[0], keys.text[0]);
    assert_string_not_equal(topic->keys.text[1], keys.text[1]);
    assert_true(topic->is_local_auth_disabled);

    assert_int_equal(ask_removal(TOPIC "orders"), E_OK);
    assert_null(catalog_topic(router_catalog(router), SLICE("orders")));
    test_ask(loop, redis, "HLEN rg:{meta}:resources", "0");
    assert_int_equal(ask_removal(TOPIC "orders"), E_NOT_FOUND);
}

static void a_bad_topic_is_refused_with_its_field(void **state)
{
    static const struct {
        const char *name, *properties;
        bool is_patch;
        enum err err;
        const char *why;
    } rows[] = {
        {"x", "", false, E_BAD_INPUT, "name: "},
        {"a/b", "", false, E_BAD_INPUT, "name: "},
        {"system-1", "", false, E_BAD_INPUT, "name: "},
        {"good", "{\"inputSchema\":\"No\"}", false, E_BAD_INPUT, "inputSchema"},
        {"none", "", true, E_NOT_FOUND, "none"},
        {"there", "{\"inputSchema\":\"CloudEventSchemaV1_0\"}", false, E_BAD_INPUT, "inputSchema"},
    };
    (void)state;
    assert_int_equal(ask_topic("there", "", false), E_OK);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(ask_topic(rows[i].name, rows[i].properties, rows[i].is_patch),
                         rows[i].err);
        assert_non_null(strstr(done_why.text, rows[i].why));
    }
    test_ask(loop, redis, "HLEN rg:{meta}:resources", "1");

    fresh();
    assert_int_equal(change_topic(router_changes(router),
                                  &(struct change_request){.scope = SLICE("/other/topics/there"),
                                                           .name = SLICE("THERE")},
                                  &change),
                     E_EXISTS);
}

/* ---- handshakes ---- */

static void an_endpoint_that_echoes_is_in_force(void **state)
{
    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    assert_int_equal(put("es1", "hook?secret=1", ""), E_OK);
    assert_string_equal(state_of("es1"), "Succeeded");
    assert_true(is_active("es1"));
    assert_int_equal(got_requests, 1);
    assert_non_null(strstr(got, "POST /hook:[{"));
    assert_non_null(strstr(got, "\"topic\":\"" TOPIC "top\""));
    assert_non_null(strstr(callback, "http://here:1/eventsubscriptions/es1/validate?id="));
    /* what is not the endpoint asks nobody */
    assert_int_equal(ask("es1", "{\"labels\":[\"a\"]}", true), E_OK);
    assert_int_equal(got_requests, 1);
    assert_int_equal(put("es1", "hook?secret=1", ",\"labels\":[\"b\"]"), E_OK);
    assert_int_equal(got_requests, 1);
}

static void an_endpoint_that_fails_gets_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    manner = NEVER;
    assert_int_equal(put("es1", "hook?secret=1", ""), E_DENIED);
    assert_int_equal(got_requests, 2);
    assert_non_null(strstr(done_why.text, "handshake failed for http://127.0.0.1:"));
    assert_non_null(strstr(done_why.text, "response code 500"));
    assert_null(strstr(done_why.text, "secret"));
    assert_string_equal(state_of("es1"), "Failed");
    assert_false(is_active("es1"));
    manner = ECHO;
    assert_int_equal(ask("es1", "{}", true), E_OK); /* any change tries again */
    assert_true(is_active("es1"));
}

static void a_changed_endpoint_leaves_the_old_in_force_until_it_has_passed(void **state)
{
    char queue[64];

    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    assert_int_equal(put("es1", "old", ""), E_OK);
    snprintf(queue, sizeof queue, "%s", queue_of("es1"));
    manner = NEVER;
    assert_int_equal(put("es1", "new", ""), E_DENIED);
    assert_string_equal(state_of("es1"), "Succeeded");
    assert_non_null(strstr(document_of(TOPIC "top" MEMBER "es1").data, "/old\""));
    manner = SILENT;
    assert_int_equal(put("es1", "new", ""), E_OK);
    assert_string_equal(state_of("es1"), "AwaitingManualAction");
    assert_true(is_active("es1"));
    assert_int_equal(confirm("es1"), E_OK);
    assert_string_equal(state_of("es1"), "Succeeded");
    assert_null(strstr(document_of(TOPIC "top" MEMBER "es1").data, "/old\""));
    assert_string_equal(queue_of("es1"), queue);
}

static void a_change_on_top_of_one_that_waits_keeps_both(void **state)
{
    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    assert_int_equal(put("es1", "old", ""), E_OK);
    manner = SILENT;
    assert_int_equal(put("es1", "new", ""), E_OK);
    assert_int_equal(ask("es1", "{\"labels\":[\"a\"]}", true), E_OK);
    assert_string_equal(state_of("es1"), "AwaitingManualAction");
    assert_int_equal(confirm("es1"), E_OK);
    assert_non_null(strstr(document_of(TOPIC "top" MEMBER "es1").data, "/new\""));
    assert_non_null(strstr(document_of(TOPIC "top" MEMBER "es1").data, "\"labels\":[\"a\"]"));
}

static void what_waits_is_confirmed_by_its_code_and_token_in_time(void **state)
{
    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    manner = SILENT;
    assert_int_equal(put("es1", "hook", ""), E_OK);
    assert_string_equal(state_of("es1"), "AwaitingManualAction");
    assert_false(is_active("es1"));
    assert_int_equal(confirm("es2"), E_DENIED);
    for (size_t i = 0; i < 2; i++) {
        const char *name = i == 0 ? "id=" : "token=";
        char *at = strstr(callback, name) + strlen(name), was = *at;
        *at = was == 'a' ? 'b' : 'a';
        assert_int_equal(confirm("es1"), E_DENIED);
        *at = was;
    }
    assert_int_equal(confirm("ES1"), E_OK);
    assert_true(is_active("es1"));
    assert_int_equal(confirm("es1"), E_DENIED); /* once */
}

static bool is_over(void *name)
{
    return strcmp(state_of(name), "Failed") == 0;
}

static void what_waits_too_long_has_failed(void **state)
{
    char name[] = "es1";

    (void)state;
    router_end();
    router_extra.window_ms = 1;
    router_begin();
    assert_int_equal(ask_topic("top", "", false), E_OK);
    manner = SILENT;
    assert_int_equal(put(name, "hook", ""), E_OK);
    test_wait(loop, is_over, name);
    assert_int_equal(confirm(name), E_TIMEOUT);
    assert_false(is_active(name));
}

static void cloud_events_are_asked_by_options(void **state)
{
    (void)state;
    assert_int_equal(ask_topic("top", "{\"inputSchema\":\"CloudEventSchemaV1_0\"}", false), E_OK);
    assert_int_equal(put("es1", "hook", ""), E_OK);
    assert_string_equal(state_of("es1"), "Succeeded");
    assert_non_null(strstr(got, "OPTIONS /hook:"));
    manner = SILENT;
    assert_int_equal(put("es2", "hook", ""), E_OK);
    assert_string_equal(state_of("es2"), "AwaitingManualAction");
    assert_int_equal(confirm("es2"), E_OK);
}

static void a_bad_subscription_is_refused_with_its_field(void **state)
{
    static const char elsewhere[] = "{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":"
                                    "{\"endpointUrl\":\"http://10.0.0.1/\"}}}",
                      function[] = "{\"destination\":{\"endpointType\":\"AzureFunction\","
                                   "\"properties\":{\"resourceId\":\"/f\"}}}";
    (void)state;
    assert_int_equal(put("es1", "hook", ""), E_NOT_FOUND);
    assert_int_equal(ask_topic("top", "", false), E_OK);
    assert_int_equal(put("e", "hook", ""), E_BAD_INPUT);
    assert_non_null(strstr(done_why.text, "name: "));
    assert_int_equal(ask("es1", "{}", false), E_BAD_INPUT);
    assert_non_null(strstr(done_why.text, "destination"));
    assert_int_equal(ask("es1", elsewhere, false), E_BAD_INPUT);
    assert_non_null(strstr(done_why.text, "endpointUrl"));
    assert_int_equal(ask("es1", function, false), E_UNSUPPORTED);
    assert_int_equal(ask("es1", "{}", true), E_NOT_FOUND);
    assert_int_equal(got_requests, 0);
}

static void one_change_at_a_time(void **state)
{
    struct change second = {.op.done = on_done};

    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    fresh();
    assert_int_equal(change_remove(router_changes(router), SLICE(TOPIC "top"), &change), E_OK);
    assert_int_equal(change_subscription(router_changes(router),
                                         &(struct change_request){.scope = SLICE(TOPIC "top"),
                                                                  .name = SLICE("es1")},
                                         &second),
                     E_EXISTS);
    test_wait(loop, has_ended, NULL);
    assert_int_equal(done_err, E_OK);
}

/* ---- removal ---- */

static bool other_is_done;

static void on_other(struct op *op, enum err err)
{
    (void)op;
    assert_int_equal(err, E_OK);
    other_is_done = true;
}

static bool has_other_ended(void *ctx)
{
    (void)ctx;
    return other_is_done;
}

/* The other's is in the store, and not told here yet. */
static void what_another_node_has_changed_is_not_undone(void **state)
{
    struct resource_write other = {.op.done = on_other};
    char document[4096];

    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    assert_int_equal(put("es1", "old", ""), E_OK);
    snprintf(document, sizeof document, "%.*s", SLICE_ARG(document_of(TOPIC "top" MEMBER "es1")));
    memcpy(strstr(document, "/old\""), "/odd", 4);
    other_is_done = false;
    assert_int_equal(resource_put(router_resources(router), SLICE(TOPIC "top" MEMBER "es1"),
                                  slice_of(document), &other),
                     E_OK);
    assert_int_equal(ask("es1", "{\"labels\":[\"a\"]}", true), E_EXISTS);
    test_wait(loop, has_other_ended, NULL);
    assert_non_null(strstr(document_of(TOPIC "top" MEMBER "es1").data, "/odd\""));
    assert_int_equal(ask("es1", "{\"labels\":[\"a\"]}", true), E_OK);
    assert_non_null(strstr(document_of(TOPIC "top" MEMBER "es1").data, "/odd\""));
    assert_int_equal(ask_removal(TOPIC "top" MEMBER "es1"), E_OK);
}

static void a_removed_subscription_leaves_nothing_and_is_told(void **state)
{
    char queue[64];

    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    assert_int_equal(put("es1", "hook", ""), E_OK);
    snprintf(queue, sizeof queue, "%s", queue_of("es1"));
    assert_int_equal(ask_removal(TOPIC "top" MEMBER "ES1"), E_OK);
    assert_string_equal(got_type, "SubscriptionDeletion");
    assert_non_null(strstr(got, "\"eventSubscriptionId\":\"" TOPIC "top" MEMBER "es1\""));
    assert_int_equal(got_requests, 2);
    test_ask(loop, redis, "HLEN rg:{meta}:resources", "1");
    test_ask(loop, redis, "EVAL return(#redis.call('KEYS','rg:{q:*')) 0", "0");
    assert_int_equal(put("es1", "hook", ""), E_OK);
    assert_string_not_equal(queue_of("es1"), queue);
}

static void an_endpoint_that_never_passed_is_not_told(void **state)
{
    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    manner = NEVER;
    assert_int_equal(put("es1", "hook", ""), E_DENIED);
    got_requests = 0;
    assert_int_equal(ask_removal(TOPIC "top" MEMBER "es1"), E_OK);
    assert_int_equal(got_requests, 0);
}

static void on_put(struct op *op, enum err err)
{
    (void)op;
    assert_int_equal(err, E_OK);
}

/* As if another node had ended the same removal, and somebody had made one of that name there. */
static void what_was_made_anew_meanwhile_is_not_forgotten(void **state)
{
    struct resource_write write = {.op.done = on_put};

    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    assert_int_equal(put("es1", "hook", ""), E_OK);
    fresh();
    assert_int_equal(
        change_remove(router_changes(router), SLICE(TOPIC "top" MEMBER "es1"), &change), E_OK);
    assert_int_equal(resource_put(router_resources(router), SLICE(TOPIC "top" MEMBER "es1"),
                                  SLICE("{\"name\":\"es1\",\"queue\":\"q2\",\"state\":\"Failed\"}"),
                                  &write),
                     E_OK);
    assert_int_equal(wait_done(), E_OK);
    assert_true(document_is(document_of(TOPIC "top" MEMBER "es1"), STATE_FAILED));
}

static void a_topic_goes_with_its_subscriptions(void **state)
{
    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    assert_int_equal(put("es1", "hook", ""), E_OK);
    assert_int_equal(put("es2", "hook", ""), E_OK);
    assert_int_equal(put("es3", "hook", ""), E_OK);
    assert_int_equal(ask_removal(TOPIC "top"), E_OK);
    test_ask(loop, redis, "HLEN rg:{meta}:resources", "0");
    test_ask(loop, redis, "EVAL return(#redis.call('KEYS','rg:{q:*')) 0", "0");
}

static bool has_gone(void *name)
{
    struct scope *scope = catalog_topic(router_catalog(router), SLICE("top"));
    return catalog_member(scope, slice_of(name)) == NULL;
}

static bool is_empty(void *ctx)
{
    struct slice id, document;
    size_t at = 0;

    (void)ctx;
    return !resources_next(router_resources(router), &at, &id, &document);
}

/* As a node leaves it that is killed after the first step. */
static void what_was_being_removed_is_removed_by_the_next_start(void **state)
{
    struct buf text;

    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    assert_int_equal(put("es1", "hook", ""), E_OK);
    buf_init(&text, 4096);
    document_write_deleting(&text, document_of(TOPIC "top"));
    struct resource_write write = {.op.done = on_done};
    is_done = false;
    assert_int_equal(
        resource_put(router_resources(router), SLICE(TOPIC "top"), buf_slice(&text), &write), E_OK);
    test_wait(loop, has_ended, NULL);
    buf_done(&text);
    assert_null(catalog_topic(router_catalog(router), SLICE("top")));
    assert_int_equal(ask_topic("top", "", false), E_EXISTS);
    router_end();
    router_begin();
    test_wait(loop, is_empty, NULL);
    test_ask(loop, redis, "EVAL return(#redis.call('KEYS','rg:{q:*')) 0", "0");
    assert_int_equal(ask_topic("top", "", false), E_OK);
}

static void a_subscription_goes_when_its_time_has_come(void **state)
{
    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    assert_int_equal(put("es1", "hook", ",\"expirationTimeUtc\":\"2999-01-01T00:00:00Z\""), E_OK);
    assert_int_equal(put("es2", "hook", ",\"expirationTimeUtc\":\"2020-01-01T00:00:00Z\""), E_OK);
    test_wait(loop, has_gone, (char[]){"es2"});
    assert_true(is_active("es1"));
    assert_string_equal(got_type, "SubscriptionDeletion");
}

static void a_removal_that_failed_is_tried_again(void **state)
{
    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    assert_int_equal(put("es1", "hook", ""), E_OK);
    test_ask(loop, redis, "ACL SETUSER default -unlink", "OK");
    assert_int_equal(ask_removal(TOPIC "top"), E_REDIS);
    assert_null(catalog_topic(router_catalog(router), SLICE("top")));
    test_ask(loop, redis, "ACL SETUSER default +unlink", "OK");
    test_wait(loop, is_empty, NULL);
    test_ask(loop, redis, "EVAL return(#redis.call('KEYS','rg:{q:*')) 0", "0");
}

#define CACHE "/subscriptions/S/resourceGroups/G/providers/Microsoft.Cache/Redis/c1"
#define SYSTEM "/subscriptions/S/resourceGroups/G/providers/Microsoft.EventGrid/systemTopics/"

static enum err ask_system_topic(const char *name, const char *properties)
{
    char id[256];

    fresh();
    snprintf(id, sizeof id, SYSTEM "%s", name);
    return outcome(change_topic(router_changes(router),
                                &(struct change_request){.scope = slice_of(id),
                                                         .name = slice_of(name),
                                                         .properties = slice_of(properties)},
                                &change));
}

static void a_system_topic_is_that_of_one_source(void **state)
{
    static const char good[] = "{\"source\":\"" CACHE "\",\"topicType\":\"microsoft.cache.redis\"}";

    (void)state;
    assert_int_equal(ask_system_topic("sys", "{}"), E_BAD_INPUT);
    assert_non_null(strstr(done_why.text, "source: "));
    assert_int_equal(ask_system_topic("sys", "{\"source\":\"" CACHE "\"}"), E_BAD_INPUT);
    assert_non_null(strstr(done_why.text, "topicType: is not Microsoft.Cache.Redis"));
    assert_int_equal(ask_topic("top", "{\"source\":\"" CACHE "\"}", false), E_BAD_INPUT);
    assert_int_equal(ask_system_topic("sys", good), E_OK);
    assert_int_equal(ask_system_topic("sys", good), E_OK); /* once more */
    assert_int_equal(ask_system_topic("other", good), E_EXISTS);
    assert_int_equal(ask_topic("sys", "", false), E_EXISTS); /* the name is taken */

    const struct scope *scope = catalog_find_scope(router_catalog(router), SLICE(CACHE));
    assert_non_null(scope);
    assert_ptr_equal(scope, catalog_topic(router_catalog(router), SLICE("SYS")));
    assert_string_not_equal(scope->topic->keys.text[0], ""); /* for pull clients */

    /* its subscriptions hang on the source, and go with it */
    fresh();
    static const char queue[] = "{\"deliveryConfiguration\":{\"deliveryMode\":\"Queue\"}}";
    assert_int_equal(
        outcome(change_subscription(router_changes(router),
                                    &(struct change_request){.scope = SLICE(CACHE),
                                                             .name = SLICE("es1"),
                                                             .properties = slice_of(queue)},
                                    &change)),
        E_OK);
    assert_non_null(catalog_member(scope, SLICE("es1")));
    assert_int_equal(ask_removal(SYSTEM "sys"), E_OK);
    assert_null(catalog_find_scope(router_catalog(router), SLICE(CACHE)));
    assert_null(catalog_topic(router_catalog(router), SLICE("sys")));
    assert_int_equal(ask_topic("sys", "", false), E_OK);
}

/* It ends before the stop, which alone is waited for. */
static void on_cut(struct op *op, enum err err)
{
    (void)op;
    (void)err;
}

static void a_stop_cuts_a_handshake_short(void **state)
{
    static const char nowhere[] =
        "{\"destination\":{\"endpointType\":\"WebHook\",\"properties\":{\"endpointUrl\":"
        "\"http://127.0.0.1:1/\"}}}";
    (void)state;
    assert_int_equal(ask_topic("top", "", false), E_OK);
    fresh();
    assert_int_equal(change_subscription(router_changes(router),
                                         &(struct change_request){.scope = SLICE(TOPIC "top"),
                                                                  .name = SLICE("es1"),
                                                                  .properties = slice_of(nowhere)},
                                         &change),
                     E_OK);
    change.op.done = on_cut;
    router_end();
    assert_int_equal(change.result, E_CANCELED);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, begin, router_test_end)
    const struct CMUnitTest tests[] = {
        ROW(a_topic_is_made_changed_and_removed),
        ROW(a_bad_topic_is_refused_with_its_field),
        ROW(an_endpoint_that_echoes_is_in_force),
        ROW(an_endpoint_that_fails_gets_nothing),
        ROW(a_changed_endpoint_leaves_the_old_in_force_until_it_has_passed),
        ROW(a_change_on_top_of_one_that_waits_keeps_both),
        ROW(what_waits_is_confirmed_by_its_code_and_token_in_time),
        ROW(what_waits_too_long_has_failed),
        ROW(cloud_events_are_asked_by_options),
        ROW(a_bad_subscription_is_refused_with_its_field),
        ROW(one_change_at_a_time),
        ROW(what_another_node_has_changed_is_not_undone),
        ROW(a_removed_subscription_leaves_nothing_and_is_told),
        ROW(an_endpoint_that_never_passed_is_not_told),
        ROW(what_was_made_anew_meanwhile_is_not_forgotten),
        ROW(a_topic_goes_with_its_subscriptions),
        ROW(what_was_being_removed_is_removed_by_the_next_start),
        ROW(a_subscription_goes_when_its_time_has_come),
        ROW(a_removal_that_failed_is_tried_again),
        ROW(a_system_topic_is_that_of_one_source),
        ROW(a_stop_cuts_a_handshake_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
