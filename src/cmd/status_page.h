/* cmd/status_page.h - the page that `redgrid status` and `redgrid top` show. On a terminal that is
 * too narrow for the table some columns are left out. */
#ifndef CMD_STATUS_PAGE_H
#define CMD_STATUS_PAGE_H

#include "base/buf.h"
#include "json/json.h"

/* status_page_write shows /api/status. With `before`, an earlier answer `span_ms` ago, rates are
 * shown too; NULL = none. */
void status_page_write(struct buf *out, const json_t *status, const json_t *before,
                       uint64_t span_ms);
/* function_table_write shows the array of functions. */
void function_table_write(struct buf *out, const json_t *functions, const json_t *before,
                          uint64_t span_ms);

#endif
