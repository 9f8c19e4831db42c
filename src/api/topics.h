/* api/topics.h - what lies under /topics: where publishers send to, and pull clients (pull.h).
 *   POST /topics/NAME/api/events   events of the topic's schema (eventgrid.md 2)
 *   POST /topics/NAME:publish      CloudEvents, as clients of namespaces send them (eventgrid.md 6)
 * Checked in this order: route, method, authorization, size, content type, events; then the store.
 * Errors have the bodies that clients of Azure Event Grid know. */
#ifndef API_TOPICS_H
#define API_TOPICS_H

#include "base/buf.h"
#include "http/server.h"

struct loop;
struct router;

/* topics_is_path: does the request go here? */
bool topics_is_path(const struct http_request *request);
/* topics_begin sees it before its body has come, and answers what is refused whatever that is. */
void topics_begin(struct router *router, struct http_request *request);
/* topics_handle answers it, now or when the events are stored. `router` NULL: 503. */
void topics_handle(struct router *router, struct http_request *request);
void topics_write_docs(struct buf *out); /* a table in Markdown */

#endif
