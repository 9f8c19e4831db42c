#include "event/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define S ((uint64_t)1000)
#define M (60 * S)
#define H (60 * M)

/* An endpoint that always gives the same answer, and a clock that jumps to each attempt. */
struct world {
    struct retry_limits limits;
    unsigned status;
    enum err err;
    double chance;
    uint64_t at_ms[40]; /* since publishing */
    uint32_t attempts;
    uint64_t dead_at_ms;
    const char *reason;
};

static void run(struct world *w)
{
    uint64_t published_ms = 1893456000000u, now_ms = published_ms, delay_ms = 0;

    for (w->attempts = 0;;) {
        w->reason = schedule_expired(&w->limits, published_ms, now_ms);
        if (w->reason != NULL)
            break;
        w->at_ms[w->attempts++] = now_ms - published_ms;
        struct attempt attempt = {.number = w->attempts,
                                  .outcome = outcome_of(w->status, w->err),
                                  .http_status = w->status};
        w->reason = schedule_next(&w->limits, &attempt, w->chance, &delay_ms);
        if (w->reason != NULL)
            break;
        now_ms += delay_ms;
    }
    w->dead_at_ms = now_ms - published_ms;
}

/* R1 */
static void attempts_follow_the_schedule(void **state)
{
    static const uint64_t times[] = {
        0,
        10 * S,
        40 * S,
        M + 40 * S,
        6 * M + 40 * S,
        16 * M + 40 * S,
        46 * M + 40 * S,
        H + 46 * M + 40 * S,
        4 * H + 46 * M + 40 * S,
        10 * H + 46 * M + 40 * S,
        22 * H + 46 * M + 40 * S,
    };
    static const double chances[] = {0, 0.5, 0.999};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(chances); i++) {
        struct world w = {.limits = {30, 1440}, .status = 500, .chance = chances[i]};
        run(&w);
        assert_string_equal(w.reason, "TimeToLiveExceeded");
        assert_true(w.attempts == 11 || (w.attempts == 10 && chances[i] > 0.9));
        for (size_t j = 0; j < w.attempts; j++)
            assert_in_range(w.at_ms[j], times[j], times[j] + times[j] / 10);
        assert_int_equal(chances[i] == 0 ? w.at_ms[10] : times[10], times[10]);
    }
}

static uint64_t delay(uint32_t number, unsigned status, uint64_t retry_after_ms)
{
    struct retry_limits limits = {30, 1440};
    struct attempt attempt = {number, outcome_of(status, E_OK), status, retry_after_ms};
    uint64_t delay_ms = 0;

    assert_null(schedule_next(&limits, &attempt, 0, &delay_ms));
    return delay_ms;
}

