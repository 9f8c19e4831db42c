/* router/change.h - making, changing and removing topics and subscriptions.
 * Rules: what was said to be done stands in the store, and this node works by it. A change is made
 * whole or not at all: after a crash a topic or subscription is as before or as after, and what was
 * being removed is removed by the next start, or by the nodes that are left. One change of a
 * resource at a time on one node; of several nodes the first one wins, since the others would undo
 * it, and a key or secret that was made anew would be the old one again; a removal always does.
 * An endpoint gets events only after its handshake. A new subscription whose endpoint fails it
 * stays in state Failed; a change of the endpoint that fails changes nothing, and while it is being
 * decided the old endpoint is in force.
 * A queue is never used again: removing a subscription and making one of the same name gives a new
 * one. */
#ifndef ROUTER_CHANGE_H
#define ROUTER_CHANGE_H

#include "base/id.h"
#include "router/catalog.h"
#include "router/labels.h"
#include "router/validation.h"
#include "store/resources.h"

struct changes;

#define CHORES_MS 10000

struct changes_options {
    struct loop *loop;
    struct redis *redis; /* the store's */
    struct http_client *http;
    const struct identity *identity;
    struct catalog *catalog;
    struct resources *resources;
    uint64_t window_ms;       /* how long an endpoint may be confirmed by hand */
    size_t topics_max;        /* 0 = any number, here and below */
    size_t subscriptions_max; /* of one topic */
    uint32_t retry_ms;        /* between two attempts of a handshake */
    uint32_t chores_ms;       /* how often it is looked for what is to be removed */
    void (*ended)(void *ctx); /* one has ended: perhaps the last that a stop waits for */
    void *ctx;
};

struct changes *changes_new(const struct changes_options *options);
size_t changes_under_way(const struct changes *changes);
/* changes_resume removes what somebody began to remove and did not end. What could not be removed
 * is tried again, and subscriptions go when their time has come, without being asked for. */
void changes_resume(struct changes *changes);
/* changes_stop: no more begin, and those under way end soon. changes_free when none is. */
void changes_stop(struct changes *changes);
void changes_free(struct changes *changes);

/* What is asked for; borrowed until the start returns. */
struct change_request {
    struct slice scope;      /* of a topic: its own resource id; else what it belongs to */
    struct slice name;       /* of the topic or subscription */
    struct slice properties; /* a JSON object; empty = {} */
    struct labels labels;    /* of a topic; what is SLICE_NONE stays as it is */
    struct slice url;        /* of this server, as the client knows it: "http://host:port" */
    bool is_patch;           /* changes what there is; else all is said, the rest is default */
};

/* A change under way; the owner embeds it, sets op.done, and leaves the rest zero. */
struct change {
    struct op op;
    struct changes *changes;
    struct list_node node;
    unsigned state;  /* enum change_state */
    enum err result; /* what it ends with, and why */
    struct cause why;
    char *id;     /* lower case, of the document */
    char *before; /* the document that it changes; NULL: there was none, or it goes */
    char *scope;  /* of a topic that is removed: what its subscriptions hang on, lower case; NULL */
    bool is_removal, is_topic;
    bool is_creation;    /* there was none when it was written */
    bool is_in_force;    /* a subscription that is removed: its endpoint got events */
    struct buf document; /* to be written */
    struct resource_write write;
    struct redis_call call;
    struct queue *queue;
    struct op step;
    struct validation_result validation;
    struct change *parent; /* the removal of a topic that this one is part of; NULL */
    struct proposal *proposal;
};

/* Each of these: now E_OK; or an error with its reason in change->op.why, and op.done never runs:
 * E_BAD_INPUT, E_LIMIT (names the field), E_NOT_FOUND, E_EXISTS (the name is taken, or another
 * change of it is under way, or was on another node), E_FULL (one more is too many), E_CANCELED
 * (the router stops). Later: E_OK; E_DENIED: the endpoint did not pass its handshake; E_NOT_FOUND,
 * E_EXISTS; or the store's error, then try again. */
enum err change_topic(struct changes *changes, const struct change_request *request,
                      struct change *change);
/* A system topic is one whose id is that of such, and whose properties name `source` and
 * `topicType`; both stay as they are. */
/* change_topic_key makes key 0 or 1 anew; the old one is refused from then on. */
enum err change_topic_key(struct changes *changes, struct slice id, size_t which,
                          struct change *change);
enum err change_subscription(struct changes *changes, const struct change_request *request,
                             struct change *change);
/* change_write_properties appends the members of `properties` that a subscription will have, as
 * subscription_write() does; in the turn in which change_subscription() has begun. */
void change_write_properties(struct buf *out, const struct change *change);
/* change_confirm is what an endpoint's owner does by hand. E_DENIED: not with these; E_TIMEOUT: too
 * late. */
struct confirmation {
    struct slice name, code, token;
};
enum err change_confirm(struct changes *changes, const struct confirmation *confirmation,
                        struct change *change);
/* change_remove removes a topic with its subscriptions, or a subscription with its queue and dead
 * letters, by resource id. */
enum err change_remove(struct changes *changes, struct slice id, struct change *change);

#endif
