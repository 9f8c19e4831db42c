/* api/pull.h - clients that fetch events for themselves, from subscriptions in queue mode
 * (eventgrid.md 6): POST /topics/TOPIC/eventsubscriptions/NAME:VERB, in any case.
 * Rules: what is received is locked for that client, who shows the lock's token to say what becomes
 * of the event. A client that waits costs a connection, so there is a limit to how many do; one
 * that leaves gives back what comes meanwhile.
 * To add a verb: a row in verbs[]. */
#ifndef API_PULL_H
#define API_PULL_H

#include "api/exchange.h"

struct scope;

#define PULL_VERSIONS "2023-11-01, 2024-06-01"

enum pull_verb {
    PULL_PUBLISH, /* /topics/TOPIC:publish, which is topics.c's */
    PULL_RECEIVE,
    PULL_ACKNOWLEDGE,
    PULL_RELEASE,
    PULL_REJECT,
    PULL_RENEW
};

struct pull_path {
    enum pull_verb verb;
    struct slice topic, subscription;
};

/* pull_read_path: is it one of these paths? The slices point into the request. */
bool pull_read_path(const struct http_request *request, struct pull_path *ret);
/* pull_handle answers a request that may go on, now or later: E_OK; or the error of the refusal in
 * `why`, and the answer is the caller's. Not for PULL_PUBLISH. */
enum err pull_handle(struct scope *scope, const struct pull_path *path,
                     const struct exchange *exchange, struct refusal *why);
void pull_write_docs(struct buf *out); /* rows of a table in Markdown */

#endif
