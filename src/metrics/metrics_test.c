#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/metrics.h"

#define TEXT_MAX_BYTES (4 * 1024 * 1024)

static struct buf text;

static int set_up(void **state)
{
    *state = metrics_new();
    buf_init(&text, TEXT_MAX_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    metrics_free(*state);
    buf_done(&text);
    return 0;
}

static const char *written(void **state)
{
    buf_clear(&text);
    metrics_write(*state, &text);
    return buf_text(&text);
}

static void assert_holds(const char *all, const char *line)
{
    if (strstr(all, line) == NULL)
        fail_msg("no '%s' in:\n%s", line != NULL ? line : "", all != NULL ? all : "");
}

static void a_counter_is_one_line(void **state)
{
    const char *const labels[] = {"shop", "orders", "succeeded", NULL};
    struct series *series = metrics_series(*state, METRIC_ID_INVOCATIONS, labels);

    series_add(series, 2);
    series_add(metrics_series(*state, METRIC_ID_INVOCATIONS, labels), 1);
    assert_string_equal(
        written(state),
        "# HELP redgrid_invocations_total Attempts to run a function: succeeded, failed, timeout, "
        "crashed, canceled.\n"
        "# TYPE redgrid_invocations_total counter\n"
        "redgrid_invocations_total{app=\"shop\",function=\"orders\",result=\"succeeded\"} 3\n");
}

static void a_metric_without_labels_has_no_braces(void **state)
{
    series_set(metrics_series(*state, METRIC_ID_UPTIME, NULL), 1.5);
    assert_holds(written(state), "\nredgrid_uptime_seconds 1.5\n");
}

static void label_values_are_escaped(void **state)
{
    const char *const labels[] = {"a\"b\\c\nd", NULL};
    series_set(metrics_series(*state, METRIC_ID_WORKERS, labels), 7);
    assert_holds(written(state), "redgrid_workers{app=\"a\\\"b\\\\c\\nd\"} 7\n");
}

static void a_histogram_counts_up(void **state)
{
    const char *const labels[] = {"shop", "orders", NULL};
    struct series *series = metrics_series(*state, METRIC_ID_INVOCATION_SECONDS, labels);
#define NAME "redgrid_invocation_duration_seconds"
    static const double seen[] = {0.00005, 0.00006, 0.004, 61};

    for (size_t i = 0; i < 4; i++)
        series_observe(series, seen[i]);
    const char *all = written(state);
    assert_holds(all, NAME "_bucket{app=\"shop\",function=\"orders\",le=\"0.00005\"} 1\n");
    assert_holds(all, NAME "_bucket{app=\"shop\",function=\"orders\",le=\"0.0001\"} 2\n");
    assert_holds(all, NAME "_bucket{app=\"shop\",function=\"orders\",le=\"0.0025\"} 2\n");
    assert_holds(all, NAME "_bucket{app=\"shop\",function=\"orders\",le=\"0.005\"} 3\n");
    assert_holds(all, NAME "_bucket{app=\"shop\",function=\"orders\",le=\"60\"} 3\n");
    assert_holds(all, NAME "_bucket{app=\"shop\",function=\"orders\",le=\"+Inf\"} 4\n");
    assert_holds(all, NAME "_sum{app=\"shop\",function=\"orders\"} 61.00411\n");
    assert_holds(all, NAME "_count{app=\"shop\",function=\"orders\"} 4\n");
    assert_int_equal(series_count(series), 4);
}

static void too_many_series_share_one(void **state)
{
    struct series *last = NULL, *before = NULL;
    char name[32];

    for (int i = 0; i < METRIC_SERIES_MAX + 10; i++) {
        snprintf(name, sizeof name, "app%d", i);
        before = last;
        last = metrics_series(*state, METRIC_ID_WORKERS, (const char *const[]){name, NULL});
        series_add(last, 1);
    }
    assert_ptr_equal(before, last);
    assert_holds(written(state), "redgrid_workers{app=\"other\"} 10\n");
}

static void a_dropped_series_is_not_shown_and_starts_again_at_zero(void **state)
{
    const char *const gone[] = {"gone", NULL};
    const char *const stays[] = {"stays", NULL};
    struct series *series = metrics_series(*state, METRIC_ID_WORKERS, gone);

    series_set(series, 3);
    series_set(metrics_series(*state, METRIC_ID_WORKERS, stays), 4);
    metrics_drop(*state, "app", "gone");
    assert_null(strstr(written(state), "gone"));
    assert_holds(written(state), "stays");
    series_add(series, 1); /* who still holds it does no harm */
    metrics_series(*state, METRIC_ID_WORKERS, gone);
    assert_holds(written(state), "redgrid_workers{app=\"gone\"} 0\n");
}

static void every_metric_is_documented(void **state)
{
    (void)state;
    metrics_write_docs(&text);
    assert_holds(buf_text(&text), "| `redgrid_lag_seconds` | histogram | `app`, `function` | ");
    assert_int_equal(buf_err(&text), E_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_counter_is_one_line),
        CASE(a_metric_without_labels_has_no_braces),
        CASE(label_values_are_escaped),
        CASE(a_histogram_counts_up),
        CASE(too_many_series_share_one),
        CASE(a_dropped_series_is_not_shown_and_starts_again_at_zero),
        CASE(every_metric_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
