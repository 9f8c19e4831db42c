/* cmd/event_page.h - topics and event subscriptions as the commands show them: tables as wide as
 * the terminal allows. */
#ifndef CMD_EVENT_PAGE_H
#define CMD_EVENT_PAGE_H

#include "base/buf.h"
#include "json/json.h"

/* event_page_write writes the tables of the status's `topics`; nothing if there are none. With
 * `before` (may be NULL), the same of `span_ms` earlier, there is a column with rates. */
void event_page_write(struct buf *out, const json_t *topics, const json_t *before,
                      uint64_t span_ms);

/* add_span writes "3m 4s". */
void add_span(struct buf *out, json_int_t ms);

#endif
