#include "caches/spec.h"

#include "caches/testing.h"

static void names_have_rules(void **state)
{
    static const struct {
        const char *name, *text; /* "" = fine */
    } rows[] = {
        {"c", ""},
        {"My-Cache-1", ""},
        {"123456789012345678901234567890123456789012345678901234567890123", ""},
        {"", "the name '' must have 1 to 63 characters"},
        {"1234567890123456789012345678901234567890123456789012345678901234",
         "the name '1234567890123456789012345678901234567890123456789012345678901234' must have 1 "
         "to 63 characters"},
        {"a.b", "the name 'a.b' may have letters, digits and hyphens only"},
        {"-a", "the name '-a' must not begin or end with a hyphen, nor have two in a row"},
        {"a-", "the name 'a-' must not begin or end with a hyphen, nor have two in a row"},
        {"a--b", "the name 'a--b' must not begin or end with a hyphen, nor have two in a row"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cause why = {0};
        enum err err = cache_name_check(slice_of(rows[i].name), &why);
        assert_string_equal(why.text, rows[i].text);
        assert_int_equal(err, rows[i].text[0] != '\0' ? E_BAD_INPUT : E_OK);
    }
}

static void check_written(const struct cache_spec *spec, const char *expected)
{
    struct buf out;

    buf_init(&out, 65536);
    buf_add_byte(&out, '{');
    cache_spec_write(&out, spec, &test_host);
    buf_add_byte(&out, '}');
    assert_string_equal(buf_text(&out), expected);
    buf_done(&out);
}

#define KEPT                                                                                       \
    "\"updateChannel\":\"Stable\",\"publicNetworkAccess\":\"Enabled\",\"tenantSettings\":{}"
#define C(name, number)                                                                            \
    "{\"sku\":{\"name\":\"" name "\",\"family\":\"C\",\"capacity\":" #number "},"                  \
    "\"enableNonSslPort\":true,"

static void requests_become_specs(void **state)
{
    static const struct {
        const char *properties, *written;
    } rows[] = {
        /* az redis create --sku Basic --vm-size C0 */
        {"{\"redisConfiguration\":{},\"tenantSettings\":{},\"sku\":{\"name\":\"Basic\",\"family\":"
         "\"c\",\"capacity\":0}}",
         C("Basic", 0) "\"disableAccessKeyAuthentication\":false," KEPT
                       ",\"redisConfiguration\":{\"maxclients\":\"256\"}}"},
        {"{\"sku\":{\"name\":\"standard\",\"family\":\"C\",\"capacity\":\"1\"},"
         "\"minimumTlsVersion\":\"1.2\",\"replicasPerMaster\":1,\"redisVersion\":\"6.0\","
         "\"provisioningState\":\"Succeeded\",\"hostName\":null,\"accessKeys\":null,\"x\":[1],"
         "\"redisConfiguration\":{\"maxclients\":\"5\",\"maxmemory-reserved\":64,"
         "\"Maxmemory-Policy\":\"allkeys-lru\",\"zonal-configuration\":\"z\"}}",
         C("Standard", 1) "\"minimumTlsVersion\":\"1.2\",\"replicasPerMaster\":1,"
                          "\"replicasPerPrimary\":1,\"disableAccessKeyAuthentication\":false," KEPT
                          ",\"redisConfiguration\":{\"maxmemory-reserved\":\"64\","
                          "\"maxmemory-policy\":\"allkeys-lru\",\"zonal-configuration\":\"z\","
                          "\"maxclients\":\"1000\"}}"},
        {"{\"sku\":{\"name\":\"Premium\",\"capacity\":1.0},\"enableNonSslPort\":false,"
         "\"shardCount\":3,\"replicasPerPrimary\":2,\"disableAccessKeyAuthentication\":true,"
         "\"updateChannel\":\"Preview\",\"zones\":[\"1\"],\"redisConfiguration\":{"
         "\"rdb-backup-enabled\":true,\"rdb-backup-frequency\":15,"
         "\"rdb-storage-connection-string\":\"secret\",\"AOF-Storage-Connection-String-0\":"
         "\"secret\"}}",
         "{\"sku\":{\"name\":\"Premium\",\"family\":\"P\",\"capacity\":1},"
         "\"enableNonSslPort\":false,\"shardCount\":3,\"replicasPerMaster\":2,"
         "\"replicasPerPrimary\":2,\"disableAccessKeyAuthentication\":true,"
         "\"updateChannel\":\"Preview\",\"publicNetworkAccess\":\"Enabled\",\"tenantSettings\":{},"
         "\"zones\":[\"1\"],\"redisConfiguration\":{\"rdb-backup-enabled\":\"true\","
         "\"rdb-backup-frequency\":\"15\",\"maxclients\":\"7500\"}}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cache_spec spec = test_spec(&test_host, rows[i].properties);
        check_written(&spec, rows[i].written);
        cache_spec_done(&spec);
    }
}

#define CONFIG(name, capacity, config)                                                             \
    TEST_SKU_AND(name, capacity, "\"redisConfiguration\":{" config "}")

static const struct mistake {
    const char *properties, *text; /* behind "properties" */
} mistakes[] = {
    {"[]", ": is not an object"},
    {"{}", ".sku.name: is missing: 'Basic', 'Standard' or 'Premium'"},
    {"{\"sku\":5}", ".sku: is not an object"},
    {"{\"sku\":{\"name\":\"Huge\"}}", ".sku.name: 'Huge' is not 'Basic', 'Standard' or 'Premium'"},
    {"{\"sku\":{\"name\":\"Basic\"}}", ".sku.capacity: is missing: 0 to 6 for Basic"},
    {TEST_SKU("Basic", 7), ".sku.capacity: 7 is not between 0 and 6, the sizes of Basic"},
    {TEST_SKU("Premium", 0), ".sku.capacity: 0 is not between 1 and 5, the sizes of Premium"},
    {TEST_SKU("Premium", "C1"), ".sku.capacity: is not a whole number"},
    {"{\"sku\":{\"name\":\"Basic\",\"family\":\"P\",\"capacity\":1}}",
     ".sku.family: 'P' is not that of Basic, which is 'C'"},
    {"{\"sku\":{\"name\":\"Basic\",\"family\":\"X\",\"capacity\":1}}",
     ".sku.family: 'X' is not 'C' or 'P'"},
    {TEST_SKU_AND("Basic", 1, "\"enableNonSslPort\":5"),
     ".enableNonSslPort: is neither true nor false"},
    {TEST_SKU_AND("Basic", 1, "\"minimumTlsVersion\":\"1.3\""),
     ".minimumTlsVersion: '1.3' is not '1.0', '1.1' or '1.2'"},
    {TEST_SKU_AND("Premium", 1, "\"shardCount\":11"), ".shardCount: 11 is not between 1 and 10"},
    {TEST_SKU_AND("Standard", 1, "\"shardCount\":2"),
     ".shardCount: is possible with sku Premium, not with Standard"},
    {TEST_SKU_AND("Premium", 1, "\"replicasPerMaster\":4"),
     ".replicasPerMaster: 4 is not between 1 and 3"},
    {TEST_SKU_AND("Premium", 1, "\"replicasPerMaster\":1,\"replicasPerPrimary\":2"),
     ".replicasPerPrimary: 2 is not equal to replicasPerMaster, its older name"},
    {TEST_SKU_AND("Standard", 1, "\"replicasPerPrimary\":2"),
     ".replicasPerPrimary: 2 is possible with sku Premium; Standard has 1"},
    {TEST_SKU_AND("Basic", 1, "\"redisConfiguration\":5"), ".redisConfiguration: is not an object"},
    {CONFIG("Basic", 1, "\"maxmemory-policy\":\"lru\""),
     ".redisConfiguration.maxmemory-policy: 'lru' is not 'noeviction' or one of lru, lfu and "
     "random "
     "behind 'allkeys-' or 'volatile-', or 'volatile-ttl'"},
    {CONFIG("Basic", 1, "\"maxmemory-reserved\":{}"),
     ".redisConfiguration.maxmemory-reserved: is not a text"},
    {CONFIG("Basic", 1, "\"maxmemory-reserved\":\"-1\""),
     ".redisConfiguration.maxmemory-reserved: '-1' is not a number of megabytes, 0 to 131072"},
    {CONFIG("Basic", 0, "\"maxmemory-reserved\":\"200\",\"maxfragmentationmemory-reserved\":26"),
     ".redisConfiguration.maxmemory-reserved: 226 MB are reserved, which is more than nine tenths "
     "of "
     "250 MB"},
    {CONFIG("Basic", 1, "\"notify-keyspace-events\":\"Kgq\""),
     ".redisConfiguration.notify-keyspace-events: 'Kgq' is not made of the letters "
     "KEg$lshzxetdmnA"},
    {CONFIG("Basic", 1, "\"databases\":0"),
     ".redisConfiguration.databases: '0' is not a number from 1 to 64"},
    {CONFIG("Basic", 1, "\"rdb-backup-enabled\":\"true\""),
     ".redisConfiguration.rdb-backup-enabled: is possible with sku Premium, not with Basic"},
    {CONFIG("Standard", 1, "\"aof-backup-enabled\":true"),
     ".redisConfiguration.aof-backup-enabled: is possible with sku Premium, not with Standard"},
    {CONFIG("Premium", 1, "\"rdb-backup-frequency\":\"5\""),
     ".redisConfiguration.rdb-backup-frequency: '5' is not 15, 30, 60, 360, 720 or 1440 (minutes)"},
    {CONFIG("Premium", 1, "\"aof-backup-enabled\":true,\"rdb-backup-enabled\":true"),
     ".redisConfiguration.aof-backup-enabled: is not possible together with rdb-backup-enabled"},
    {TEST_SKU_AND("Premium", 1,
                  "\"replicasPerPrimary\":2,\"redisConfiguration\":{\"aof-backup-enabled\":true}"),
     ".redisConfiguration.aof-backup-enabled: is not possible with 2 replicas, only with 1"},
    {CONFIG("Basic", 1, "\"redgrid-port\":65535"),
     ".redisConfiguration.redgrid-port: '65535' is not a port from 1 to 65534"},
    {CONFIG("Basic", 1, "\"redgrid-server-path\":\"a\\nb\""),
     ".redisConfiguration.redgrid-server-path: 'a\nb' is not a path: it has control characters"},
    {CONFIG("Basic", 1, "\"redgrid-max-memory\":\"1000kb\""),
     ".redisConfiguration.redgrid-max-memory: '1000kb' is not a size of 1mb or more, as 512mb or "
     "2gb"},
    {CONFIG("Basic", 1, "\"redgrid-key-labels\":\"on\""),
     ".redisConfiguration.redgrid-key-labels: 'on' is not 'off', 'expired' or 'all'"},
    {CONFIG("Basic", 1, "\"redgrid-prot\":1"),
     ".redisConfiguration.redgrid-prot: is not known; did you mean 'redgrid-port'?"},
    {CONFIG("Basic", 1, "\"\":1"),
     ".redisConfiguration: has a name that is empty or longer than 64 bytes"},
};

static void mistakes_name_their_member(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct cache_spec spec;
        struct cause why = {0};
        cache_spec_init(&spec, &test_host);
        enum err err = cache_spec_read(&spec, &test_host, slice_of(mistakes[i].properties), &why);
        if (err != E_BAD_INPUT || strncmp(why.text, "properties", 10) != 0 ||
            strcmp(why.text + 10, mistakes[i].text) != 0)
            fail_msg("%s: %s", mistakes[i].properties, why.text);
        cache_spec_done(&spec);
    }
}

static void an_audit_has_all_mistakes(void **state)
{
    struct jx_audit *audit = mem_new(struct jx_audit);
    struct slice properties =
        SLICE("{\"sku\":{\"name\":\"Basic\",\"capacity\":9},\"enableNonSslPort\":7,\"skku\":1,"
              "\"hostName\":\"h\",\"redisConfiguration\":{\"databases\":\"x\",\"any\":\"1\"}}");

    (void)state;
    jx_audit_init(audit);
    cache_spec_audit(&test_host, properties, audit);
    jx_audit_unknown(audit, properties);
    assert_int_equal(audit->count, 4);
    assert_string_equal(audit->mistakes[0].path, "sku.capacity");
    assert_string_equal(audit->mistakes[1].path, "redisConfiguration.databases");
    assert_string_equal(audit->mistakes[2].path, "enableNonSslPort");
    assert_string_equal(audit->mistakes[3].path, "skku");
    jx_audit_done(audit);
    free(audit);
}

/* What the host allows, and what it makes of what was not said. */
static void the_host_counts(void **state)
{
    static const char *const outside[] = {"127.0.0.1", "10.0.0.1"};
    static const char *const inside[] = {"127.9.9.9", "::1"};
    const struct cache_host wide = {.addresses = outside, .address_count = 2, .has_tls = true};
    const struct cache_host plain = {.addresses = inside, .address_count = 2};
    struct cache_spec spec;
    struct cause why;

    (void)state;
    assert_true(cache_host_is_loopback(&plain));
    spec = test_spec(&wide, TEST_SKU("Basic", 0));
    assert_false(spec.has_plain_port);
    assert_int_equal(
        cache_spec_read(&spec, &wide,
                        SLICE("{\"redisConfiguration\":{\"authnotrequired\":\"true\"}}"), &why),
        E_BAD_INPUT);
    assert_string_equal(why.text, "properties.redisConfiguration.authnotrequired: is possible when "
                                  "every address of caches.address is a loopback address");
    cache_spec_done(&spec);
    spec = test_spec(&plain, CONFIG("Basic", 0, "\"authnotrequired\":\"yes\""));
    assert_true(spec.has_plain_port);
    assert_string_equal(cache_config_text(&spec.config, "authnotrequired"), "true");
    assert_int_equal(cache_spec_read(&spec, &plain, SLICE("{\"enableNonSslPort\":false}"), &why),
                     E_BAD_INPUT);
    assert_string_equal(why.text, "properties.enableNonSslPort: must be true: there is no TLS port "
                                  "(caches.tls is off, or the server program is built without it)");
    cache_spec_done(&spec);
}

/* az sends back all that it was shown, and what it changes. */
static void a_patch_changes_what_it_names(void **state)
{
    struct cache_spec spec, copy;

    (void)state;
    spec = test_spec(
        &test_host, CONFIG("Premium", 2,
                           "\"maxmemory-policy\":\"allkeys-lru\",\"databases\":\"4\",\"own\":\"1\","
                           "\"rdb-storage-connection-string\":\"s\",\"notify-keyspace-events\":"
                           "\"Kx\""));
    cache_spec_copy(&copy, &spec);
    assert_int_equal(
        cache_spec_read(
            &copy, &test_host,
            SLICE("{\"sku\":{\"capacity\":3},\"shardCount\":null,\"redisConfiguration\":{"
                  "\"MAXMEMORY-POLICY\":\"noeviction\",\"OWN\":null,\"maxclients\":\"1\","
                  "\"notify-keyspace-events\":\"\"}}"),
            NULL),
        E_OK);
    assert_int_equal(copy.capacity, 3);
    assert_int_equal(copy.tier, TIER_PREMIUM);
    assert_string_equal(cache_config_said(&copy.config, "maxmemory-policy"), "noeviction");
    assert_string_equal(cache_config_said(&copy.config, "databases"), "4");
    assert_string_equal(cache_config_said(&copy.config, "rdb-storage-connection-string"), "s");
    assert_null(cache_config_said(&copy.config, "own"));
    assert_null(cache_config_said(&copy.config, "notify-keyspace-events"));
    assert_string_equal(cache_config_text(&copy.config, "notify-keyspace-events"), "");
    assert_int_equal(copy.config.count, 3);
    assert_string_equal(cache_config_said(&spec.config, "maxmemory-policy"), "allkeys-lru");
    cache_spec_done(&copy);
    cache_spec_done(&spec);
}

static void a_put_keeps_what_creation_decided(void **state)
{
    struct cache_spec old = test_spec(
        &test_host, CONFIG("Basic", 1, "\"databases\":\"4\",\"redgrid-port\":\"7777\",\"own\":1"));
    struct cache_spec new = test_spec(&test_host, CONFIG("Basic", 1, "\"databases\":\"5\""));

    (void)state;
    cache_spec_keep(&new, &old);
    assert_string_equal(cache_config_said(&new.config, "databases"), "5");
    assert_string_equal(cache_config_said(&new.config, "redgrid-port"), "7777");
    assert_null(cache_config_said(&new.config, "own"));
    cache_spec_done(&old);
    cache_spec_done(&new);
}

static void the_store_gives_back_all_of_it(void **state)
{
    static const char *const rows[] = {
        TEST_SKU("Basic", 0),
        CONFIG("Standard", 1, "\"databases\":\"4\",\"a\\\"b\":\"c\\\"d\",\"x\":\"y\""),
        TEST_SKU_AND("Premium", 5,
                     "\"shardCount\":10,\"replicasPerPrimary\":3,\"minimumTlsVersion\":\"1.0\","
                     "\"enableNonSslPort\":false,\"zones\":[\"1\",\"2\"],\"identity\":{\"type\":"
                     "\"None\"},\"redisConfiguration\":{\"rdb-storage-connection-string\":\"s\"}"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cache_spec spec = test_spec(&test_host, rows[i]), again = {0};
        struct buf out, twice;
        buf_init(&out, 65536);
        buf_init(&twice, 65536);
        cache_spec_write_stored(&out, &spec);
        assert_int_equal(cache_spec_read_stored(&again, buf_slice(&out), NULL), E_OK);
        cache_spec_write_stored(&twice, &again);
        assert_string_equal(buf_text(&out), buf_text(&twice));
        cache_spec_done(&spec);
        cache_spec_done(&again);
        buf_done(&out);
        buf_done(&twice);
    }
}

/* Another version may have stored what this one refuses; a server must still come up. */
static void what_is_stored_is_taken(void **state)
{
    struct cache_spec spec = {0};

    (void)state;
    assert_int_equal(
        cache_spec_read_stored(
            &spec,
            SLICE("{\"sku\":{\"name\":\"Basic\",\"capacity\":1},\"shardCount\":2,\"new\":{},"
                  "\"redisConfiguration\":{\"redgrid-new\":\"1\",\"databases\":\"1000\","
                  "\"aof-backup-enabled\":\"true\"}}"),
            NULL),
        E_OK);
    assert_string_equal(cache_config_said(&spec.config, "redgrid-new"), "1");
    spec.shards = 0;
    assert_int_equal(cache_spec_numbers(&spec, &test_host).databases, 16);
    cache_spec_done(&spec);
}

static void numbers_follow(void **state)
{
    static const struct {
        const char *properties;
        uint64_t limit_mb, files;
        uint64_t maxmemory, backlog;
        uint32_t clients, databases, servers;
    } rows[] = {
        {TEST_SKU("Basic", 0), 0, 0, 250 * CACHE_MB, 250 * CACHE_MB / 16, 256, 16, 1},
        {TEST_SKU("Standard", 1), 0, 1024, 1024 * CACHE_MB, 64 * CACHE_MB, 992, 16, 2},
        {TEST_SKU("Standard", 3), 1024, 100000, 1024 * CACHE_MB, 64 * CACHE_MB, 5000, 16, 2},
        {CONFIG("Basic", 1, "\"maxmemory-reserved\":256,\"maxfragmentationmemory-reserved\":256"),
         0, 0, 512 * CACHE_MB, 32 * CACHE_MB, 1000, 16, 1},
        /* what is reserved of the size is reserved of the limit */
        {CONFIG("Premium", 1, "\"maxmemory-reserved\":1536"), 1000, 0, 750 * CACHE_MB,
         750 * CACHE_MB / 16, 7500, 16, 2},
        {CONFIG("Basic", 1, "\"redgrid-max-memory\":\"8mb\",\"databases\":\"1\""), 0, 0,
         8 * CACHE_MB, CACHE_MB, 1000, 1, 1},
        {CONFIG("Basic", 1, "\"redgrid-max-memory\":\"8gb\""), 100, 0, 100 * CACHE_MB,
         100 * CACHE_MB / 16, 1000, 16, 1},
        {TEST_SKU_AND("Premium", 5, "\"shardCount\":3,\"replicasPerPrimary\":2"), 0, 0,
         122880 * CACHE_MB, 64 * CACHE_MB, 40000, 1, 9},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cache_host host = test_host;
        host.memory_max_bytes = rows[i].limit_mb * CACHE_MB;
        host.files_max = rows[i].files;
        struct cache_spec spec = test_spec(&host, rows[i].properties);
        struct cache_numbers numbers = cache_spec_numbers(&spec, &host);
        assert_int_equal(numbers.maxmemory_bytes, rows[i].maxmemory);
        assert_int_equal(numbers.backlog_bytes, rows[i].backlog);
        assert_int_equal(numbers.clients_max, rows[i].clients);
        assert_int_equal(numbers.databases, rows[i].databases);
        assert_int_equal(numbers.servers, rows[i].servers);
        cache_spec_done(&spec);
    }
}

static void events_without_a_channel_are_warned_of(void **state)
{
    static const struct {
        const char *flags;
        bool is_warned;
    } rows[] = {{"", false}, {"g", true}, {"Kg", false}, {"xE", false}, {"A", true}};
    struct cause why;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cache_spec spec = test_spec(&test_host, TEST_SKU("Basic", 1));
        assert_true(cache_config_set(&spec.config, "notify-keyspace-events", rows[i].flags));
        assert_int_equal(cache_spec_warning(&spec, &why), rows[i].is_warned);
        cache_spec_done(&spec);
    }
}

static void a_dictionary_has_an_end(void **state)
{
    struct buf json;
    struct cache_spec spec;
    struct cause why;

    (void)state;
    buf_init(&json, 65536);
    buf_add(&json, SLICE("{\"sku\":{\"name\":\"Basic\",\"capacity\":1},\"redisConfiguration\":{"));
    for (int i = 0; i <= CACHE_CONFIG_MAX; i++)
        buf_addf(&json, "%s\"k%d\":\"v\"", i > 0 ? "," : "", i);
    buf_add(&json, SLICE("}}"));
    cache_spec_init(&spec, &test_host);
    assert_int_equal(cache_spec_read(&spec, &test_host, buf_slice(&json), &why), E_BAD_INPUT);
    assert_string_equal(why.text, "properties.redisConfiguration: has more than 64 settings");
    cache_spec_done(&spec);
    buf_clear(&json);
    buf_add(&json, SLICE("{\"sku\":{\"name\":\"Basic\",\"capacity\":1},\"redisConfiguration\":{"
                         "\"k\":\""));
    for (int i = 0; i <= CACHE_CONFIG_VALUE_MAX_BYTES; i++)
        buf_add_byte(&json, 'x');
    buf_add(&json, SLICE("\"}}"));
    cache_spec_init(&spec, &test_host);
    assert_int_equal(cache_spec_read(&spec, &test_host, buf_slice(&json), &why), E_BAD_INPUT);
    assert_string_equal(why.text, "properties.redisConfiguration.k: is longer than 4096 bytes");
    cache_spec_done(&spec);
    buf_done(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_rules),
        cmocka_unit_test(requests_become_specs),
        cmocka_unit_test(mistakes_name_their_member),
        cmocka_unit_test(an_audit_has_all_mistakes),
        cmocka_unit_test(the_host_counts),
        cmocka_unit_test(a_patch_changes_what_it_names),
        cmocka_unit_test(a_put_keeps_what_creation_decided),
        cmocka_unit_test(the_store_gives_back_all_of_it),
        cmocka_unit_test(what_is_stored_is_taken),
        cmocka_unit_test(numbers_follow),
        cmocka_unit_test(events_without_a_channel_are_warned_of),
        cmocka_unit_test(a_dictionary_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
