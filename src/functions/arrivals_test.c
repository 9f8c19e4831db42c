/* Events on their way to a function, from the router's side, with a fake invoker behind a real
 * listener. The fake server of the fixture is not asked anything. */
#include "functions/listener_fixture.h"

#include "event/publish.h"
#include "functions/arrivals.h"

#define ATTEMPTS_MAX 8
#define PATIENCE_MS 50

static struct arrivals *arrivals;
static enum arrival_place place;
static char asked[128]; /* "app/function" that was looked for */

static struct subscription subscription;
static struct event_batch batch;
static struct attempt_of {
    struct parcel parcel;
    struct parcel_result result;
    struct op op;
    enum err err;
    bool is_done;
} attempts[ATTEMPTS_MAX];

static void on_done(struct op *op, enum err err)
{
    struct attempt_of *attempt = container_of(op, struct attempt_of, op);

    attempt->is_done = true;
    attempt->err = err;
}

static bool has_ended(void *ctx)
{
    return ((struct attempt_of *)ctx)->is_done;
}

static enum arrival_place on_find(void *ctx, struct slice app, struct slice function,
                                  struct listener **ret)
{
    (void)ctx;
    snprintf(asked, sizeof asked, "%.*s/%.*s", SLICE_ARG(app), SLICE_ARG(function));
    *ret = world.listener;
    return place;
}

static void on_names(void *ctx, struct buf *out)
{
    (void)ctx;
    buf_add(out, SLICE("shop/paid, shop/made"));
}

/* ---- life ---- */

static void start_listening(void)
{
    const struct listener_options options = {.loop = loop,
                                             .hub = hub,
                                             .dispatcher = &world.dispatcher,
                                             .metrics = world.metrics,
                                             .node_id = "n1"};

    dispatcher_init(&world.dispatcher, loop, &world.function, &world.invoker, world.metrics);
    assert_int_equal(listener_kind_of(TRIGGER_EVENT)->start(&options, &world.listener, NULL), E_OK);
    place = ARRIVAL_NOW;
}

static int begin(void **state)
{
    const struct subscription_rules rules = {.input = SCHEMA_EVENT_GRID, .retention_days = 1};
    struct cause why = {0};

    (void)world_begin(state);
    world.function.trigger.type = TRIGGER_EVENT;
    world.function.trigger.max_concurrency = 2;
    subscription_init(&subscription, SLICE("es1"), &rules);
    assert_int_equal(
        subscription_read(&subscription, &rules,
                          SLICE("{\"destination\":{\"endpointType\":\"AzureFunction\","
                                "\"properties\":{\"resourceId\":\"/x/providers/Microsoft.Web/"
                                "sites/shop/functions/paid\",\"deliveryAttributeMappings\":["
                                "{\"name\":\"team\",\"type\":\"Static\",\"properties\":"
                                "{\"value\":\"blue\"}}]}}}"),
                          &why),
        E_OK);
    memset(attempts, 0, sizeof attempts);
    arrivals = arrivals_new(&(struct arrivals_options){
        .loop = loop, .find = on_find, .write_names = on_names, .patience_ms = PATIENCE_MS});
    return 0;
}

static void stop_listening(void)
{
    world_ask_stop();
    place = ARRIVAL_LATER;
}

static int end(void **state)
{
    if (world.listener != NULL) {
        stop_listening();
        world_hurry();
        world_await_stop();
    }
    arrivals_free(arrivals);
    event_batch_done(&batch);
    subscription_done(&subscription);
    return world_end(state);
}

static void publish(const char *events)
{
    const struct publish_rules rules = {.event = {.topic = SLICE("/t")}, .now_unix_us = 1000000};
    const struct publish_request request = {.content_type = SLICE("application/json"),
                                            .body = slice_of(events)};
    struct refusal why;

    event_batch_done(&batch);
    assert_int_equal(publish_read(&rules, &request, &batch, &why), E_OK);
}

