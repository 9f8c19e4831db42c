/* invokers/invocation_table.h - the runs of one worker process, found by their id.
 * Rules: owns nothing; ids are random, so their own digits are the hash. A zeroed table is empty
 * and valid. Pure. */
#ifndef INVOKERS_INVOCATION_TABLE_H
#define INVOKERS_INVOCATION_TABLE_H

#include "invokers/invoker.h"

struct invocation_table {
    struct invocation **slots;
    size_t count;
    size_t cap; /* a power of two, or 0 */
};

void invocation_table_done(struct invocation_table *table); /* leaves zeroes */
/* invocation_table_add: the id must not be in the table. */
void invocation_table_add(struct invocation_table *table, struct invocation *invocation);
/* invocation_table_find: NULL when there is none (or `id` is no id). */
struct invocation *invocation_table_find(const struct invocation_table *table, struct slice id);
void invocation_table_remove(struct invocation_table *table, struct invocation *invocation);

#endif
