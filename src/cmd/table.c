#include "cmd/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define GAP 2

static void add_cell(struct table *table, struct slice text)
{
    if (table->count == table->cap) {
        table->cap = table->cap == 0 ? 64 : table->cap * 2;
        table->cells = mem_resize(table->cells, table->cap, sizeof(char *));
    }
    char *cell = slice_dup(text);
    for (char *at = cell; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    table->cells[table->count++] = cell;
}

void table_init(struct table *table, const char *head)
{
    struct slice rest = slice_of(head), name;

    *table = (struct table){0};
    while (slice_cut(&rest, '|', &name) && table->columns < TABLE_COLUMNS_MAX) {
        bool has_rank = name.len > 0 && name.data[0] >= '1' && name.data[0] <= '9';
        table->rank[table->columns] = has_rank ? name.data[0] : '\0';
        name = slice_from(name, has_rank);
        bool is_right = name.len > 0 && name.data[0] == '>';
        table->is_right[table->columns++] = is_right;
        add_cell(table, slice_from(name, is_right));
    }
}

void table_done(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){0};
}

void table_text(struct table *table, const char *text)
{
    add_cell(table, slice_of(text));
}

void table_int(struct table *table, long long number)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", number);
    add_cell(table, slice_of(text));
}

void table_fixed(struct table *table, double number)
{
    char text[64];

    snprintf(text, sizeof text, "%.2f", number);
    add_cell(table, slice_of(text));
}

/* How many places the text takes: bytes of UTF-8 that go on take none. */
static size_t width(const char *text)
{
    size_t places = 0;

    for (; *text != '\0'; text++)
        places += ((unsigned char)*text & 0xc0) != 0x80;
    return places;
}

/* leave_out gives the columns up that leave first, until the rest fits. Left out is 0 wide. */
static void leave_out(const struct table *table, size_t *wide, size_t places)
{
    size_t sum = 0;

    for (size_t i = 0; i < table->columns; i++)
        sum += wide[i] + GAP;
    for (char rank = '1'; rank <= '9' && sum > places + GAP; rank++)
        for (size_t i = 0; i < table->columns; i++)
            if (table->rank[i] == rank) {
                sum -= wide[i] + GAP;
                wide[i] = 0;
            }
}

static void write_row(const struct table *table, const size_t *wide, char *const *cells,
                      struct buf *out)
{
    size_t gap = 0, fill = 0; /* before the next cell: nothing is filled up behind the last one */

    for (size_t i = 0; i < table->columns; i++) {
        if (wide[i] == 0)
            continue;
        size_t room = wide[i] - width(cells[i]);
        buf_addf(out, "%*s%s", (int)(gap + fill + (table->is_right[i] ? room : 0)), "", cells[i]);
        gap = GAP;
        fill = table->is_right[i] ? 0 : room;
    }
    buf_add_byte(out, '\n');
}

void table_write(const struct table *table, size_t places, struct buf *out)
{
    size_t wide[TABLE_COLUMNS_MAX] = {0};

    for (size_t i = 0; i < table->count; i++) {
        size_t own = width(table->cells[i]);
        if (own > wide[i % table->columns])
            wide[i % table->columns] = own;
    }
    if (places != 0)
        leave_out(table, wide, places);
    for (size_t i = 0; i + table->columns <= table->count; i += table->columns)
        write_row(table, wide, table->cells + i, out);
}