#define EVENT(id)                                                                                  \
    "{\"id\":\"" id "\",\"subject\":\"s\",\"eventType\":\"e\","                                    \
    "\"eventTime\":\"2026-01-01T00:00:00Z\",\"data\":[5],\"dataVersion\":\"\"}"
#define WRITTEN(id)                                                                                \
    "{\"id\":\"" id "\",\"topic\":\"/t\",\"subject\":\"s\",\"eventType\":\"e\","                   \
    "\"eventTime\":\"2026-01-01T00:00:00Z\",\"data\":[5],\"dataVersion\":\"\","                    \
    "\"metadataVersion\":\"1\"}"

/* Attempt `at` to deliver all that was published. */
static void deliver(size_t at)
{
    struct target *target = arrivals_target(arrivals);
    struct attempt_of *attempt = &attempts[at];

    *attempt = (struct attempt_of){.parcel = {.subscription = &subscription,
                                              .events = batch.events,
                                              .count = batch.count,
                                              .attempt = 1},
                                   .op.done = on_done};
    assert_int_equal(target->deliver(target, &attempt->parcel, &attempt->result, &attempt->op),
                     E_OK);
}

static void assert_ends(size_t at, enum err err, enum outcome outcome)
{
    test_wait(loop, has_ended, &attempts[at]);
    assert_int_equal(attempts[at].err, err);
    if (err == E_OK)
        assert_string_equal(outcome_name(attempts[at].result.outcome), outcome_name(outcome));
}

/* ---- runs ---- */

static void an_event_is_what_the_function_gets(void **state)
{
    (void)state;
    start_listening();
    publish(EVENT("1"));
    world.outcome = '.';
    deliver(0);
    world_await_runs(1);
    const struct invocation *run = world.held[0];
    assert_int_equal(run->inputs[0].data.kind, RPC_JSON);
    assert_string_equal(buf_text(&world.runs), WRITTEN("1") "\n");
    assert_string_equal(asked, "shop/paid");
    struct buf metadata;
    buf_init(&metadata, 4096);
    for (size_t i = 0; i < run->metadata_count; i++)
        buf_addf(&metadata, "%.*s=%.*s ", SLICE_ARG(run->metadata[i].name),
                 SLICE_ARG(run->metadata[i].data.text));
    assert_string_equal(buf_text(&metadata),
                        "id=1 topic=/t subject=s eventType=e eventTime=2026-01-01T00:00:00Z "
                        "dataVersion= metadataVersion=1 data=[5] SubscriptionName=es1 "
                        "DeliveryCount=1 team=blue ");
    buf_done(&metadata);
    assert_false(attempts[0].is_done);
    world_end_run(E_OK);
    assert_ends(0, E_OK, OUTCOME_DELIVERED);
}

static void a_failure_is_told(void **state)
{
    (void)state;
    start_listening();
    publish(EVENT("1"));
    world.outcome = '-';
    deliver(0);
    assert_ends(0, E_OK, OUTCOME_OTHER);
    world.outcome = '.';
    deliver(0);
    world_await_runs(2);
    world_end_run(E_TIMEOUT);
    assert_ends(0, E_OK, OUTCOME_TIMED_OUT);
}

static void a_parcel_is_delivered_when_all_of_its_events_are(void **state)
{
    (void)state;
    start_listening();
    publish("[" EVENT("1") "," EVENT("2") "," EVENT("3") "]");
    world.outcome = '.';
    deliver(0);
    world_await_runs(2); /* so many may run at once */
    world_end_run(E_OK);
    world_await_runs(3);
    world_end_run(E_FAILED);
    assert_false(attempts[0].is_done);
    world_end_run(E_OK);
    assert_ends(0, E_OK, OUTCOME_OTHER);
    assert_string_equal(buf_text(&world.runs),
                        WRITTEN("1") "\n" WRITTEN("2") "\n" WRITTEN("3") "\n");
}

