/* cmd/table.h - columns of text, as wide as they must be. Control bytes are shown as '?', because
 * what a server says must not drive the terminal. */
#ifndef CMD_TABLE_H
#define CMD_TABLE_H

#include "base/buf.h"

#define TABLE_COLUMNS_MAX 16

struct table {
    size_t columns;
    char **cells; /* row after row, the head first */
    size_t count, cap;
    bool is_right[TABLE_COLUMNS_MAX]; /* numbers */
    char rank[TABLE_COLUMNS_MAX];     /* '1' leaves first when there is no room; 0 stays */
};

/* table_init takes the head: names separated by '|'. In front of a name may stand a digit, its
 * column's rank among those that leave when the page is too narrow, and then '>', which aligns it
 * to the right. */
void table_init(struct table *table, const char *head);
void table_done(struct table *table);
void table_text(struct table *table, const char *text); /* the next cell */
void table_int(struct table *table, long long number);
void table_fixed(struct table *table, double number); /* two digits behind the point */
/* table_write: `places` is the width of the page; 0 = as wide as need be. */
void table_write(const struct table *table, size_t places, struct buf *out);

#endif
