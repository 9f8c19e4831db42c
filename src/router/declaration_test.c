/* Declarations on a real store: what is wrong with them, what they would change, and what they do.
 */
#include "router/testing.h"

#include "base/clock.h"
#include "router/declaration.h"
#include "json/scan.h"

#define HOOKED(name, topic, path, more)                                                            \
    "{\"name\":\"" name "\",\"topic\":\"" topic "\",\"destination\":{\"endpointUrl\":\"%s" path    \
    "\"}" more "}"

static int asked;    /* handshakes */
static bool is_rude; /* the endpoint refuses them */
static bool is_slow; /* it keeps the next request waiting */
static struct http_request *held;

static void on_request(void *ctx, struct http_request *request)
{
    struct slice event = SLICE_NONE, rest = http_request_body(request);
    struct buf body;

    (void)ctx;
    buf_init(&body, 1024);
    asked++;
    if (is_slow) {
        is_slow = false;
        held = request;
        buf_done(&body);
        return;
    }
    if (!is_rude && jx_scan_item(&rest, &event))
        buf_addf(&body, "{\"validationResponse\":%.*s}",
                 SLICE_ARG(jx_scan_member(jx_scan_member(event, SLICE("data")),
                                          SLICE("validationCode"))));
    http_respond(request, is_rude ? 500 : 200, NULL, &body);
}

static int begin(void **state)
{
    asked = 0;
    is_rude = is_slow = false;
    held = NULL;
    router_extra = (struct router_options){.window_ms = 600000, .retry_ms = 1, .chores_ms = 20};
    router_test_begin(state, on_request);
    return 0;
}

static int begin_small(void **state)
{
    router_extra = (struct router_options){.topics_max = 2, .subscriptions_max = 3, .retry_ms = 1};
    router_test_begin(state, on_request);
    return 0;
}

/* The text with our endpoint's address in the place of each %s. */
static struct declaration *declare(const char *text, bool is_pruning)
{
    char url[64];
    struct buf whole;
    struct slice rest = slice_of(text);

    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)http_server_port(receiver));
    buf_init(&whole, 65536);
    for (size_t at; (at = slice_find(rest, SLICE("%s"))) < rest.len;
         rest = slice_from(rest, at + 2)) {
        buf_add(&whole, slice_first(rest, at));
        buf_add(&whole, slice_of(url));
    }
    buf_add(&whole, rest);
    struct declaration *d = declaration_new(router, buf_slice(&whole), is_pruning);
    buf_done(&whole);
    return d;
}

static void check_wrong(const char *text, const char *expected)
{
    struct declaration *d = declare(text, false);
    struct buf said;

    buf_init(&said, 65536);
    for (size_t i = 0; i < d->audit.count; i++)
        buf_addf(&said, "%s: %s\n", d->audit.mistakes[i].path, d->audit.mistakes[i].text);
    assert_string_equal(buf_text(&said), expected);
    buf_done(&said);
    declaration_free(d);
}

static void write_steps(struct buf *out, const struct declaration *d)
{
    for (size_t i = 0; i < d->count; i++) {
        const struct declared *item = &d->items[i];
        buf_addf(out, "%s %s%s", declared_step_name(item->step), item->name,
                 item->err != E_OK ? "!" : "");
        buf_addf(out, "%.*s\n", SLICE_ARG(buf_slice(&item->members)));
    }
}

/* Applies it, and checks what each item came to; the number of handshakes. */
static int apply(const char *text, bool is_pruning, const char *expected)
{
    struct declaration *d = declare(text, is_pruning);
    struct op op = {.done = on_done};
    struct buf said;
    int before = asked;

    for (size_t i = 0; i < d->audit.count; i++)
        fail_msg("%s: %s", d->audit.mistakes[i].path, d->audit.mistakes[i].text);
    is_done = false;
    declaration_apply(d, SLICE("http://me"), &op);
    assert_int_equal(wait_done(), E_OK);
    buf_init(&said, 65536);
    write_steps(&said, d);
    assert_string_equal(buf_text(&said), expected);
    buf_done(&said);
    declaration_free(d);
    return asked - before;
}

