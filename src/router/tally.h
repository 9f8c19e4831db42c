/* router/tally.h - what this node counts of a topic and of each of its subscriptions, for metrics
 * and status pages, and what it tells who watches.
 * Rules: to count is to add through a pointer. Tallies are counted references: a subscription that
 * changes, or is removed and has deliveries under way, keeps its own. Metrics beyond the limit of
 * series share some (metrics.h); the counts in here never do. */
#ifndef ROUTER_TALLY_H
#define ROUTER_TALLY_H

#include "base/list.h"
#include "event/publish.h"
#include "metrics/metrics.h"
#include "router/watch.h"
#include "store/queue.h"

/* What all tallies of a router share. */
struct tallies {
    struct metrics *metrics;
    struct watch watch;
};

/* Series of one metric that differ in their last label only, made when they are needed. */
struct kinds {
    enum metric_id id;
    struct list all;
};

/* ---- topics ---- */

struct topic_counts {
    uint64_t published, matched, unmatched; /* events */
    uint64_t refused;                       /* requests */
};
struct topic_tally {
    unsigned refs;
    struct tallies *tallies;
    char *topic;
    struct topic_counts counts;
    struct series *published, *matched, *unmatched;
    struct kinds refused;
};
struct topic_tally *topic_tally_new(struct tallies *tallies, const char *topic);
struct topic_tally *topic_tally_ref(struct topic_tally *tally);
struct topic_tally *topic_tally_unref(struct topic_tally *tally); /* NULL; NULL is fine */

/* What a request that was answered 200 published. */
struct published {
    const struct event_batch *batch;
    const uint32_t *wanted; /* how many wanted each event; NULL = nobody watched when it began */
    uint64_t matched, unmatched;
};
void topic_tally_published(struct topic_tally *tally, const struct published *published);
void topic_tally_refused(struct topic_tally *tally, const struct refusal *why);

/* ---- subscriptions ---- */

struct tally_counts {
    uint64_t queued, delivered, retried, dead, dropped; /* events */
    uint64_t failed;                                    /* attempts, of each event of a batch */
};
struct tally {
    unsigned refs;
    struct tallies *tallies;
    char *topic, *subscription;
    struct tally_counts counts;
    struct queue_stats stats; /* of its queue, as the last survey found it (survey.h) */
    struct series *queued, *delivered, *retried, *dropped, *seconds;
    struct series *in_flight, *rests, *depth, *oldest, *dead_letters; /* gauges: survey.h */
    struct kinds failed, dead, pulled;
};
struct tally *tally_new(struct tallies *tallies, const char *topic, const char *subscription);
struct tally *tally_ref(struct tally *tally);
struct tally *tally_unref(struct tally *tally); /* NULL; NULL is fine */

/* What has happened to one event; `event` may be NULL: it cannot be read. */
struct delivery_note {
    const struct event *event;
    uint32_t attempt; /* from 1; of a dead letter: how many there were */
    enum outcome outcome;
    unsigned http_status;      /* 0 = no answer, or none of HTTP */
    uint64_t accepted_unix_ms; /* by the store */
};
void tally_queued(struct tally *tally);
void tally_delivered(struct tally *tally, const struct delivery_note *note);
void tally_failed(struct tally *tally, const struct delivery_note *note);
void tally_parked(struct tally *tally, const struct delivery_note *note, uint64_t due_unix_ms);
void tally_dead(struct tally *tally, const struct delivery_note *note, const char *reason);

/* What pull clients did, and how it is called. Received: PULL_RECEIVED for the events of each
 * answer; the others once for what each request did to how many, PULL_LOST for those whose lock was
 * no longer theirs. Acknowledged counts as delivered, rejected as a dead letter. 0 is fine. */
#define PULL_RESULTS(X)                                                                            \
    X(PULL_RECEIVED, "received")                                                                   \
    X(PULL_ACKNOWLEDGED, "acknowledged")                                                           \
    X(PULL_RELEASED, "released")                                                                   \
    X(PULL_REJECTED, "rejected")                                                                   \
    X(PULL_RENEWED, "renewed")                                                                     \
    X(PULL_LOST, "lost")

#define PULL_ENUM(result, name) result,
enum pull_result { PULL_RESULTS(PULL_ENUM) };
#undef PULL_ENUM
void tally_pulled(struct tally *tally, enum pull_result result, uint64_t count);

/* tally_buried: so many of a queue that clients receive from became dead letters. */
void tally_buried(struct tally *tally, const struct queue_burials *burials);

/* tally_dropped: so many are gone without having been delivered, as somebody wanted. */
void tally_dropped(struct tally *tally, uint64_t count);

#endif
