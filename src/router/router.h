/* router/router.h - events from publishers to subscribers: publish, match, queue, deliver, retry,
 * dead letter.
 *
 *   router_publish() --> scope_match() --> queue_append() of each that matches --> all stored: done
 *   subscriber: queue_take() --> target --> finish, park or bury
 *
 * Rules: a publication that ended with E_OK stands in the queue of every subscription that wanted
 * it, as durably as the store keeps it. What is delivered, and how often it is tried, is
 * eventgrid.md 2 to 4. */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include "event/publish.h"
#include "router/catalog.h"
#include "router/change.h"
#include "router/identity.h"
#include "router/survey.h"
#include "store/resources.h"

struct blob_accounts;
struct router;

struct router_options {
    struct loop *loop;
    struct redis *redis;                  /* the store's shared connection; borrowed */
    struct redis *feed;                   /* a dedicated one; taken */
    struct http_client *http;             /* for webhooks; borrowed */
    struct http_client *storage;          /* for dead letters; borrowed */
    const struct blob_accounts *accounts; /* where they go; borrowed; NULL = none */
    struct metrics *metrics;              /* borrowed */
    const char *node;                     /* of this run */
    const char *url;                      /* of this server, as others know it */
    bool (*is_dead)(void *ctx, struct slice node);
    struct target *functions; /* delivers to functions; NULL = there are none. Borrowed */
    struct redis_hub *hub;    /* for Redis destinations; borrowed */
    /* As in struct targets. */
    enum err (*connection)(void *ctx, const char *name, char **ret, struct cause *why);
    /* Each document that comes, changes or goes, for others; NULL = nobody wants to know. */
    void (*changed)(void *ctx, struct slice id, struct slice document);
    void *ctx;
    bool allows_http;
    uint32_t timeout_ms;      /* of a delivery to a webhook; 0 = WEBHOOK_TIMEOUT_MS */
    uint32_t window;          /* of each subscription; 0 = SUBSCRIBER_WINDOW */
    size_t topics_max;        /* 0 = any number, here and below */
    size_t subscriptions_max; /* of one topic */
    uint64_t window_ms;       /* how long an endpoint may be confirmed by hand */
    uint32_t retry_ms;        /* between two attempts of a handshake; 0 = VALIDATION_RETRY_MS */
    uint32_t chores_ms;       /* how often it is looked for what is to be removed; 0 = CHORES_MS */
};

/* router_start: `loaded` ends with E_OK when all topics and subscriptions are known. */
struct router *router_start(const struct router_options *options, struct op *loaded);
struct catalog *router_catalog(struct router *router);
/* router_waits is how many pull clients wait for events. */
size_t router_waits(const struct router *router);
/* router_end_waits: pull clients that wait are answered now, and none waits any longer. */
void router_end_waits(struct router *router);
struct resources *router_resources(struct router *router);
struct changes *router_changes(struct router *router); /* to change what there is */
struct identity *router_identity(struct router *router);
struct survey *router_survey(struct router *router); /* how much stands in the queues */
struct watch *router_watch(struct router *router);   /* the owner's to fill in */
/* router_emits: an event has come into the outbox, with or without a change of a document. */
void router_emits(struct router *router);
/* router_node_died: peers.is_dead() would now say yes for one more. */
void router_node_died(struct router *router);

/* A publication under way; the owner embeds it. */
struct publication {
    struct op op;
    struct list_node node; /* among those that may not append now */
    struct router *router;
    char *scope;                 /* id of the topic, which may change or go meanwhile */
    struct topic_tally *tally;   /* counted */
    struct event_batch batch;    /* the router's */
    size_t bytes;                /* of the events in it */
    uint32_t *wanted;            /* how many want each event; NULL = nobody watches */
    size_t next;                 /* event that is to be matched */
    size_t under_way;            /* appends */
    uint64_t matched, unmatched; /* events, so far */
    enum err err;                /* the first failure */
    struct cause why;
    struct op begin;
};

/* router_publish takes the events, on failure too. Later: E_OK; E_NOT_FOUND: the topic has gone;
 * or the store's error, E_CLOSED, E_REDIS, ..: some subscriptions may have some of them, and the
 * publisher must send all again. Now: E_CANCELED, the router stops. */
enum err router_publish(struct router *router, const struct scope *scope, struct event_batch *batch,
                        struct publication *publication);

/* router_refused counts a request of a publisher that is refused; `topic` NULL: there is none of
 * that name. */
void router_refused(struct router *router, const struct scope *topic, const struct refusal *why);

/* What is being published is in memory, so whoever reads a request asks first. router_has_room: may
 * another begin? If not, router_wait_for_room: `op` ends with E_OK when it is worth asking again,
 * or the router stops; those who wait longest first. In callbacks: yes. */
#define PUBLISHING_MAX_BYTES (8 * 1024 * 1024) /* of events, beside the last that found room */
bool router_has_room(const struct router *router);
void router_wait_for_room(struct router *router, struct op *op);

/* router_stop: publications that have begun end; deliveries under way end, nothing new begins. The
 * op ends with E_OK; or E_TIMEOUT when limit_ms cut it short: what was under way then stays in its
 * queue, and is delivered again. */
void router_stop(struct router *router, uint32_t limit_ms, struct op *op);
void router_free(struct router *router); /* after that; every publication has ended */

#endif
