/* router/sweep.h - going through the dead letters of a subscription: to list, to redrive or to
 * purge those that are meant. Rules: page by page, with a bounded number of bytes in memory,
 * however many there are. What dies after the beginning is not looked at, so a redrive does not
 * meet again what it redrove. A failure ends it: what was done is done, and the sweep tells how
 * many that were and where to go on. Redriven means: again in the queue as when it was published,
 * with all attempts and the whole time to live before it. */
#ifndef ROUTER_SWEEP_H
#define ROUTER_SWEEP_H

#include "blob/blob.h"
#include "event/subscription.h"
#include "router/dead_query.h"
#include "router/router.h"

struct timer;

struct blob_account;

enum sweep_kind { SWEEP_LIST, SWEEP_REDRIVE, SWEEP_PURGE };

/* The owner embeds it, and sets these before the start. */
struct sweep {
    struct op op;
    enum sweep_kind kind;
    struct dead_query query; /* taken */
    /* One that is meant, of a listing or a dry run, as long as there is room (true). */
    bool (*found)(struct sweep *sweep, const struct dead_found *found);

    /* What came of it; valid from op.done on, until sweep_done(). */
    uint64_t matched; /* are meant; of ids: are there */
    uint64_t done;    /* were redriven or purged */
    char *next;       /* go on behind this one; NULL = all was looked at */
    char *until;      /* an id of the beginning: what died behind it is not looked at; NULL */
    char *trouble;    /* what the storage failed with; NULL = nothing */
    struct subscription subscription; /* as far as it can be read */

    /* Its own. */
    struct router *router;
    struct list_node node;
    char *scope, *queue_id;
    struct queue *queue;
    unsigned state, resume; /* resume: what follows a rest */
    struct redis_call call;
    struct timer *timer;
    struct op rest;
    struct lookup lookup;
    struct slice ids[QUEUE_BATCH_MAX]; /* of the page under way, which are meant */
    size_t id_count;
    size_t looked_at; /* of query.ids */
    size_t asked;     /* of the page under way */
    char *cursor, *page_end;
    uint64_t begun_ms;
    bool has_room; /* for what is found */
    bool is_full;  /* the limit is reached */
    bool is_over;  /* nothing is left to look at */
    bool is_canceled;
    enum err result;

    /* Of the storage. */
    const struct blob_account *account; /* NULL = there is none */
    struct blob_call blob;
    struct blob_listing page; /* and which of it is looked at */
    size_t page_at;
    size_t skip;         /* so many of the next page were looked at before */
    char *page_marker;   /* of the page under way; NULL = it is the first */
    char *marker;        /* of the page after it; NULL = none */
    struct event *event; /* that is to be appended */
};

/* sweep_start. Nothing can fail now. Later: E_OK; E_NOT_FOUND: the topic has gone; E_CANCELED: the
 * router stops; or the store's error. */
void sweep_start(struct sweep *sweep, struct router *router, const struct member *member);
/* sweep_cancel ends it soon. */
void sweep_cancel(struct sweep *sweep);
void sweep_done(struct sweep *sweep); /* frees what it holds */

#endif
