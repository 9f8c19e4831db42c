/* Two nodes on one real server: what one writes, both are told, also after an outage. */
#include "redis/testing.h"

#include "store/resources.h"

struct node {
    struct redis *redis;
    struct resources *resources;
    struct op loaded, stopped;
    int loads, stops;
    enum err load_err;
    char told[512]; /* "id=document " .., in order */
};

static struct node a, b;
static struct resource_write change;
static int writes;
static enum err write_err;

static void on_changed(void *ctx, struct slice id, struct slice document)
{
    struct node *node = ctx;
    size_t at = strlen(node->told);
    snprintf(node->told + at, sizeof node->told - at, "%s%.*s=%.*s", at > 0 ? " " : "",
             SLICE_ARG(id), SLICE_ARG(document.data != NULL ? document : SLICE("gone")));
}

static void on_loaded(struct op *op, enum err err)
{
    struct node *node = container_of(op, struct node, loaded);
    node->loads++;
    node->load_err = err;
}

static void on_stopped(struct op *op, enum err err)
{
    assert_int_equal(err, E_OK);
    container_of(op, struct node, stopped)->stops++;
}

static void on_write_end(struct op *op, enum err err)
{
    (void)op;
    writes++;
    write_err = err;
}

static bool is_loaded(void *ctx)
{
    return ((struct node *)ctx)->loads > 0;
}

static bool is_stopped(void *ctx)
{
    return ((struct node *)ctx)->stops > 0;
}

static bool has_written(void *ctx)
{
    (void)ctx;
    return writes > 0;
}

static bool has_all_written(void *count)
{
    return writes == *(int *)count;
}

static void node_start(struct node *node)
{
    *node = (struct node){.redis = test_open(hub, server.conn, REDIS_SHARED, NULL),
                          .loaded.done = on_loaded,
                          .stopped.done = on_stopped};
    node->resources = resources_start(
        &(struct resources_options){.loop = loop,
                                    .redis = node->redis,
                                    .feed = test_open(hub, server.conn, REDIS_DEDICATED, "feed"),
                                    .changed = on_changed,
                                    .ctx = node},
        &node->loaded);
}

static void node_load(struct node *node)
{
    node_start(node);
    test_wait(loop, is_loaded, node);
    assert_int_equal(node->load_err, E_OK);
    test_wait(loop, test_is_ready, node->redis);
}

static void node_end(struct node *node)
{
    if (node->resources == NULL)
        return;
    resources_stop(node->resources, &node->stopped);
    test_wait(loop, is_stopped, node);
    resources_free(node->resources);
    redis_close(node->redis);
    *node = (struct node){0};
}

static int begin(void **state)
{
    (void)test_begin(state);
    test_server_start(&server, "");
    writes = 0;
    return 0;
}

static int end(void **state)
{
    node_end(&a);
    node_end(&b);
    return test_end(state);
}

static enum err begin_put(struct node *node, struct slice id, struct slice document)
{
    writes = 0;
    change = (struct resource_write){.op.done = on_write_end};
    return document.data == NULL ? resource_delete(node->resources, id, &change)
                                 : resource_put(node->resources, id, document, &change);
}

static void put(struct node *node, const char *id, const char *document)
{
    assert_int_equal(begin_put(node, slice_of(id), slice_of(document)), E_OK);
    test_wait(loop, has_written, NULL);
    assert_int_equal(write_err, E_OK);
}

static struct node *wanted;
static bool was_told(void *text)
{
    return strcmp(wanted->told, text) == 0;
}

static void expect_told(struct node *node, const char *told)
{
    wanted = node;
    if (!test_wait_ms(loop, was_told, (void *)(uintptr_t)told, TEST_DEADLINE_MS))
        assert_string_equal(node->told, told);
    node->told[0] = '\0';
}

