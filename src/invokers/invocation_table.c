#include "invokers/invocation_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 32

/* The first 8 hexadecimal digits of a random UUID are 32 random bits; a multiplication gathers the
 * low four bits of each, which are the ones that vary. */
static size_t home_of(const char *id, size_t cap)
{
    uint64_t word;
    memcpy(&word, id, sizeof word);
    return (size_t)((word * 0x9e3779b97f4a7c15u) >> 32) & (cap - 1);
}

static void place(struct invocation_table *table, struct invocation *invocation)
{
    size_t i = home_of(invocation->id.text, table->cap);
    while (table->slots[i] != NULL)
        i = (i + 1) & (table->cap - 1);
    table->slots[i] = invocation;
}

static void grow(struct invocation_table *table)
{
    struct invocation_table old = *table;
    table->cap = old.cap == 0 ? FIRST_SLOTS : old.cap * 2;
    table->slots = mem_new_array(table->cap, struct invocation *);
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i] != NULL)
            place(table, old.slots[i]);
    free(old.slots);
}

void invocation_table_done(struct invocation_table *table)
{
    free(table->slots);
    *table = (struct invocation_table){0};
}

void invocation_table_add(struct invocation_table *table, struct invocation *invocation)
{
    if ((table->count + 1) * 2 > table->cap)
        grow(table);
    place(table, invocation);
    table->count++;
}

struct invocation *invocation_table_find(const struct invocation_table *table, struct slice id)
{
    if (table->count == 0 || id.len != ID_LEN)
        return NULL;
    for (size_t i = home_of(id.data, table->cap);; i = (i + 1) & (table->cap - 1)) {
        struct invocation *at = table->slots[i];
        if (at == NULL || memcmp(at->id.text, id.data, ID_LEN) == 0)
            return at;
    }
}

/* Closes the gap: whoever stands behind it and is not at home moves up, so that no tombstones
 * gather. */
void invocation_table_remove(struct invocation_table *table, struct invocation *invocation)
{
    size_t mask = table->cap - 1;
    size_t gap = home_of(invocation->id.text, table->cap);
    while (table->slots[gap] != invocation) {
        assert(table->slots[gap] != NULL);
        gap = (gap + 1) & mask;
    }
    for (size_t i = (gap + 1) & mask; table->slots[i] != NULL; i = (i + 1) & mask) {
        size_t home = home_of(table->slots[i]->id.text, table->cap);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            table->slots[gap] = table->slots[i];
            gap = i;
        }
    }
    table->slots[gap] = NULL;
    table->count--;
}
