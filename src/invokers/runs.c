#include "invokers/runs.h"

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
    list_push(&runs->order, &run->node);
    invocation_table_add(&runs->table, run);
}

void runs_restart(struct runs *runs, uint64_t now_ms)
{
    struct invocation *oldest = runs_oldest(runs);
    if (oldest != NULL)
        clock_start(runs, oldest, now_ms);
}

void runs_remove(struct runs *runs, struct invocation *run, uint64_t now_ms)
{
    bool was_oldest = runs->order.head.next == &run->node;
    list_remove(&run->node);
    invocation_table_remove(&runs->table, run);
    if (was_oldest && runs->is_serial)
        runs_restart(runs, now_ms);
}

struct invocation *runs_find(const struct runs *runs, struct slice id)
{
    return invocation_table_find(&runs->table, id);
}

uint64_t runs_expiry_ms(const struct runs *runs)
{
    const struct invocation *oldest = runs_oldest(runs);
    return oldest == NULL ? 0 : oldest->expires_at_ms;
}