static void both_nodes_are_told_what_one_writes(void **state)
{
    (void)state;
    node_load(&a);
    node_load(&b);
    put(&a, "/Topics/One", "{1}");
    assert_string_equal(a.told, "/topics/one={1}"); /* before the write ended */
    expect_told(&a, "/topics/one={1}");
    expect_told(&b, "/topics/one={1}");
    put(&b, "/topics/ONE", "{2}");
    expect_told(&a, "/topics/one={2}");
    expect_told(&b, "/topics/one={2}");
    assert_true(slice_eq(resources_get(a.resources, SLICE("/TOPICS/one")), SLICE("{2}")));
    put(&a, "/topics/one", "{2}"); /* nothing new */
    put(&a, "/topics/one", NULL);
    put(&a, "/topics/one", NULL);
    expect_told(&a, "/topics/one=gone");
    expect_told(&b, "/topics/one=gone");
    assert_null(resources_get(b.resources, SLICE("/topics/one")).data);
}

static void a_new_node_is_told_what_there_is(void **state)
{
    size_t at = 0;
    struct slice id, document;

    (void)state;
    node_load(&a);
    put(&a, "/one", "{1}");
    node_load(&b);
    expect_told(&b, "/one={1}");
    assert_true(resources_next(b.resources, &at, &id, &document));
    assert_true(slice_eq(id, SLICE("/one")) && slice_eq(document, SLICE("{1}")));
    assert_false(resources_next(b.resources, &at, &id, &document));
}

/* Changes while nobody follows: told as the difference. */
static void after_an_outage_what_differs_is_told(void **state)
{
    (void)state;
    node_load(&a);
    put(&a, "/kept", "{1}");
    put(&a, "/gone", "{1}");
    put(&a, "/other", "{1}");
    a.told[0] = '\0';
    test_server_kill(&server);
    test_wait(loop, test_is_down, a.redis);
    assert_int_equal(begin_put(&a, SLICE("/x"), SLICE("{}")), E_CLOSED);
    test_server_run(&server, ""); /* an empty one: as if it had lost its data */
    node_load(&b);
    put(&b, "/kept", "{1}");
    put(&b, "/other", "{2}");
    test_wait(loop, test_is_ready, a.redis);
    put(&a, "/new", "{3}");
    assert_non_null(strstr(a.told, "/gone=gone"));
    assert_non_null(strstr(a.told, "/other={2}"));
    assert_non_null(strstr(a.told, "/new={3}"));
    assert_true(slice_eq(resources_get(a.resources, SLICE("/kept")), SLICE("{1}")));
}

static void what_is_too_large_or_empty_is_refused(void **state)
{
    static char large[RESOURCE_MAX_BYTES + 1];

    (void)state;
    node_load(&a);
    memset(large, 'x', sizeof large);
    assert_int_equal(begin_put(&a, SLICE(""), SLICE("{}")), E_LIMIT);
    assert_int_equal(begin_put(&a, (struct slice){large, RESOURCE_ID_MAX_BYTES}, SLICE("{}")),
                     E_LIMIT);
    assert_int_equal(begin_put(&a, SLICE("/x"), SLICE("")), E_LIMIT);
    assert_int_equal(begin_put(&a, SLICE("/x"), (struct slice){large, sizeof large}), E_LIMIT);
    assert_int_equal(begin_put(&a, SLICE("/x"), (struct slice){large, sizeof large - 1}), E_OK);
    test_wait(loop, has_written, NULL);
    assert_int_equal(write_err, E_OK);
}

static void many_changes_at_once_are_all_told(void **state)
{
    enum { COUNT = 350 };
    static struct resource_write all[COUNT];

    (void)state;
    node_load(&a);
    node_load(&b);
    put(&a, "/first", "{}");
    writes = 0;
    for (int i = 0; i < COUNT; i++) {
        char id[16];
        snprintf(id, sizeof id, "/n%d", i);
        all[i] = (struct resource_write){.op.done = on_write_end};
        assert_int_equal(resource_put(a.resources, slice_of(id), SLICE("{}"), &all[i]), E_OK);
    }
    int wanted_writes = COUNT;
    test_wait(loop, has_all_written, &wanted_writes);
    put(&b, "/last", "{}"); /* the feed is in order: b has seen all before */
    assert_true(slice_eq(resources_get(b.resources, SLICE("/n0")), SLICE("{}")));
    assert_true(slice_eq(resources_get(b.resources, SLICE("/n349")), SLICE("{}")));
}