static void a_function_that_takes_batches_gets_all_in_one_run(void **state)
{
    (void)state;
    world.function.trigger.is_batch = true;
    start_listening();
    publish("[" EVENT("1") "," EVENT("2") "]");
    deliver(0);
    assert_ends(0, E_OK, OUTCOME_DELIVERED);
    assert_string_equal(buf_text(&world.runs), WRITTEN("1") " " WRITTEN("2") "\n");
}

/* ---- functions that come and go ---- */

static void without_a_function_the_attempt_fails(void **state)
{
    (void)state;
    publish(EVENT("1"));
    place = ARRIVAL_NOWHERE;
    deliver(0);
    assert_ends(0, E_OK, OUTCOME_NO_FUNCTION);
    place = ARRIVAL_UNFIT;
    deliver(0);
    assert_ends(0, E_OK, OUTCOME_NO_FUNCTION);
    start_listening(); /* for the end */
}

static void a_function_that_is_about_to_come_is_waited_for(void **state)
{
    (void)state;
    publish(EVENT("1"));
    place = ARRIVAL_LATER;
    deliver(0);
    assert_ends(0, E_OK, OUTCOME_BUSY); /* but not for ever */
    deliver(1);
    (void)test_wait_ms(loop, test_never, NULL, 1);
    assert_false(attempts[1].is_done);
    start_listening();
    arrivals_look(arrivals);
    assert_ends(1, E_OK, OUTCOME_DELIVERED);
}

static void what_waits_for_a_slot_outlives_its_app(void **state)
{
    (void)state;
    start_listening();
    publish(EVENT("1"));
    world.outcome = '.';
    for (size_t i = 0; i < 4; i++)
        deliver(i);
    world_await_runs(2);
    stop_listening();
    world_end_run(E_OK);
    world_end_run(E_FAILED);
    assert_ends(0, E_OK, OUTCOME_DELIVERED);
    assert_ends(1, E_OK, OUTCOME_OTHER);
    world_await_stop();
    dispatcher_done(&world.dispatcher);
    assert_false(attempts[2].is_done || attempts[3].is_done);
    world.outcome = '+';
    start_listening();
    arrivals_look(arrivals);
    assert_ends(2, E_OK, OUTCOME_DELIVERED);
    assert_ends(3, E_OK, OUTCOME_DELIVERED);
    assert_int_equal(world.run_count, 4);
}

static void what_is_cut_short_runs_again_elsewhere(void **state)
{
    (void)state;
    start_listening();
    publish(EVENT("1"));
    world.outcome = '.';
    deliver(0);
    world_await_runs(1);
    stop_listening();
    world_hurry();
    world_await_stop();
    dispatcher_done(&world.dispatcher);
    assert_false(attempts[0].is_done);
    world.outcome = '+';
    start_listening();
    arrivals_look(arrivals);
    assert_ends(0, E_OK, OUTCOME_DELIVERED);
}

static void a_paused_function_holds_nothing_back(void **state)
{
    (void)state;
    world.function.trigger.max_concurrency = 1;
    start_listening();
    publish(EVENT("1"));
    world.outcome = '.';
    deliver(0);
    deliver(1);
    world_await_runs(1);
    world.listener->kind->pause(world.listener, true);
    place = ARRIVAL_LATER;
    assert_ends(1, E_OK, OUTCOME_BUSY);
    world_end_run(E_OK);
    assert_ends(0, E_OK, OUTCOME_DELIVERED);
}

/* ---- the router lets go ---- */