static void every_mistake_is_told(void **state)
{
    (void)state;
    check_wrong("", ": is not a JSON object\n");
    check_wrong("[]", ": is not a JSON object\n");
    check_wrong("{}", "");
    check_wrong("{\"topic\":[]}", "topic: is not known; did you mean 'topics'?\n");
    check_wrong("{\"topics\":{},\"subscriptions\":5}",
                "topics: is not a list\nsubscriptions: is not a list\n");
    check_wrong("{\"topics\":[5,{},{\"name\":7},{\"name\":\"a!\"},{\"name\":\"t01\"},"
                "{\"name\":\"T01\",\"inputSchmea\":1,\"disableLocalAuth\":\"perhaps\"}]}",
                "topics[0]: is not an object\ntopics[1].name: is missing\n"
                "topics[2].name: is not a text\n"
                "topics[3].name: the name 'a!' must have 3 to 50 characters\n"
                "topics[5].disableLocalAuth: is neither true nor false\n"
                "topics[5].inputSchmea: is not known; did you mean 'inputSchema'?\n"
                "topics[5].name: 'T01' is declared twice\n");
    check_wrong(
        "{\"topics\":[{\"name\":\"ce1\",\"inputSchema\":\"CloudEventSchemaV1_0\"}],"
        "\"subscriptions\":["
        "{\"name\":\"es1\",\"destination\":{\"endpointUrl\":\"http://10.0.0.1/\"}},"
        "{\"name\":\"es2\",\"topic\":\"none\",\"destination\":{\"endpointUrl\":\"https://h\"},"
        "\"eventDeliverySchema\":\"CustomInputSchema\"},"
        "{\"name\":\"es3\",\"topic\":\"ce1\",\"destination\":{\"endpointUrl\":\"https://h\"},"
        "\"eventDeliverySchema\":\"EventGridSchema\"},"
        "{\"name\":\"es3\",\"topic\":\"CE1\",\"destination\":{\"endpointUrl\":\"https://h\"}}]}",
        "subscriptions[0].topic: is missing: say whose events it gets\n"
        "subscriptions[0].destination.endpointUrl: is http:// and not on this machine; use "
        "https://, or set delivery.allow_http\n"
        "subscriptions[1].topic: there is no topic 'none', neither declared nor on the "
        "server\n"
        "subscriptions[2].eventDeliverySchema: events of a topic with input schema "
        "CloudEventSchemaV1_0 cannot be delivered as EventGridSchema\n"
        "subscriptions[3].name: 'es3' is declared twice\n");
}

static void what_is_as_declared_is_left_alone(void **state)
{
    static const char text[] = "{\"topics\":[{\"name\":\"orders\"}],\"subscriptions\":[" HOOKED(
        "es1", "orders", "/a?code=1",
        ",\"filter\":{\"includedEventTypes\":[\"a\"]}") "," HOOKED("es2", "orders", "/b", "") "]}";
    static const char other[] =
        "{\"topics\":[{\"name\":\"ORDERS\",\"disableLocalAuth\":true}],\"subscriptions\":[" HOOKED(
            "es1", "orders", "/a?code=2",
            ",\"filter\":{\"includedEventTypes\":[\"a\",\"b\"]}") "]}";
    char expected[2048];
    unsigned port = (unsigned)http_server_port(receiver);

    (void)state;
    assert_int_equal(apply(text, false, "create orders\ncreate es1\ncreate es2\n"), 2);
    assert_int_equal(apply(text, false, "none orders\nnone es1\nnone es2\n"), 0);
    snprintf(expected, sizeof expected,
             "change ORDERS[{\"path\":\"disableLocalAuth\",\"before\":false,\"after\":true}]\n"
             "change es1[{\"path\":\"destination.properties.endpointUrl\","
             "\"before\":\"http://127.0.0.1:%u/a?(hidden)\",\"after\":\"http://127.0.0.1:%u/"
             "a?(hidden)\"},{\"path\":\"filter.includedEventTypes\",\"before\":[\"a\"],\"after\":["
             "\"a\",\"b\"]}]\n",
             port, port);
    assert_int_equal(apply(other, false, expected), 1);
    assert_int_equal(apply(other, true, "none ORDERS\nnone es1\nremove es2\n"), 1); /* a farewell */
    assert_int_equal(apply(other, true, "none ORDERS\nnone es1\n"), 0);
    check_wrong("{\"topics\":[{\"name\":\"orders\",\"inputSchema\":\"CustomEventSchema\"}]}",
                "topics[0].inputSchema: is EventGridSchema and cannot be changed\n");
}