static enum err commit(struct node *node, const struct resource_commit *what)
{
    writes = 0;
    change = (struct resource_write){.op.done = on_write_end};
    assert_int_equal(resources_commit(node->resources, what, &change), E_OK);
    test_wait(loop, has_written, NULL);
    return write_err;
}

static void several_documents_and_events_are_one_step(void **state)
{
    const struct resource_change changes[] = {{SLICE("/One"), SLICE("{1}")},
                                              {SLICE("/running"), SLICE("{}")},
                                              {SLICE("/old"), SLICE_NONE}};
    const struct resource_event events[] = {{SLICE("/One"), SLICE("{\"id\":1}")},
                                            {SLICE("/One"), SLICE("{\"id\":2}")}};
    const struct resource_commit whole = {.changes = changes,
                                          .change_count = COUNT_OF(changes),
                                          .events = events,
                                          .event_count = COUNT_OF(events),
                                          .absent = SLICE("/RUNNING")};
    (void)state;
    node_load(&a);
    node_load(&b);
    put(&a, "/old", "{0}");
    expect_told(&a, "/old={0}");
    expect_told(&b, "/old={0}");
    assert_int_equal(commit(&a, &whole), E_OK);
    assert_non_null(strstr(a.told, "/one={1}")); /* before the write ended */
    expect_told(&b, "/one={1} /running={} /old=gone");

    assert_int_equal(commit(&b, &whole), E_EXISTS); /* /running is there: nothing is written */
    test_ask(loop, a.redis, "XLEN rg:{meta}:outbox", "2");
}

static void a_document_that_another_has_changed_stays(void **state)
{
    const struct resource_change fresh = {SLICE("/One"), SLICE("{3}")};
    const struct resource_commit on_one = {
        .changes = &fresh, .change_count = 1, .replaced = SLICE("{1}")};
    const struct resource_commit on_two = {
        .changes = &fresh, .change_count = 1, .replaced = SLICE("{2}")};

    (void)state;
    node_load(&a);
    assert_int_equal(commit(&a, &on_one), E_EXISTS); /* there is none */
    put(&a, "/one", "{1}");
    put(&a, "/one", "{2}");
    assert_int_equal(commit(&a, &on_one), E_EXISTS);
    assert_true(slice_eq(resources_get(a.resources, SLICE("/one")), SLICE("{2}")));
    assert_int_equal(commit(&a, &on_two), E_OK);
    assert_true(slice_eq(resources_get(a.resources, SLICE("/one")), SLICE("{3}")));
}

static void a_stop_ends_what_waits(void **state)
{
    (void)state;
    test_server_kill(&server);
    node_start(&a);
    resources_stop(a.resources, &a.stopped);
    test_wait(loop, is_stopped, &a);
    assert_int_equal(a.loads, 1);
    assert_int_equal(a.load_err, E_CANCELED);
    resources_free(a.resources);
    redis_close(a.redis);
    a = (struct node){0};
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_nodes_are_told_what_one_writes, begin, end),
        cmocka_unit_test_setup_teardown(a_new_node_is_told_what_there_is, begin, end),
        cmocka_unit_test_setup_teardown(after_an_outage_what_differs_is_told, begin, end),
        cmocka_unit_test_setup_teardown(what_is_too_large_or_empty_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(many_changes_at_once_are_all_told, begin, end),
        cmocka_unit_test_setup_teardown(several_documents_and_events_are_one_step, begin, end),
        cmocka_unit_test_setup_teardown(a_document_that_another_has_changed_stays, begin, end),
        cmocka_unit_test_setup_teardown(a_stop_ends_what_waits, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
