#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/settings.h"

static char folder[64];

static int set_up(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/redgrid-settings-XXXXXX");
    assert_non_null(mkdtemp(folder));
    *state = settings_new();
    return 0;
}

static int tear_down(void **state)
{
    char path[128];
    static const char *const names[] = {"redgrid.yaml", "secret"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
    settings_free(*state);
    return 0;
}

static const char *write_file(const char *name, const char *text)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void the_defaults_are_valid_values(void **state)
{
    struct cause why = {0};

    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (setting_rows[i].value[0] == '\0')
            continue;
        assert_int_equal(settings_set(*state, (enum setting_id)i, SETTING_FLAG,
                                      slice_of(setting_rows[i].value), NULL, &why),
                         E_OK);
    }
    assert_int_equal(settings_check(*state, &why), E_OK);
    assert_int_equal(settings_number(*state, SETTING_CACHE_PORT_ID), 6379);
    assert_true(settings_bool(*state, SETTING_CACHE_AUTO_ID));
}

static void a_higher_source_wins_in_any_order_of_reading(void **state)
{
    const char *const environment[] = {"REDGRID_LOG_LEVEL=warn", "REDGRID_SERVER=http://x",
                                       "REDGRID_CACHE_PORT=7000", NULL};
    char *args[] = {(char[]){"--log-level"}, (char[]){"error"}};
    size_t used = 0;
    struct cause why = {0};

    assert_int_equal(settings_read_flag(*state, args, 2, &used, &why), E_OK);
    assert_int_equal(used, 2);
    assert_int_equal(settings_read_environment(*state, environment, &why), E_OK);
    assert_int_equal(settings_read_file(*state,
                                        write_file("redgrid.yaml", "log:\n  level: debug\n"
                                                                   "cache.port: 8000\n"
                                                                   "workers.max: 9\n"),
                                        &why),
                     E_OK);
    assert_string_equal(settings_text(*state, SETTING_LOG_LEVEL_ID), "error");
    assert_int_equal(settings_number(*state, SETTING_CACHE_PORT_ID), 7000);
    assert_int_equal(settings_number(*state, SETTING_WORKERS_MAX_ID), 9);
    assert_int_equal(settings_source(*state, SETTING_WORKERS_MAX_ID), SETTING_FILE);
}

static void lists_grow_within_a_source_and_are_replaced_by_a_higher_one(void **state)
{
    char *args[] = {(char[]){"--app"}, (char[]){"a"}, (char[]){"b"}, (char[]){"--data=x"}};
    size_t used = 0;
    struct cause why = {0};

    assert_int_equal(
        settings_read_file(*state, write_file("redgrid.yaml", "app: [one, /two]\n"), &why), E_OK);
    char whole[128];
    snprintf(whole, sizeof whole, "%s/one", folder);
    assert_string_equal(settings_list(*state, SETTING_APP_ID)[0], whole);
    assert_string_equal(settings_list(*state, SETTING_APP_ID)[1], "/two");
    assert_int_equal(settings_read_flag(*state, args, 4, &used, &why), E_OK);
    assert_int_equal(used, 3);
    assert_string_equal(settings_list(*state, SETTING_APP_ID)[0], "a");
    assert_string_equal(settings_list(*state, SETTING_APP_ID)[1], "b");
    assert_null(settings_list(*state, SETTING_APP_ID)[2]);
    assert_int_equal(settings_read_flag(*state, args + 3, 1, &used, &why), E_OK);
    assert_string_equal(settings_text(*state, SETTING_DATA_ID), "x");
}

static void mistakes_in_a_file_name_place_and_field(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"stor: x\n", ":1:1: stor: there is no such setting; did you mean 'store'?"},
        {"qqqqqqqqqq: x\n", ":1:1: qqqqqqqqqq: there is no such setting"},
        {"log.level: loud\n",
         ":1:12: log.level: 'loud' is not one of: trace debug info warn error none"},
        {"log:\n  level: loud\n",
         ":2:10: log.level: 'loud' is not one of: trace debug info warn error none"},
        {"\ncache.port: 0\n", ":2:13: cache.port: '0' is not a number from 1 to 65535"},
        {"drain.timeout_ms: -1\n",
         ":1:19: drain.timeout_ms: '-1' is not a number from 0 to 3600000 ms"},
        {"cache.auto: maybe\n", ":1:13: cache.auto: 'maybe' is not true or false"},
        {"listen: 7070\n",
         ":1:9: listen: '7070' is not an address and a port, as 127.0.0.1:7070 or [::1]:7070"},
        {"data: [a]\n", ":1:7: data: must be one value"},
        {"app: {a: b}\n", ":1:6: app: must be a list"},
        {"app: [[a]]\n", ":1:7: app: must be a list of texts"},
        {"data: a\ndata: b\n", ":2:1: data: is given twice"},
        {"config: a\n", ":1:1: config: a file cannot name another one"},
        {"- a\n", ":1:1: must be lines of 'setting: value', as 'log.level: debug'"},
        {"a: [\n", ":2:1: is not YAML: did not find expected node content"},
        {"store: env:REDGRID_TEST_NONE\n", ":1:8: store: there is no variable REDGRID_TEST_NONE"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct settings *settings = settings_new();
        struct cause why = {0};
        const char *path = write_file("redgrid.yaml", rows[i].text);
        char expected[512];
        snprintf(expected, sizeof expected, "%s%s", path, rows[i].expected);
        assert_int_equal(settings_read_file(settings, path, &why), E_BAD_INPUT);
        assert_string_equal(why.text, expected);
        settings_free(settings);
    }
    (void)state;
}

