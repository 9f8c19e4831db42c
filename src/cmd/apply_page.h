/* cmd/apply_page.h - what `redgrid apply` says it did, or would do. */
#ifndef CMD_APPLY_PAGE_H
#define CMD_APPLY_PAGE_H

#include "base/buf.h"
#include "json/json.h"

/* apply_page_write writes the answer of /api/apply: a line for each topic and subscription, what
 * changes of it below, and a summary. Returns how many have failed. */
size_t apply_page_write(struct buf *out, const json_t *answer, bool is_dry);
/* apply_page_name appends "subscription orders/billing". */
void apply_page_name(struct buf *out, const json_t *resource);

#endif