static void one_failure_does_not_stop_the_others(void **state)
{
    static const char text[] = "{\"topics\":[{\"name\":\"orders\"}],\"subscriptions\":[" HOOKED(
        "es1", "orders", "/a", "") ",{\"name\":\"es2\",\"topic\":\"orders\","
                                   "\"deliveryConfiguration\":{\"deliveryMode\":\"Queue\"}}]}";

    (void)state;
    is_rude = true;
    assert_int_equal(apply(text, false, "create orders\ncreate es1!\ncreate es2\n"), 2);
    assert_int_equal(apply(text, false, "none orders\nask es1!\nnone es2\n"), 2);
    is_rude = false;
    assert_int_equal(apply(text, false, "none orders\nask es1\nnone es2\n"), 1);
    assert_int_equal(apply(text, false, "none orders\nnone es1\nnone es2\n"), 0);
}

static bool is_held(void *ctx)
{
    (void)ctx;
    return held != NULL;
}

static bool is_over(void *op)
{
    return !((struct op *)op)->is_busy;
}

/* Its endpoint is being told that it goes: it does not stay, whatever the document still says. */
static void what_is_being_removed_is_to_be_made(void **state)
{
    static const char text[] = "{\"topics\":[{\"name\":\"orders\"}],\"subscriptions\":[" HOOKED(
        "es1", "orders", "/a", "") "]}";
    struct change removal = {.op.done = on_done};
    const struct scope *scope;
    struct buf answer;

    (void)state;
    (void)apply(text, false, "create orders\ncreate es1\n");
    scope = catalog_topic(router_catalog(router), SLICE("orders"));
    is_slow = true;
    assert_int_equal(change_remove(router_changes(router),
                                   slice_of(catalog_member(scope, SLICE("es1"))->id), &removal),
                     E_OK);
    test_wait(loop, is_held, NULL);
    (void)apply(text, false, "none orders\ncreate es1!\n");
    buf_init(&answer, 16);
    http_respond(held, 200, NULL, &answer);
    test_wait(loop, is_over, &removal.op);
    (void)apply(text, false, "none orders\ncreate es1\n");
}

static void secrets_are_hidden(void **state)
{
#define SECRET(value)                                                                              \
    "{\"topics\":[{\"name\":\"orders\"}],\"subscriptions\":[{\"name\":\"es1\",\"topic\":"          \
    "\"orders\","                                                                                  \
    "\"destination\":{\"endpointUrl\":\"%s/\",\"deliveryAttributeMappings\":[{\"name\":\"x\","     \
    "\"type\":\"Static\",\"value\":\"" value "\",\"isSecret\":true}]}}]}"

    (void)state;
    (void)apply(SECRET("tiger"), false, "create orders\ncreate es1\n");
    (void)apply(SECRET("tiger"), false, "none orders\nnone es1\n");
    (void)apply(SECRET("lion"), false,
                "none orders\nchange es1[{\"path\":\"destination.properties."
                "deliveryAttributeMappings[0].properties.value\",\"before\":\"Hidden\",\"after\":"
                "\"Hidden\"}]\n");
}

