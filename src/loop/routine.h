/* loop/routine.h - several waits in a row, written from top to bottom: a routine runs in stages,
 * each of which starts what it then waits for, and the next stage gets how that ended.
 *
 *     static enum stage run(struct routine *routine, uint32_t stage, enum err err)
 *     {
 *         struct visit *visit = container_of(routine, struct visit, routine);
 *
 *         if (err)
 *             return routine_end(routine, err);
 *         switch (stage) {
 *         case 0:
 *             return routine_wait(routine, &visit->op, door_open(visit->door, &visit->op));
 *         case 1:
 *             return routine_wait(routine, &visit->op, light_on(visit->light, &visit->op));
 *         default:
 *             return routine_end(routine, E_OK);
 *         }
 *     }
 *
 * Rules: what it waits for may be anything with an op, another routine too, or several at once. The
 * op that is waited for has no other `done`. When the routine ends, it waits for nothing. */
#ifndef LOOP_ROUTINE_H
#define LOOP_ROUTINE_H

#include <stdint.h>

#include "loop/op.h"

#define ROUTINE_WAITS_MAX 64 /* at once */

struct loop;

enum stage { STAGE_WAITS, STAGE_GOES_ON, STAGE_ENDS }; /* for `return` in run() alone */

struct routine {
    struct op op; /* the owner's, who sets `done`: ends when the routine does */
    enum stage (*run)(struct routine *routine, uint32_t stage, enum err err);
    struct cause why; /* behind `err` of this stage, for run() to read and to set */

    uint32_t stage; /* the rest is the routine's own */
    struct op *waits[ROUTINE_WAITS_MAX];
    uint32_t wait_count;
    enum err err; /* the first that failed in this stage */
    bool is_aborted;
    struct op begin;
};

/* routine_start: stage 0 comes with E_OK, from the loop. */
void routine_start(struct routine *routine, struct loop *loop,
                   enum stage (*run)(struct routine *routine, uint32_t stage, enum err err));

/* For run() alone. */

/* routine_wait: `op` has just been started, and `started` is what that returned: an error counts as
 * how it ended. Called several times in one stage, the next stage comes when all have ended, with
 * the first error. An abort of the routine aborts them; the next stage then gets E_CANCELED, once,
 * also if they ended well. */
enum stage routine_wait(struct routine *routine, struct op *op, enum err started);
/* routine_go: the next stage is that one, and comes at once unless routine_wait() is called too. */
enum stage routine_go(struct routine *routine, uint32_t stage);
/* routine_end ends it; a failure with the text that is in routine->why. */
enum stage routine_end(struct routine *routine, enum err err);

#endif
