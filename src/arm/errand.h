/* arm/errand.h - a request that takes longer than its answer: an operation of the control plane
 * itself (azure-api.md 4). Those of caches are the engine's; all have the same documents
 * (store/operations.h), which any node answers polls from.
 *
 *   errand_new() --> errand_record() --stored--> answer, run --errand_end()--> stored --> gone
 *              --> errand_start() --> errand_record() -- the same, but it runs already
 *                               --> errand_end() --> stored --> answer, gone
 *
 * Rules: with a record, the operation comes to its end, whatever dies: who finds one of a node that
 * is gone claims it, and runs it again, so run() must not mind what was done already. What fails is
 * told by the operation once it was accepted, and as the answer before that.
 * What is over when it is answered needs neither run() nor a row below.
 * To add a kind: a struct errand_kind, and a row in kinds[] (errand.c). */
#ifndef ARM_ERRAND_H
#define ARM_ERRAND_H

#include "arm/call.h"
#include "router/router.h"
#include "store/operations.h"

struct errand;

#define ERRAND_CHANGES_MAX 2

struct errand_kind {
    const char *name; /* in documents */
    bool is_silent;   /* nobody asks how it is: it has no record */
    /* run does it, or goes on with it, and ends with errand_end() or errand_again(), now or later.
     */
    void (*run)(struct errand *errand);
    /* What else is stored with the record, when it begins and when it has ended: up to
     * ERRAND_CHANGES_MAX changes, whose texts are the errand's. NULL = nothing. */
    size_t (*beside)(struct errand *errand, struct resource_change *ret);
};

struct errand {
    struct arm *arm;
    struct list_node node;
    const struct errand_kind *kind;
    struct operation_record record;
    struct http_request *request;              /* waits for its answer; NULL = answered */
    void (*answer)(struct errand *errand);     /* sets it going; body and record are there */
    struct buf body;                           /* of the answer */
    bool is_update;                            /* of what was there; for `answer` */
    struct change change;                      /* run()'s */
    struct buf beside[2 * ERRAND_CHANGES_MAX]; /* ids and texts, for kind->beside() */
    struct timer *timer;
    struct buf document; /* the record as it is being stored */
    char *replaced;      /* what it replaces, of one that is claimed; NULL */
    struct resource_write write;
    bool is_recorded; /* as begun */
    bool is_running;  /* run() was called */
    bool is_ended;
    bool is_storing_end;
    bool is_gone; /* nobody here is to be told any more */
};

/* errand_new makes one for the resource of that id. `request` NULL: nobody waits. */
struct errand *errand_new(struct arm *arm, const struct errand_kind *kind,
                          struct http_request *request, struct slice resource);
/* errand_start runs it before anything is stored, so that what is wrong with it can be answered. */
void errand_start(struct errand *errand);
/* errand_record stores that it has begun; then it is answered, and run if it is not running. Once
 * is enough, more do no harm. */
void errand_record(struct errand *errand);
/* errand_end: it has ended, with `why`. The errand may be gone then. */
void errand_end(struct errand *errand, enum err err, const struct cause *why);
/* errand_again runs it again in a while. The errand may be gone then. */
void errand_again(struct errand *errand);

/* errands_resume claims those that nobody works on any more. */
void errands_resume(struct arm *arm);
/* errands_stop: no more begin; those that wait go at once. */
void errands_stop(struct arm *arm);
/* errands_find is the one under way here on the resource of that id; NULL. */
const struct errand *errands_find(const struct arm *arm, struct slice resource);

#endif