/* R2, R3 */
static void some_statuses_wait_longer(void **state)
{
    static const struct {
        uint32_t number;
        unsigned status;
        uint64_t retry_after_ms, delay_ms;
    } rows[] = {
        {1, 404, 0, 5 * M},       {5, 404, 0, 10 * M},       {1, 408, 0, 2 * M},
        {1, 503, 0, 30 * S},      {4, 503, 0, 5 * M},        {1, 500, 0, 10 * S},
        {1, 302, 0, 10 * S},      {1, 205, 0, 10 * S},       {1, 0, 0, 10 * S},
        {1, 429, 0, 10 * S},      {1, 429, 120 * S, 2 * M},  {1, 503, 120 * S, 2 * M},
        {4, 503, 120 * S, 5 * M}, {1, 500, 120 * S, 10 * S}, {10, 500, 0, 12 * H},
        {11, 500, 0, 12 * H},     {29, 500, 0, 12 * H},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (delay(rows[i].number, rows[i].status, rows[i].retry_after_ms) != rows[i].delay_ms)
            fail_msg("%u %u", rows[i].number, rows[i].status);
}

/* R4, R5 */
static void some_statuses_are_final(void **state)
{
    static const struct {
        unsigned status;
        enum err err;
        const char *outcome, *reason; /* NULL: tried again */
    } rows[] = {
        {200, E_OK, "Delivered", NULL},
        {201, E_OK, "Delivered", NULL},
        {202, E_OK, "Delivered", NULL},
        {203, E_OK, "Delivered", NULL},
        {204, E_OK, "Delivered", NULL},
        {205, E_OK, "GenericError", NULL},
        {302, E_OK, "GenericError", NULL},
        {400, E_OK, "BadRequest", "UndeliverableDueToHttpBadRequest"},
        {401, E_OK, "Unauthorized", "UndeliverableDueToHttpUnauthorized"},
        {403, E_OK, "Forbidden", "UndeliverableDueToHttpForbidden"},
        {404, E_OK, "NotFound", NULL},
        {408, E_OK, "TimedOut", NULL},
        {413, E_OK, "PayloadTooLarge", "UndeliverableDueToHttpRequestEntityTooLarge"},
        {429, E_OK, "Busy", NULL},
        {500, E_OK, "GenericError", NULL},
        {502, E_OK, "GenericError", NULL},
        {503, E_OK, "Busy", NULL},
        {504, E_OK, "GenericError", NULL},
        {0, E_REFUSED, "SocketError", NULL},
        {0, E_CLOSED, "SocketError", NULL},
        {0, E_TLS, "SocketError", NULL},
        {0, E_DNS, "ResolutionError", NULL},
        {0, E_TIMEOUT, "TimedOut", NULL},
        {0, E_BAD_WIRE, "GenericError", NULL},
        {0, E_CANCELED, "Aborted", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct retry_limits limits = {30, 1440};
        enum outcome outcome = outcome_of(rows[i].status, rows[i].err);
        struct attempt attempt = {1, outcome, rows[i].status, 0};
        uint64_t delay_ms = 0;
        if (strcmp(outcome_name(outcome), rows[i].outcome) != 0)
            fail_msg("%u %s: %s", rows[i].status, err_name(rows[i].err), outcome_name(outcome));
        const char *reason = schedule_next(&limits, &attempt, 0, &delay_ms);
        if (rows[i].reason == NULL ? reason != NULL
                                   : reason == NULL || strcmp(reason, rows[i].reason) != 0)
            fail_msg("%u: %s", rows[i].status, reason);
    }
}

/* R6, R7 */
static void time_and_attempts_run_out(void **state)
{
    struct world ttl = {.limits = {30, 30}, .status = 500};
    struct world attempts = {.limits = {3, 1440}, .err = E_REFUSED};
    struct world one = {.limits = {1, 1}, .status = 500};

    (void)state;
    run(&ttl);
    assert_int_equal(ttl.attempts, 6);
    assert_int_equal(ttl.dead_at_ms, 46 * M + 40 * S);
    assert_string_equal(ttl.reason, "TimeToLiveExceeded");
    run(&attempts);
    assert_int_equal(attempts.attempts, 3);
    assert_int_equal(attempts.dead_at_ms, 40 * S);
    assert_string_equal(attempts.reason, "MaxDeliveryAttemptsExceeded");
    run(&one);
    assert_int_equal(one.attempts, 1);
    assert_int_equal(one.dead_at_ms, 0);
}

static void time_to_live_ends_to_the_millisecond(void **state)
{
    struct retry_limits limits = {30, 1};

    (void)state;
    assert_null(schedule_expired(&limits, 1000, 1000 + M - 1));
    assert_non_null(schedule_expired(&limits, 1000, 1000 + M));
    assert_null(schedule_expired(&limits, 1000, 0)); /* a clock that was set back */
}

static void servers_ask_for_time(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {
        {"120", 120 * S},
        {" 0 ", 0},
        {"Tue, 01 Jan 2030 00:02:00 GMT", 120 * S},
        {"Mon, 31 Dec 2029 00:02:00 GMT", 0},
        {"99999999999", RETRY_AFTER_MAX_MS},
        {"Tue, 01 Jan 2040 00:02:00 GMT", RETRY_AFTER_MAX_MS},
    };
    static const char *const bad[] = {"", "-1", "1.5", "soon", "2030-01-01"};
    uint64_t ms = 7;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (!retry_after_parse(slice_of(rows[i].text), 1893456000000u, &ms) || ms != rows[i].ms)
            fail_msg("%s: %llu", rows[i].text, (unsigned long long)ms);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(retry_after_parse(slice_of(bad[i]), 1893456000000u, &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_follow_the_schedule),
        cmocka_unit_test(some_statuses_wait_longer),
        cmocka_unit_test(some_statuses_are_final),
        cmocka_unit_test(time_and_attempts_run_out),
        cmocka_unit_test(time_to_live_ends_to_the_millisecond),
        cmocka_unit_test(servers_ask_for_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
