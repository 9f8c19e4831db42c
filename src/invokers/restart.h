/* invokers/restart.h - when a worker process that ended is started again. Pure.
 * Rules: one per app, for all of its processes. Behaviour: workers.md 8, functions.md 14.2. */
#ifndef INVOKERS_RESTART_H
#define INVOKERS_RESTART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESTART_ERRORS_MAX 64
#define RESTART_WINDOW_MS (30u * 60 * 1000)
#define RESTART_UNHEALTHY_MS (60u * 1000)

enum ending {
    ENDING_ASKED,  /* we wanted it gone: nothing to do */
    ENDING_AGAIN,  /* exit code 200, or killed for one run's timeout: at once, not counted */
    ENDING_CLEAN,  /* exit code 0 of a process that had been ready: the same */
    ENDING_REPEAT, /* the run alone that had crashed with others, which was counted: back-off */
    ENDING_ERROR,  /* all else: back-off, counted */
};

/* Which run a crash is due to. Of several nobody can tell, so each runs again, alone; when one of
 * them crashes again, that is the same crash once more. Crashes are numbered from 1. */
struct blame {
    uint64_t crashes;
    uint64_t explained; /* the last of those whose run was found */
};

struct restart {
    uint64_t errors_at_ms[RESTART_ERRORS_MAX]; /* the last ones, a ring */
    size_t errors;                             /* ever */
    uint32_t in_a_row;                         /* without a long life between them */
};

/* blame_group numbers a crash that each of several runs may have caused; blame_alone is asked when
 * a run crashed alone that had been in crash `number` (0 = in none): the same crash again? */
uint64_t blame_group(struct blame *blame);
bool blame_alone(struct blame *blame, uint64_t number);

/* restart_ending classifies an exit that nobody asked for. */
enum ending restart_ending(int exit_code, int signal_number, bool was_ready);

/* restart_judge notes the end of a process that was started at started_at_ms, and returns after how
 * many milliseconds to start it again: 0 or 1 s to 60 s. `limit` (1..RESTART_ERRORS_MAX) errors
 * within half an hour make the app unhealthy. */
uint64_t restart_judge(struct restart *restart, enum ending ending, uint32_t limit,
                       uint64_t started_at_ms, uint64_t now_ms);

/* restart_is_unhealthy: has the limit been reached within the last half hour? */
bool restart_is_unhealthy(const struct restart *restart, uint32_t limit, uint64_t now_ms);

#endif