/* Its secret was made by the server, and no file has it. */
static void a_signature_stays(void **state)
{
    static const char text[] =
        "{\"topics\":[{\"name\":\"orders\"}],\"subscriptions\":[{\"name\":\"es1\",\"topic\":"
        "\"orders\","
        "\"destination\":{\"endpointUrl\":\"%s/\",\"signing\":{\"isEnabled\":true}}}]}";

    (void)state;
    (void)apply(text, false, "create orders\ncreate es1\n");
    (void)apply(text, false, "none orders\nnone es1\n");
}

#define QUEUED(name, topic)                                                                        \
    "{\"name\":\"" name "\",\"topic\":\"" topic                                                    \
    "\",\"deliveryConfiguration\":{\"deliveryMode\":\"Queue\"}}"

/* Though all begin at once. */
static void there_are_no_more_than_allowed(void **state)
{
    static const char text[] =
        "{\"topics\":[{\"name\":\"aaa\"},{\"name\":\"bbb\"},{\"name\":\"ccc\"}],\"subscriptions\":"
        "[" QUEUED("es1", "aaa") "," QUEUED("es2", "aaa") "," QUEUED("es3", "aaa") "," QUEUED(
            "es4", "aaa") "," HOOKED("es5", "aaa", "/", "") "," QUEUED("es6", "bbb") "]}";
    static const char other[] = "{\"subscriptions\":[" QUEUED("es1", "aaa") "," QUEUED(
        "es2", "aaa") "," QUEUED("es4", "aaa") "]}";
    struct change change = {.op.done = on_done};

    (void)state;
    (void)apply(text, false,
                "create aaa\ncreate bbb\ncreate ccc!\ncreate es1\ncreate es2\ncreate es3\n"
                "create es4!\ncreate es5!\ncreate es6\n");
    (void)apply(text, false,
                "none aaa\nnone bbb\ncreate ccc!\nnone es1\nnone es2\nnone es3\n"
                "create es4!\ncreate es5!\nnone es6\n");
    (void)apply(other, true, "none es1\nnone es2\ncreate es4!\nremove es3\n");
    (void)apply(other, true, "none es1\nnone es2\ncreate es4\n");
    assert_int_equal(
        change_topic(router_changes(router),
                     &(struct change_request){.scope = SLICE("/ddd"), .name = SLICE("ddd")},
                     &change),
        E_FULL);
    assert_string_equal(change.op.why.text,
                        "there are 2 topics, as many as the setting topics.max allows");
}

static bool both_have_ended(void *ctx)
{
    struct op *const *ops = ctx;

    return !ops[0]->is_busy && !ops[1]->is_busy;
}

static void a_stop_ends_it(void **state)
{
    struct declaration *d =
        declare("{\"topics\":[{\"name\":\"orders\"}],\"subscriptions\":[" HOOKED("es1", "orders",
                                                                                 "/", "") "]}",
                false);
    struct op applied = {.done = on_done}, stopped = {.done = on_done};
    struct op *const ops[] = {&applied, &stopped};

    (void)state;
    declaration_apply(d, SLICE("http://me"), &applied);
    router_stop(router, 1000, &stopped);
    test_wait(loop, both_have_ended, (void *)(uintptr_t)ops);
    assert_int_equal(d->items[1].err, E_CANCELED);
    assert_int_equal(asked, 0);
    declaration_free(d);
    router_free(router);
    router = NULL;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, router_test_end)
    const struct CMUnitTest tests[] = {
        CASE(every_mistake_is_told),
        CASE(what_is_as_declared_is_left_alone),
        CASE(one_failure_does_not_stop_the_others),
        CASE(what_is_being_removed_is_to_be_made),
        CASE(secrets_are_hidden),
        CASE(a_signature_stays),
        CASE(a_stop_ends_it),
        cmocka_unit_test_setup_teardown(there_are_no_more_than_allowed, begin_small,
                                        router_test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