static void flags_and_variables_name_themselves(void **state)
{
    char *lonely[] = {(char[]){"--data"}};
    char *unknown[] = {(char[]){"--dada"}, (char[]){"x"}};
    const char *const environment[] = {"REDGRID_CACHE_PORT=x", NULL};
    struct cause why = {0};
    size_t used = 0;

    assert_int_equal(settings_read_flag(*state, lonely, 1, &used, &why), E_BAD_INPUT);
    assert_string_equal(why.text, "--data: needs a value: DIR");
    assert_int_equal(settings_read_flag(*state, unknown, 2, &used, &why), E_NOT_FOUND);
    assert_int_equal(settings_read_environment(*state, environment, &why), E_BAD_INPUT);
    assert_string_equal(why.text,
                        "REDGRID_CACHE_PORT: cache.port: 'x' is not a number from 1 to 65535");
}

static void secrets_may_be_references(void **state)
{
    struct cause why = {0};

    setenv("REDGRID_TEST_SECRET", "from variable", 1);
    assert_int_equal(settings_set(*state, SETTING_LISTEN_TOKEN_ID, SETTING_FILE,
                                  SLICE("env:REDGRID_TEST_SECRET"), NULL, &why),
                     E_OK);
    assert_string_equal(settings_text(*state, SETTING_LISTEN_TOKEN_ID), "from variable");
    write_file("secret", "from file\n");
    assert_int_equal(settings_set(*state, SETTING_LISTEN_TOKEN_ID, SETTING_FILE,
                                  SLICE("file:secret"), folder, &why),
                     E_OK);
    assert_string_equal(settings_text(*state, SETTING_LISTEN_TOKEN_ID), "from file");
    assert_int_equal(settings_set(*state, SETTING_LISTEN_TOKEN_ID, SETTING_FILE, SLICE("file:none"),
                                  folder, &why),
                     E_BAD_INPUT);
    write_file("nothing", " \n");
    assert_int_equal(settings_set(*state, SETTING_LISTEN_TOKEN_ID, SETTING_FILE,
                                  SLICE("file:nothing"), folder, &why),
                     E_BAD_INPUT);
    assert_string_equal(why.text, "listen.token: nothing is empty");
    setenv("REDGRID_TEST_SECRET", "", 1);
    assert_int_equal(settings_set(*state, SETTING_LISTEN_TOKEN_ID, SETTING_FILE,
                                  SLICE("env:REDGRID_TEST_SECRET"), NULL, &why),
                     E_BAD_INPUT);
    assert_string_equal(why.text, "listen.token: the variable REDGRID_TEST_SECRET is empty");
    assert_string_equal(settings_text(*state, SETTING_LISTEN_TOKEN_ID), "from file");
    const struct slice several[] = {SLICE("AccountName=a;AccountKey=b"), SLICE("file:secret")};
    for (size_t i = 0; i < COUNT_OF(several); i++)
        assert_int_equal(settings_set(*state, SETTING_STORAGE_ACCOUNTS_ID, SETTING_FILE, several[i],
                                      folder, &why),
                         E_OK);
    const char *const *list = settings_list(*state, SETTING_STORAGE_ACCOUNTS_ID);
    assert_string_equal(list[0], "AccountName=a;AccountKey=b");
    assert_string_equal(list[1], "from file");
    assert_null(list[2]);
}

