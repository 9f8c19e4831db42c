/* api/log_ring.h - the last log lines, for those who ask later, and those who follow.
 * Rules: noting a line copies it and does no more, since every function run logs twice. Followers
 * get what gathered once a turn. */
#ifndef API_LOG_RING_H
#define API_LOG_RING_H

#include "base/buf.h"
#include "base/log.h"

#define LOG_RING_LINES 4096
#define LOG_RING_LINE_MAX_BYTES 8192 /* of one line's text; the rest is cut */

struct http_request;
struct log_ring;
struct loop;

struct log_ring *log_ring_new(struct loop *loop); /* taps the log */
void log_ring_end(struct log_ring *ring);         /* ends the followers; more may come */
void log_ring_free(struct log_ring *ring);        /* ends them, for good */

struct log_query {
    struct slice function; /* SLICE_NONE or empty = all lines */
    uint64_t lines;        /* at most so many of the past */
    bool is_following;     /* goes on until the client leaves */
};
/* log_ring_answer answers the request with one JSON object a line: time, level, id, category,
 * function, invocation, message; what a line does not have is left out. */
void log_ring_answer(struct log_ring *ring, const struct log_query *query,
                     struct http_request *request);

#endif
