/* functions/listener.h - what waits for messages and hands them to a function.
 * Kinds: listener_list.c, listener_stream.c, listener_pubsub.c, each at-least-once where Redis lets
 * it be; and listener_event.c, to which the router brings events. To add a kind: a file that
 * exports its `const struct listener_kind`, and a row in listener_kinds[] of listener.c. */
#ifndef FUNCTIONS_LISTENER_H
#define FUNCTIONS_LISTENER_H

#include "functions/delivery.h"
#include "functions/host.h"
#include "functions/script.h"
#include "redis/client.h"

struct listener_options {
    struct loop *loop;
    struct redis_hub *hub;
    struct redis_options *redis; /* where to listen; the listener takes its own references.
                                    NULL: events */
    struct dispatcher *dispatcher;
    struct metrics *metrics;
    const char *node_id; /* consumer name of this process */
    struct host_peers peers;
    /* Once: the server has answered (well or badly) the first attempt to listen. */
    void (*answered)(void *ctx);
    void *ctx;
};

struct listener_stats {
    uint64_t acknowledged, redelivered, dead_lettered, dropped;
    size_t in_flight; /* runs now */
    size_t waiting;   /* taken, but no slot is free yet */
};

/* What every kind has in common; first member of each kind's struct. */
struct listener {
    const struct listener_kind *kind;
    struct listener_options options;
    const struct trigger *trigger;
    struct redis *commands; /* the shared connection: all that does not block; NULL: events */
    struct listener_stats stats;
    struct series *acknowledged_series, *failed_series, *dead_series, *dropped_series,
        *redelivered_series;
    struct op *stop_op; /* set while stopping; ended when nothing is under way */
    bool is_paused;     /* takes nothing new: its app is unhealthy */
    bool is_stopping;
    bool has_answered;
    char *prefix;             /* "[Name:f][Trigger:RedisListTrigger][Key:k]" */
    char complaint[256];      /* the last error logged, so that it is logged once */
    uint32_t misses;          /* errors in a row: decides the back-off */
    bool is_ack_refused;      /* has been said */
    size_t message_max_bytes; /* of one message in all its forms */
};

struct listener_kind {
    enum trigger_type type;
    const char *name; /* "RedisListTrigger" */
    /* Takes `options`; starts listening at once. */
    enum err (*start)(const struct listener_options *options, struct listener **ret,
                      struct cause *why);
    /* Pause: takes nothing new; what runs goes on. */
    void (*pause)(struct listener *listener, bool is_paused);
    /* No new work; the op ends when all that runs has ended and is acknowledged. `hurry` cuts that
     * short: what runs is aborted and stays with the server. */
    void (*stop)(struct listener *listener, struct op *op);
    void (*hurry)(struct listener *listener);
    void (*free)(struct listener *listener); /* after the stop ended */
    /* A node died: take over what it held. NULL = nothing to take over. */
    void (*node_died)(struct listener *listener);
};

extern const struct listener_kind listener_list_kind, listener_stream_kind, listener_pubsub_kind,
    listener_event_kind;

const struct listener_kind *listener_kind_of(enum trigger_type type);

/* For the kinds. */
void listener_init(struct listener *listener, const struct listener_kind *kind,
                   const struct listener_options *options);
void listener_done(struct listener *listener);
/* listener_answered reports the first answer, once. */
void listener_answered(struct listener *listener);
/* listener_complain logs an error the first time it comes; listener_recovered forgets it (and says
 * so). */
void listener_complain(struct listener *listener, enum err err, const struct cause *why);
void listener_recovered(struct listener *listener);
/* listener_too_large says that `what` ("entry 1-0") of a key or channel cannot be run, for it takes
 * more than message_max_bytes; E_LIMIT, and the text for the dead letter in `why`. */
enum err listener_too_large(const struct listener *listener, const char *what, struct slice source,
                            struct cause *why);
/* listener_ack_ended says once that the server refuses to acknowledge, until one is accepted. */
void listener_ack_ended(struct listener *listener, enum err err, const struct cause *why);
/* listener_backoff_ms is the wait before the next try: 100 ms doubling to 10 s, with jitter; counts
 * a miss. */
uint64_t listener_backoff_ms(struct listener *listener);
/* The block time of a waiting command: pollingIntervalInMs, within 1..30 s. */
uint32_t listener_block_ms(const struct listener *listener);
void listener_count(struct series *series, uint64_t *counter);

#endif
