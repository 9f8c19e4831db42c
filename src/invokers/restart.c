#include "invokers/restart.h"

#include <assert.h>

#define FIRST_DELAY_MS 1000u
#define LAST_DELAY_MS 60000u
#define LONG_LIFE_MS 60000u /* whoever lived this long starts with a clean slate */
#define SHORT_LIFE_MS 1000u /* restarting these at once would keep a core busy */
#define EXIT_AGAIN 200

enum ending restart_ending(int exit_code, int signal_number, bool was_ready)
{
    if (signal_number != 0)
        return ENDING_ERROR;
    if (exit_code == EXIT_AGAIN)
        return ENDING_AGAIN;
    return exit_code == 0 && was_ready ? ENDING_CLEAN : ENDING_ERROR;
}

bool restart_is_unhealthy(const struct restart *restart, uint32_t limit, uint64_t now_ms)
{
    assert(limit >= 1 && limit <= RESTART_ERRORS_MAX);
    if (restart->errors < limit)
        return false;
    uint64_t at_ms = restart->errors_at_ms[(restart->errors - limit) % RESTART_ERRORS_MAX];
    return now_ms - at_ms <= RESTART_WINDOW_MS;
}

uint64_t blame_group(struct blame *blame)
{
    return ++blame->crashes;
}

bool blame_alone(struct blame *blame, uint64_t number)
{
    if (number <= blame->explained)
        return false;
    blame->explained = number;
    return true;
}

static uint64_t error_delay_ms(struct restart *restart, uint64_t lived_ms)
{
    if (lived_ms >= LONG_LIFE_MS)
        restart->in_a_row = 0;
    uint64_t delay_ms = (uint64_t)FIRST_DELAY_MS
                        << (restart->in_a_row < 16 ? restart->in_a_row : 16);
    restart->in_a_row++;
    return delay_ms < LAST_DELAY_MS ? delay_ms : LAST_DELAY_MS;
}

uint64_t restart_judge(struct restart *restart, enum ending ending, uint32_t limit,
                       uint64_t started_at_ms, uint64_t now_ms)
{
    uint64_t lived_ms = now_ms - started_at_ms;
    uint64_t delay_ms = 0;
    switch (ending) {
    case ENDING_ASKED:
        return 0;
    case ENDING_AGAIN:
    case ENDING_CLEAN:
        return lived_ms < SHORT_LIFE_MS ? SHORT_LIFE_MS - lived_ms : 0;
    case ENDING_ERROR:
        restart->errors_at_ms[restart->errors++ % RESTART_ERRORS_MAX] = now_ms;
        delay_ms = error_delay_ms(restart, lived_ms);
        break;
    case ENDING_REPEAT:
        delay_ms = error_delay_ms(restart, lived_ms);
        break;
    }
    return restart_is_unhealthy(restart, limit, now_ms) ? RESTART_UNHEALTHY_MS : delay_ms;
}