static void addresses_split(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = {
        {"127.0.0.1:7070", "127.0.0.1", 7070},
        {"[::1]:0", "::1", 0},
        {"localhost:1", "localhost", 1},
        {"::1:80", NULL, 0},
        {":80", NULL, 0},
        {"a:65536", NULL, 0},
        {"a", NULL, 0},
        {"a:", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *host = NULL;
        uint16_t port = 0;
        assert_int_equal(settings_address(slice_of(rows[i].text), &host, &port),
                         rows[i].host != NULL);
        if (rows[i].host != NULL)
            assert_string_equal(host, rows[i].host);
        assert_int_equal(port, rows[i].port);
        free(host);
    }
}

static void the_sample_without_its_comments_is_a_valid_file(void **state)
{
    struct buf sample, open;
    struct cause why = {0};
    struct slice rest, line;

    buf_init(&sample, SETTINGS_FILE_MAX_BYTES);
    buf_init(&open, SETTINGS_FILE_MAX_BYTES);
    settings_write_sample(&sample);
    rest = buf_slice(&sample);
    while (slice_cut(&rest, '\n', &line))
        if (line.len > 2 && line.data[0] == '#' && line.data[1] != ' ')
            buf_addf(&open, "%.*s\n", SLICE_ARG(slice_from(line, 1)));
    enum err err = settings_read_file(*state, write_file("redgrid.yaml", buf_text(&open)), &why);
    assert_string_equal(why.text, "");
    assert_int_equal(err, E_OK);
    assert_int_equal(settings_source(*state, SETTING_NODES_DEAD_ID), SETTING_FILE);
    buf_done(&sample);
    buf_done(&open);
}

/* What the file says, and whether it may; what is in force then, and what was told. */
static void a_reload_takes_what_may_change_and_names_the_rest(void **state)
{
    static const struct {
        const char *file, *level, *taken, *kept, *why;
    } rows[] = {
        {"log.level: debug\napp: [a, b]\nlisten.token: t\n", "debug",
         "app, listen.token, log.level = debug", "", ""},
        {"log.level: debug\napp: [a, b]\nlisten.token: t\n", "debug", "", "", ""},
        {"log.level: warn\napp: [a]\ndata: elsewhere\nstore: s\n", "warn",
         "app, listen.token, log.level = warn", "data, store", ""},
        {"log.level: loud\nworkers.max: 5\n", "warn", "", "", ":1:12: log.level: 'loud'"},
        {"listen.cert: a.pem\n", "warn", "", "", "listen.cert: needs listen.key"},
        {"workers.min: 5\nworkers.max: 2\n", "warn", "", "", "workers.min: is above"},
        {"workers.max: 8\nlog.level: debug\n", "debug", "app, log.level = debug", "", ""},
        {"", "info", "log.level = info", "", ""},
        {"listen: 0.0.0.0:7070\n", "info", "", "", "set listen.token"},
        {"listen: 0.0.0.0:7070\nlisten.token: t\n", "info", "listen.token", "listen", ""},
    };
    const char *environment[] = {"REDGRID_DRAIN_TIMEOUT_MS=5", NULL};
    struct settings *settings = *state;
    struct cause why = {0};

    assert_int_equal(settings_set(settings, SETTING_CONFIG_ID, SETTING_FLAG,
                                  slice_of(write_file("redgrid.yaml", "")), NULL, &why),
                     E_OK);
    assert_int_equal(
        settings_set(settings, SETTING_WORKERS_MAX_ID, SETTING_FLAG, SLICE("3"), NULL, &why), E_OK);
    assert_int_equal(settings_load(settings, environment, &why), E_OK);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf taken, kept;
        buf_init(&taken, 1000);
        buf_init(&kept, 1000);
        why.text[0] = '\0';
        write_file("redgrid.yaml", rows[i].file);
        enum err err = settings_reload(settings, environment, &taken, &kept, &why);
        assert_int_equal(err, rows[i].why[0] != '\0' ? E_BAD_INPUT : E_OK);
        assert_non_null(strstr(why.text, rows[i].why));
        assert_string_equal(buf_text(&taken), rows[i].taken);
        assert_string_equal(buf_text(&kept), rows[i].kept);
        assert_string_equal(settings_text(settings, SETTING_LOG_LEVEL_ID), rows[i].level);
        assert_int_equal(settings_number(settings, SETTING_WORKERS_MAX_ID), 3);
        assert_int_equal(settings_number(settings, SETTING_DRAIN_TIMEOUT_ID), 5);
        assert_string_equal(settings_text(settings, SETTING_DATA_ID), ".redgrid");
        buf_done(&taken);
        buf_done(&kept);
    }
}

/* Both files are sound; but the first listens to all, and only a start changes that. */
static void a_reload_never_takes_the_token_from_an_open_address(void **state)
{
    struct settings *settings = *state;
    struct cause why = {0};
    struct buf taken, kept;

    const char *path = write_file("redgrid.yaml", "listen: 0.0.0.0:7070\nlisten.token: t\n");
    assert_int_equal(
        settings_set(settings, SETTING_CONFIG_ID, SETTING_FLAG, slice_of(path), NULL, &why), E_OK);
    assert_int_equal(settings_load(settings, NULL, &why), E_OK);
    write_file("redgrid.yaml", "listen: 127.0.0.1:7070\n");
    buf_init(&taken, 1000);
    buf_init(&kept, 1000);
    assert_int_equal(settings_reload(settings, NULL, &taken, &kept, &why), E_BAD_INPUT);
    assert_string_equal(settings_text(settings, SETTING_LISTEN_TOKEN_ID), "t");
    buf_done(&taken);
    buf_done(&kept);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_defaults_are_valid_values),
        CASE(a_higher_source_wins_in_any_order_of_reading),
        CASE(lists_grow_within_a_source_and_are_replaced_by_a_higher_one),
        CASE(mistakes_in_a_file_name_place_and_field),
        CASE(flags_and_variables_name_themselves),
        CASE(secrets_may_be_references),
        CASE(addresses_split),
        CASE(the_sample_without_its_comments_is_a_valid_file),
        CASE(a_reload_takes_what_may_change_and_names_the_rest),
        CASE(a_reload_never_takes_the_token_from_an_open_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
