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
    assert_holds(written(state), "redgrid_workers{app=\"_other\"} 10\n");
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

static struct series *workers_of(void **state, int app)
{
    char name[32];

    snprintf(name, sizeof name, "app%d", app);
    return metrics_series(*state, METRIC_ID_WORKERS, (const char *const[]){name, NULL});
}

static void a_series_goes_with_the_last_who_holds_it(void **state)
{
    struct series *one = workers_of(state, 1), *two = workers_of(state, 2);

    assert_ptr_equal(one, workers_of(state, 1));
    series_set(one, 3);
    series_set(two, 4);
    metrics_release(*state, one);
    assert_holds(written(state), "redgrid_workers{app=\"app1\"} 3\n");
    metrics_release(*state, one);
    assert_null(strstr(written(state), "app1"));
    assert_holds(written(state), "redgrid_workers{app=\"app2\"} 4\n");
    workers_of(state, 1);
    assert_holds(written(state), "redgrid_workers{app=\"app1\"} 0\n");
    metrics_release(*state, NULL);
}

static void released_series_make_room_for_others(void **state)
{
    struct series *first = workers_of(state, 0), *beyond;

    for (int i = 1; i < METRIC_SERIES_MAX; i++)
        workers_of(state, i);
    beyond = workers_of(state, METRIC_SERIES_MAX);
    series_add(beyond, 7);
    metrics_release(*state, beyond); /* the common one stays, with what it counted */
    metrics_release(*state, first);
    series_add(workers_of(state, METRIC_SERIES_MAX), 5);
    assert_holds(written(state), "redgrid_workers{app=\"app2000\"} 5\n");
    assert_holds(written(state), "redgrid_workers{app=\"_other\"} 7\n");
}

static void a_gauge_is_raised_but_never_lowered(void **state)
{
    struct series *series = workers_of(state, 0);

    series_raise(series, 5);
    series_raise(series, 4);
    assert_true(series_value(series) == 5);
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
        CASE(a_series_goes_with_the_last_who_holds_it),
        CASE(released_series_make_room_for_others),
        CASE(a_gauge_is_raised_but_never_lowered),
        CASE(every_metric_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
