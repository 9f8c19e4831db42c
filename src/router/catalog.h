/* router/catalog.h - the topics and event subscriptions that there are, as the store's documents
 * say, each subscription at work.
 * A scope is the resource that subscriptions hang on: a topic, or a cache. Its documents come in
 * any order; a subscription begins to work as soon as its topic is there too.
 * Rules: a faulty document is logged and does nothing; the others go on. When a document changes,
 * what was made of it is retired: it takes nothing more, ends what is under way, and goes.
 * A cache's topic is a system topic, which is a document beside it.
 * Documents, by lower-case resource id:
 *   TOPIC  {"name":"orders","id":"/subscriptions/..","properties":{as topic_write_stored()}}
 *   SCOPE/providers/microsoft.eventgrid/eventsubscriptions/NAME
 *          {"name":"es1","id":"/subscriptions/..","queue":"<guid>","state":"Succeeded",
 *           "properties":{as subscription_write_stored()},"waiting":{as document.h}}
 * In any other state a subscription gets no events; a topic that is being removed is not there. */
#ifndef ROUTER_CATALOG_H
#define ROUTER_CATALOG_H

#include "base/map.h"
#include "event/matcher.h"
#include "event/subscription.h"
#include "event/topic.h"
#include "router/active.h"
#include "router/tally.h"
#include "router/targets.h"

struct blob_accounts;
struct catalog;

struct member {            /* a subscription's document */
    struct list_node node; /* in its scope */
    struct scope *scope;
    char *id;
    char *document;
    struct tally *tally;   /* NULL until it was active once; counted */
    struct active *active; /* NULL: no topic yet, faulty, or not in state Succeeded */
};

struct scope {
    struct catalog *catalog;
    char *id;                  /* lower case */
    struct topic *topic;       /* NULL = not there (yet) */
    struct topic_tally *tally; /* NULL until there was a topic; counted */
    struct list members;
    struct matcher *matcher;  /* of the active ones; NULL = to be made anew */
    struct filter **filters;  /* theirs, which the matcher reads */
    struct active **matching; /* by the matcher's indexes; not counted */
};

struct catalog_options {
    struct loop *loop;
    struct tallies *tallies;              /* borrowed */
    struct redis *redis;                  /* the store's */
    struct targets targets;               /* its loop is ours */
    struct wakes *wakes;                  /* to other nodes; NULL = there are none */
    struct http_client *storage;          /* for dead letters, in ... */
    const struct blob_accounts *accounts; /* these; NULL = none */
    const char *node;
    bool (*is_dead)(void *ctx, struct slice node);
    void *ctx;
    bool allows_http; /* delivery.allow_http */
    uint32_t window;  /* of each subscription; 0 = SUBSCRIBER_WINDOW */
};

struct catalog *catalog_new(const struct catalog_options *options);
/* catalog_set takes in what the store tells; SLICE_NONE = the document is gone. */
void catalog_set(struct catalog *catalog, struct slice id, struct slice document);

/* catalog_scope finds one by its lower-case id, catalog_find_scope by its id in any case; NULL. */
struct scope *catalog_scope(const struct catalog *catalog, struct slice id);
struct scope *catalog_find_scope(const struct catalog *catalog, struct slice id);
/* catalog_next_scope walks all, in no order: start with *at = 0. */
bool catalog_next_scope(const struct catalog *catalog, size_t *at, struct scope **ret);
/* scope_rules is what subscriptions of a scope that has its topic keep to. */
struct subscription_rules scope_rules(const struct scope *scope);
/* scope_stored_rules is what those keep to that are there: what was allowed when they were made and
 * is not now fails when it is called, or takes less time; no event is refused to them for it. */
struct subscription_rules scope_stored_rules(const struct scope *scope);
/* catalog_rules is the same for a topic that is not there yet. */
struct subscription_rules catalog_rules(const struct catalog *catalog, const struct topic *topic);
/* catalog_can_deliver: is there something that delivers to its destination, and the account of its
 * dead letters? E_OK; or E_UNSUPPORTED,
 * E_BAD_INPUT with the field in `why`. */
enum err catalog_can_deliver(const struct catalog *catalog, const struct subscription *subscription,
                             struct cause *why);
/* catalog_topic finds a topic by its name, in any case; NULL. */
struct scope *catalog_topic(const struct catalog *catalog, struct slice name);
/* catalog_member finds a subscription of a scope by name, in any case; NULL. */
struct member *catalog_member(const struct scope *scope, struct slice name);
/* scope_match gives who wants an event; stale after the next call and after any change. */
size_t scope_match(struct scope *scope, const struct event *event, const size_t **ret);

/* The subscriptions in queue mode, by turns; NULL = there are none. */
size_t catalog_pulls(const struct catalog *catalog);
struct active *catalog_next_pull(struct catalog *catalog);

/* catalog_recheck: a node died, or the store was away. */
void catalog_recheck(struct catalog *catalog);
/* catalog_woken: another node says that a queue has something; SLICE_NONE: any may have. */
void catalog_woken(struct catalog *catalog, struct slice queue);
size_t catalog_waits(const struct catalog *catalog);
/* catalog_end_waits: who waits for events is answered now, and nobody waits for long. */
void catalog_end_waits(struct catalog *catalog);
/* catalog_is_ending: catalog_end_waits() was called, since the server stops. */
bool catalog_is_ending(const struct catalog *catalog);
/* catalog_stop retires all; the op ends when the last has gone. catalog_hurry cuts it short. */
void catalog_stop(struct catalog *catalog, struct op *op);
void catalog_hurry(struct catalog *catalog);
void catalog_free(struct catalog *catalog); /* after that */

#endif
