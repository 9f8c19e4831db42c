/* api/event_tail.h - what happens to events, as it happens, for those who watch.
 * Rules: with nobody watching the router is not even asked to tell (router/watch.h). Lines of one
 * turn leave together. A watcher that is too slow loses lines, and is told how many; what waits for
 * one is limited, and so is how many there are. Now and then an empty line is a sign of life: who
 * has left is noticed then. */
#ifndef API_EVENT_TAIL_H
#define API_EVENT_TAIL_H

#include "base/str.h"

#define EVENT_TAIL_WATCHERS 16
#define EVENT_TAIL_MAX_BYTES (2 * 1024 * 1024) /* what may wait for one watcher */

struct event_tail;
struct http_request;
struct loop;
struct router;

struct event_tail *event_tail_new(struct loop *loop);
void event_tail_free(struct event_tail *tail); /* ends its watchers too; NULL is fine */
void event_tail_end(struct event_tail *tail);  /* its watchers */
/* event_tail_router: whose events; NULL before it is made and after it is gone. */
void event_tail_router(struct event_tail *tail, struct router *router);

/* event_tail_answer answers with one JSON object a line, until the client leaves: time, what (as
 * SIGHTS are called, or `missed`), topic, subscription, id, type, subject, and what else there is
 * to tell. ?topic=NAME and ?subscription=NAME narrow it; what is said of a topic alone is not told
 * to who asks for a subscription. */
void event_tail_answer(struct event_tail *tail, struct http_request *request);

#endif
