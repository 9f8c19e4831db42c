#include "invokers/runs.h"

#define ENOUGH_RUNS 64 /* to say how fast they end */
#define LATELY_RUNS 20000
#define LEAST_US 5 /* of one: the clock is too coarse for less */

void runs_init(struct runs *runs, uint64_t timeout_ms, bool is_serial)
{
    *runs = (struct runs){.timeout_ms = timeout_ms, .is_serial = is_serial};
    list_init(&runs->order);
}

void runs_done(struct runs *runs)
{
    invocation_table_done(&runs->table);
    list_init(&runs->order);
}

struct invocation *runs_oldest(const struct runs *runs)
{
    if (list_is_empty(&runs->order))
        return NULL;
    return container_of(runs->order.head.next, struct invocation, node);
}

static void clock_start(const struct runs *runs, struct invocation *run, uint64_t now_ms)
{
    run->expires_at_ms = runs->timeout_ms == 0 ? 0 : now_ms + runs->timeout_ms;
}

void runs_add(struct runs *runs, struct invocation *run, uint64_t now_ms)
{
    clock_start(runs, run, now_ms);
    if (list_is_empty(&runs->order))
        runs->busy_since_ms = runs->moved_at_ms = now_ms;
    list_push(&runs->order, &run->node);
    invocation_table_add(&runs->table, run);
}

void runs_restart(struct runs *runs, uint64_t now_ms)
{
    struct invocation *oldest = runs_oldest(runs);
    if (oldest != NULL)
        clock_start(runs, oldest, now_ms);
}

static void note_end(struct runs *runs, uint64_t now_ms)
{
    runs->moved_at_ms = now_ms;
    if (list_is_empty(&runs->order))
        runs->busy_ms += now_ms - runs->busy_since_ms;
    if (++runs->ended >= LATELY_RUNS) {
        runs->ended /= 2;
        runs->busy_ms /= 2;
    }
}

void runs_remove(struct runs *runs, struct invocation *run, uint64_t now_ms)
{
    bool was_oldest = runs->order.head.next == &run->node;
    list_remove(&run->node);
    note_end(runs, now_ms);
    invocation_table_remove(&runs->table, run);
    if (was_oldest && runs->is_serial)
        runs_restart(runs, now_ms);
}

struct invocation *runs_find(const struct runs *runs, struct slice id)
{
    return invocation_table_find(&runs->table, id);
}

uint64_t runs_wait_us(const struct runs *runs, uint64_t now_ms)
{
    if (runs->ended < ENOUGH_RUNS)
        return UINT64_MAX;
    if (list_is_empty(&runs->order))
        return 0;
    uint64_t busy_ms = runs->busy_ms + now_ms - runs->busy_since_ms;
    uint64_t each_us = busy_ms * 1000 / runs->ended;
    uint64_t wait_us = runs->table.count * (each_us > LEAST_US ? each_us : LEAST_US);
    uint64_t stuck_us = (now_ms - runs->moved_at_ms) * 1000; /* a run that hangs shows here */
    return wait_us > stuck_us ? wait_us : stuck_us;
}

uint64_t runs_expiry_ms(const struct runs *runs)
{
    const struct invocation *oldest = runs_oldest(runs);
    return oldest == NULL ? 0 : oldest->expires_at_ms;
}
