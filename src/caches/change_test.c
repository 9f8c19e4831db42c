#include "caches/change.h"

#include "caches/testing.h"

#define CONFIG(name, capacity, config)                                                             \
    TEST_SKU_AND(name, capacity, "\"redisConfiguration\":{" config "}")
#define P(capacity, more) TEST_SKU_AND("Premium", capacity, more)

static enum err change_of(const char *from, const char *to, const struct cache_usage *usage,
                          enum cache_change *ret, struct cause *why)
{
    struct cache_spec old = test_spec(&test_host, from), new = test_spec(&test_host, to);
    enum err err = cache_spec_change(&old, &new, &test_host, usage, ret, why);

    cache_spec_done(&old);
    cache_spec_done(&new);
    return err;
}

static void changes_are_operations(void **state)
{
    static const struct {
        const char *from, *to;
        enum cache_change change;
    } rows[] = {
        {TEST_SKU("Basic", 1), TEST_SKU("Basic", 1), CHANGE_NONE},
        /* what was not said is what there was */
        {TEST_SKU("Basic", 1), CONFIG("Basic", 1, "\"maxmemory-policy\":\"volatile-lru\""),
         CHANGE_UPDATE},
        {TEST_SKU("Basic", 1), CONFIG("Basic", 1, "\"maxmemory-policy\":\"noeviction\""),
         CHANGE_UPDATE},
        {CONFIG("Basic", 1, "\"notify-keyspace-events\":\"Kg\""), TEST_SKU("Basic", 1),
         CHANGE_UPDATE},
        {TEST_SKU("Basic", 1), TEST_SKU_AND("Basic", 1, "\"enableNonSslPort\":false"),
         CHANGE_UPDATE},
        {TEST_SKU("Basic", 1), TEST_SKU_AND("Basic", 1, "\"disableAccessKeyAuthentication\":true"),
         CHANGE_UPDATE},
        {TEST_SKU("Basic", 1), TEST_SKU_AND("Basic", 1, "\"updateChannel\":\"Preview\""),
         CHANGE_UPDATE},
        {TEST_SKU("Standard", 1), TEST_SKU_AND("Standard", 1, "\"replicasPerPrimary\":1"),
         CHANGE_UPDATE},
        {TEST_SKU("Basic", 0), TEST_SKU("Basic", 1), CHANGE_SCALE},
        {TEST_SKU("Standard", 1), TEST_SKU("Standard", 6), CHANGE_SCALE},
        {TEST_SKU("Standard", 6), TEST_SKU("Standard", 1), CHANGE_SCALE},
        {TEST_SKU("Basic", 0), TEST_SKU("Standard", 0), CHANGE_SCALE},
        {TEST_SKU("Basic", 2), TEST_SKU("Standard", 2), CHANGE_SCALE},
        {TEST_SKU("Standard", 1), TEST_SKU("Premium", 1), CHANGE_SCALE},
        {TEST_SKU("Standard", 0), TEST_SKU("Premium", 2), CHANGE_SCALE},
        {TEST_SKU("Premium", 5), TEST_SKU("Premium", 1), CHANGE_SCALE},
        {TEST_SKU("Premium", 1), P(1, "\"replicasPerPrimary\":3"), CHANGE_SCALE},
        {P(1, "\"replicasPerPrimary\":3"), TEST_SKU("Premium", 1), CHANGE_SCALE},
        {TEST_SKU("Premium", 1), P(1, "\"shardCount\":1"), CHANGE_SCALE},
        {P(1, "\"shardCount\":2"), P(1, "\"shardCount\":10"), CHANGE_SCALE},
        {P(1, "\"shardCount\":10"), P(1, "\"shardCount\":2"), CHANGE_SCALE},
        {P(1, "\"shardCount\":3"), P(2, "\"shardCount\":3"), CHANGE_SCALE},
        /* settings go along */
        {TEST_SKU("Standard", 1), CONFIG("Standard", 2, "\"maxmemory-policy\":\"noeviction\""),
         CHANGE_SCALE},
        {TEST_SKU("Basic", 1), CONFIG("Basic", 1, "\"redgrid-server-path\":\"/x\""), CHANGE_PATCH},
        {CONFIG("Basic", 1, "\"redgrid-key-labels\":\"all\""), TEST_SKU("Basic", 1), CHANGE_PATCH},
        {TEST_SKU("Basic", 1),
         CONFIG("Basic", 1, "\"redgrid-server-path\":\"/x\",\"maxmemory-policy\":\"noeviction\""),
         CHANGE_PATCH},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum cache_change change;
        struct cause why = {0};
        if (change_of(rows[i].from, rows[i].to, NULL, &change, &why) != E_OK ||
            change != rows[i].change)
            fail_msg("%s -> %s: %s", rows[i].from, rows[i].to, why.text);
    }
}

