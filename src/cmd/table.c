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

void table_write(const struct table *table, struct buf *out)
{
    size_t wide[TABLE_COLUMNS_MAX] = {0};

    for (size_t i = 0; i < table->count; i++) {
        size_t places = width(table->cells[i]);
        if (places > wide[i % table->columns])
            wide[i % table->columns] = places;
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        size_t fill = wide[column] - width(table->cells[i]);
        bool is_last = column + 1 == table->columns;
        if (table->is_right[column])
            buf_addf(out, "%*s%s%s", (int)fill, "", table->cells[i], is_last ? "" : "  ");
        else
            buf_addf(out, "%s%*s", table->cells[i], is_last ? 0 : (int)fill + GAP, "");
        if (is_last)
            buf_add_byte(out, '\n');
    }
}
