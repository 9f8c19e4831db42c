/* invokers/runs.h - what runs in one worker process: found by id, kept in order, with the time by
 * which each must end. Pure.
 * Rules: a run's clock starts when it is sent; in a serial worker when it is the oldest, because
 * the others only wait behind it. */
#ifndef INVOKERS_RUNS_H
#define INVOKERS_RUNS_H

#include "invokers/invocation_table.h"

struct runs {
    struct invocation_table table;
    struct list order;   /* the oldest first */
    uint64_t timeout_ms; /* 0 = none */
    bool is_serial;
    uint64_t busy_since_ms; /* while there are any; */
    uint64_t moved_at_ms;   /* and when one of them ended, or the first came */
    uint64_t busy_ms;       /* before that; both lately: halved now and then */
    uint64_t ended;         /* runs, in that time */
};

void runs_init(struct runs *runs, uint64_t timeout_ms, bool is_serial);
void runs_done(struct runs *runs); /* forgets what is in it */

void runs_add(struct runs *runs, struct invocation *run, uint64_t now_ms);
void runs_remove(struct runs *runs, struct invocation *run, uint64_t now_ms);
struct invocation *runs_find(const struct runs *runs, struct slice id);
struct invocation *runs_oldest(const struct runs *runs); /* NULL when there is none */
/* runs_restart gives the oldest its full time again. */
void runs_restart(struct runs *runs, uint64_t now_ms);
/* runs_expiry_ms: when the next run has used up its time; 0 = never. */
uint64_t runs_expiry_ms(const struct runs *runs);
/* runs_wait_us is how long one more would wait until those before it have ended, as fast as they
 * ended lately, but no less than since one ended; UINT64_MAX while nobody can tell. */
uint64_t runs_wait_us(const struct runs *runs, uint64_t now_ms);

#endif