static void an_abort_ends_it_wherever_it_is(void **state)
{
    (void)state;
    publish(EVENT("1"));
    place = ARRIVAL_LATER;
    deliver(0); /* waits for its function */
    (void)test_wait_ms(loop, test_never, NULL, 1);
    op_abort(&attempts[0].op);
    assert_ends(0, E_CANCELED, OUTCOME_ABORTED);
    deliver(0); /* not looked at yet */
    op_abort(&attempts[0].op);
    assert_ends(0, E_CANCELED, OUTCOME_ABORTED);
    world.function.trigger.max_concurrency = 1;
    start_listening();
    world.outcome = '.';
    deliver(1); /* runs */
    deliver(2); /* waits for a slot */
    deliver(3);
    world_await_runs(1);
    op_abort(&attempts[2].op);
    assert_ends(2, E_CANCELED, OUTCOME_ABORTED);
    op_abort(&attempts[1].op);
    assert_ends(1, E_CANCELED, OUTCOME_ABORTED);
    world_await_runs(2);
    world_end_run(E_OK);
    assert_ends(3, E_OK, OUTCOME_DELIVERED);
}

static void when_the_host_has_left_the_router_keeps_everything(void **state)
{
    (void)state;
    publish(EVENT("1"));
    place = ARRIVAL_LATER;
    deliver(0);
    arrivals_end(arrivals);
    assert_ends(0, E_CANCELED, OUTCOME_ABORTED);
    deliver(1);
    assert_ends(1, E_CANCELED, OUTCOME_ABORTED);
    start_listening();
}

/* ---- new subscriptions ---- */

static void ids_of_functions_are_known_in_any_case(void **state)
{
    static const struct {
        const char *id, *app, *function; /* NULL: it is none */
    } rows[] = {
        {"/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/a/functions/f", "a", "f"},
        {"/SUBSCRIPTIONS/s/PROVIDERS/microsoft.WEB/Sites/A/FUNCTIONS/F", "A", "F"},
        {"/providers/Microsoft.Web/sites/a/functions/f", "a", "f"},
        {"/providers/Microsoft.Web/sites/functions/functions/functions", "functions", "functions"},
        {"/providers/Microsoft.Web/sites/a/functions/", NULL, NULL},
        {"/providers/Microsoft.Web/sites/a/functions/f/x", NULL, NULL},
        {"/providers/Microsoft.Web/sites//functions/f", NULL, NULL},
        {"/providers/Microsoft.Web/sites/a/slots/b/functions/f", NULL, NULL},
        {"/providers/Microsoft.Web/sites/a", NULL, NULL},
        {"/functions/f", NULL, NULL},
        {"", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice app, function;
        bool is_one = function_id_parse(slice_of(rows[i].id), &app, &function);
        assert_int_equal(is_one, rows[i].app != NULL);
        if (is_one) {
            assert_true(slice_eq(app, slice_of(rows[i].app)));
            assert_true(slice_eq(function, slice_of(rows[i].function)));
        }
    }
}

static void a_new_subscription_hears_what_functions_there_are(void **state)
{
    struct target *target = arrivals_target(arrivals);
    struct cause why = {0};

    (void)state;
    place = ARRIVAL_NOWHERE;
    assert_int_equal(target->check(target, &subscription, &why), E_BAD_INPUT);
    assert_string_equal(why.text,
                        "destination.properties.resourceId: there is no function 'paid' with an "
                        "eventGridTrigger in an app 'shop'; there is shop/paid, shop/made");
    place = ARRIVAL_UNFIT;
    assert_int_equal(target->check(target, &subscription, &why), E_OK);
    place = ARRIVAL_LATER;
    assert_int_equal(target->check(target, &subscription, &why), E_OK);
    start_listening();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_what_the_function_gets),
        TEST(a_failure_is_told),
        TEST(a_parcel_is_delivered_when_all_of_its_events_are),
        TEST(a_function_that_takes_batches_gets_all_in_one_run),
        TEST(without_a_function_the_attempt_fails),
        TEST(a_function_that_is_about_to_come_is_waited_for),
        TEST(what_waits_for_a_slot_outlives_its_app),
        TEST(what_is_cut_short_runs_again_elsewhere),
        TEST(a_paused_function_holds_nothing_back),
        TEST(an_abort_ends_it_wherever_it_is),
        TEST(when_the_host_has_left_the_router_keeps_everything),
        cmocka_unit_test(ids_of_functions_are_known_in_any_case),
        TEST(a_new_subscription_hears_what_functions_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