static void some_changes_are_refused(void **state)
{
    static const struct {
        const char *from, *to, *text; /* behind "properties." */
    } rows[] = {
        {TEST_SKU("Basic", 1), TEST_SKU("Premium", 1),
         "sku.name: a cache cannot become Premium from Basic at once; Standard is between them"},
        {TEST_SKU("Premium", 1), TEST_SKU("Standard", 1),
         "sku.name: a cache cannot become Standard from Premium"},
        {TEST_SKU("Premium", 1), TEST_SKU("Basic", 1),
         "sku.name: a cache cannot become Basic from Premium"},
        {TEST_SKU("Standard", 1), TEST_SKU("Basic", 1),
         "sku.name: a cache cannot become Basic from Standard"},
        {TEST_SKU("Basic", 1), TEST_SKU("Standard", 2),
         "sku.capacity: Basic becomes Standard of the same size, C1; scale to another size before "
         "or "
         "after"},
        {TEST_SKU("Basic", 1), TEST_SKU("Basic", 0), "sku.capacity: nothing can be scaled to C0"},
        {TEST_SKU("Standard", 6), TEST_SKU("Standard", 0),
         "sku.capacity: nothing can be scaled to C0"},
        {P(1, "\"shardCount\":2"), P(2, "\"shardCount\":3"),
         "shardCount: cannot change together with sku; do one after the other"},
        {TEST_SKU("Standard", 1), P(1, "\"shardCount\":2"),
         "shardCount: cannot change together with sku; do one after the other"},
        {P(1, "\"shardCount\":2"), P(1, "\"shardCount\":3,\"replicasPerPrimary\":2"),
         "shardCount: cannot change together with replicasPerPrimary; do one after the other"},
        {P(1, "\"shardCount\":2"), TEST_SKU("Premium", 1),
         "shardCount: a cache with shards stays one; 1 to 10 are possible"},
        {TEST_SKU("Basic", 1), CONFIG("Basic", 1, "\"databases\":\"4\""),
         "redisConfiguration.databases: is decided when a cache is created, and is 16"},
        {TEST_SKU("Basic", 1), CONFIG("Basic", 1, "\"redgrid-port\":\"7777\""),
         "redisConfiguration.redgrid-port: is decided when a cache is created"},
        {CONFIG("Basic", 1, "\"redgrid-port\":\"7777\""),
         CONFIG("Basic", 1, "\"redgrid-port\":\"7778\""),
         "redisConfiguration.redgrid-port: is decided when a cache is created, and is 7777"},
        {TEST_SKU("Basic", 1), CONFIG("Basic", 2, "\"redgrid-server-path\":\"/x\""),
         "redisConfiguration: redgrid-server-path and redgrid-key-labels cannot change together "
         "with "
         "the size; do one after the other"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum cache_change change = CHANGE_CREATE;
        struct cause why = {0};
        if (change_of(rows[i].from, rows[i].to, NULL, &change, &why) != E_BAD_INPUT ||
            strncmp(why.text, "properties.", 11) != 0 || strcmp(why.text + 11, rows[i].text) != 0)
            fail_msg("%s -> %s: %s", rows[i].from, rows[i].to, why.text);
        assert_int_equal(change, CHANGE_CREATE);
    }
}

static void what_is_there_must_fit(void **state)
{
    static const struct {
        const char *from, *to;
        struct cache_usage usage_mb;
        const char *text; /* NULL = fine */
    } rows[] = {
        {CONFIG("Standard", 2, "\"maxmemory-policy\":\"noeviction\""),
         CONFIG("Standard", 1, "\"maxmemory-policy\":\"noeviction\""),
         {1025, 1025},
         "properties.sku.capacity: 1025 MB are in use, the new limit is 1024 MB, and "
         "maxmemory-policy noeviction lets nothing go"},
        {CONFIG("Standard", 2, "\"maxmemory-policy\":\"noeviction\""),
         CONFIG("Standard", 1, "\"maxmemory-policy\":\"noeviction\""),
         {1024, 1024},
         NULL},
        /* the policy that comes decides */
        {CONFIG("Standard", 2, "\"maxmemory-policy\":\"noeviction\""),
         CONFIG("Standard", 1, "\"maxmemory-policy\":\"allkeys-lru\""),
         {1025, 1025},
         NULL},
        {TEST_SKU("Standard", 2), TEST_SKU("Standard", 1), {1025, 1025}, NULL},
        /* over the limit already: more of it is no worse */
        {CONFIG("Standard", 1, "\"maxmemory-policy\":\"noeviction\""),
         CONFIG("Standard", 2, "\"maxmemory-policy\":\"noeviction\""),
         {9000, 9000},
         NULL},
        {P(1, "\"shardCount\":3"),
         P(1, "\"shardCount\":2"),
         {5000, 12289},
         "properties.shardCount: 12289 MB are in use, 2 shards hold 12288 MB"},
        {P(1, "\"shardCount\":3"), P(1, "\"shardCount\":2"), {5000, 12288}, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cache_usage usage = {rows[i].usage_mb.fullest_bytes * CACHE_MB,
                                    rows[i].usage_mb.total_bytes * CACHE_MB};
        enum cache_change change;
        struct cause why = {0};
        enum err err = change_of(rows[i].from, rows[i].to, &usage, &change, &why);
        assert_int_equal(err, rows[i].text != NULL ? E_BAD_INPUT : E_OK);
        assert_string_equal(why.text, rows[i].text != NULL ? rows[i].text : "");
    }
}

/* The number of databases has its limit at creation; what is there already may be scaled. */
static void a_creation_has_a_limit_of_databases(void **state)
{
    struct cache_spec big = test_spec(&test_host, CONFIG("Premium", 5, "\"databases\":\"64\""));
    struct cache_spec small = test_spec(&test_host, CONFIG("Premium", 1, "\"databases\":\"64\""));
    enum cache_change change;
    struct cause why = {0};

    (void)state;
    assert_int_equal(cache_spec_change(NULL, &big, &test_host, NULL, &change, &why), E_OK);
    assert_int_equal(change, CHANGE_CREATE);
    assert_int_equal(cache_spec_change(NULL, &small, &test_host, NULL, &change, &why), E_BAD_INPUT);
    assert_string_equal(why.text,
                        "properties.redisConfiguration.databases: 64 is more than 16, the "
                        "most of Premium P1");
    assert_int_equal(cache_spec_change(&big, &small, &test_host, NULL, &change, &why), E_OK);
    assert_int_equal(change, CHANGE_SCALE);
    cache_spec_done(&big);
    cache_spec_done(&small);
}

static void differences_tell_what_to_do(void **state)
{
    static const struct {
        const char *from, *to;
        unsigned differences;
    } rows[] = {
        {TEST_SKU("Basic", 1), TEST_SKU("Standard", 1), DIFFERS_TIER | DIFFERS_REPLICAS},
        {TEST_SKU("Standard", 1), TEST_SKU("Premium", 2), DIFFERS_TIER | DIFFERS_SIZE},
        {TEST_SKU("Premium", 2), P(2, "\"shardCount\":1"), DIFFERS_SHARDS},
        {TEST_SKU("Basic", 1), CONFIG("Basic", 1, "\"maxmemory-delta\":\"1\",\"x\":\"y\""),
         DIFFERS_RECORD},
        {TEST_SKU("Basic", 1), CONFIG("Basic", 1, "\"maxmemory-reserved\":\"1\""),
         DIFFERS_SETTINGS},
        {TEST_SKU("Premium", 1), P(1, "\"replicasPerPrimary\":1"), DIFFERS_RECORD},
        {TEST_SKU("Premium", 1), P(1, "\"replicasPerPrimary\":2"),
         DIFFERS_RECORD | DIFFERS_REPLICAS},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cache_spec old = test_spec(&test_host, rows[i].from);
        struct cache_spec new = test_spec(&test_host, rows[i].to);
        assert_int_equal(cache_spec_differences(&old, &new), rows[i].differences);
        cache_spec_done(&old);
        cache_spec_done(&new);
    }
}

static void what_changed_has_names(void **state)
{
    struct cache_spec old = test_spec(&test_host, CONFIG("Basic", 1, "\"a\":\"1\",\"b\":\"2\""));
    struct cache_spec new =
        test_spec(&test_host, TEST_SKU_AND("Basic", 2,
                                           "\"enableNonSslPort\":false,\"redisConfiguration\":{"
                                           "\"maxmemory-policy\":\"noeviction\",\"a\":\"1\"}"));
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    cache_spec_write_changed(&out, &old, &new);
    assert_string_equal(buf_text(&out),
                        "[\"sku.capacity\",\"enableNonSslPort\","
                        "\"redisConfiguration.maxmemory-policy\",\"redisConfiguration.b\"]");
    buf_clear(&out);
    cache_spec_write_changed(&out, &old, &old);
    assert_string_equal(buf_text(&out), "[]");
    buf_done(&out);
    cache_spec_done(&old);
    cache_spec_done(&new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_operations),
        cmocka_unit_test(some_changes_are_refused),
        cmocka_unit_test(what_is_there_must_fit),
        cmocka_unit_test(a_creation_has_a_limit_of_databases),
        cmocka_unit_test(differences_tell_what_to_do),
        cmocka_unit_test(what_changed_has_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
