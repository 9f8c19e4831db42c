/* caches/operation.h - what is done to a cache: create, delete, scale, .. (caches.md 5, 7). Each
 * kind is a table of steps; the engine (cache.c) runs them one after the other, and after a restart
 * goes on where the record says.
 *
 *   check --> step 0 --> step 1 --> .. --> end: Succeeded
 *                |  a step fails in front of kind->no_return
 *                +--> undo of that step, then of those before it --> end: Failed
 *
 * Rules of a step:
 *  - It is a routine (loop/routine.h): operation_of(routine) is the operation, operation->cache the
 *    cache at work, operation->scratch what lives from stage to stage (zeroed when the step
 * begins).
 *  - Its name is in the store before it begins. It may be run again from stage 0 at any moment, on
 *    whatever an earlier run left, by a fresh daemon too: so it looks at cache->state and at
 * `work`, and what is done already counts as done.
 *  - What it does next goes into cache->state or `work` first, then cache_record(), then it acts.
 *    For the next member it notes how far it is in `work`, and goes to stage 0.
 *  - E_OK: done. E_CANCELED: interrupted (a server died, the daemon stops); it is run again, after
 *    the crash rules (cache_crash.c). Any other error is its failure, with routine->why as the
 * text: in front of kind->no_return it is undone, from there on it is run again after a while.
 *    operation_fail() tells of a failure that shall not be undone: the operation goes on, and ends
 *    as Failed.
 *  - `undo` is a step of the same rules. It is run for the step that failed, too, whatever that had
 *    done. NULL: nothing to undo.
 * While it goes forward cache->spec is what the user wants; while it is undone, what there was.
 * The document of the cache says the same.
 *
 * To add a kind: a file op_NAME.c that exports its `const struct operation_kind`, and a row in
 * operation_kinds[] (operation.c). */
#ifndef CACHES_OPERATION_H
#define CACHES_OPERATION_H

#include "caches/lifecycle.h"
#include "caches/spec.h"
#include "caches/state.h"
#include "loop/routine.h"
#include "store/operations.h"
#include "json/json.h"

struct cache;

typedef enum stage operation_run(struct routine *routine, uint32_t stage, enum err err);

struct operation_step {
    const char *name;
    operation_run *run;
    operation_run *undo; /* NULL = nothing to undo */
};

struct operation {
    struct routine routine; /* of the step, or the check, that runs */
    struct cache *cache;
    const struct operation_kind *kind;
    struct operation_record record; /* id, times; the engine's */
    json_t *arguments;              /* an object: what was asked for, as `accept` wrote it */
    json_t *work;                   /* an object of the kind: how far it is. Steps change it, and
                                       cache_record() stores it; empty at first */
    const struct cache_spec *spec;  /* what the user wants; &cache->spec once it is accepted */
    bool has_before;                /* that differs from: */
    struct cache_spec before;       /* what it was; while it is undone it means nothing */
    void *scratch;                  /* kind->scratch_bytes */
    bool is_failed;                 /* operation_fail() was called */
};

/* What an operation is judged by before it is accepted, on any node. */
struct operation_wish {
    const struct cache_spec *spec;   /* what the user wants; as it is, if it is not changed */
    const struct cache_spec *before; /* what is; NULL = there is no such cache */
    const struct cache_state *state; /* NULL likewise */
    const struct cache_host *host;
    struct slice arguments; /* JSON object, from the request; SLICE_NONE = nothing was said */
};

struct operation_kind {
    const char *name;          /* as events and polls tell it */
    enum cache_phase phase;    /* the cache's while it runs; PHASE_SUCCEEDED = it does not show */
    enum cache_phase undoing;  /* while it is undone; the same again where there is no other */
    enum lifecycle_kind event; /* that it has ended well, Azure's four also that it has failed;
                                  LIFECYCLE_KINDS = none */
    bool is_quiet;             /* no OperationStarted */
    bool is_removal;           /* its end removes the cache; servers that die meanwhile stay dead */
    const struct operation_step *steps;
    size_t step_count;
    size_t no_return;     /* the first step from which there is no way back; step_count: up to
                             the end there is one */
    size_t scratch_bytes; /* 0 = none */
    void (*scratch_done)(void *scratch); /* what it holds goes: talks, tasks; NULL = nothing */

    /* accept: may this be done? E_OK, and the arguments, as the operation keeps them, an object, in
     * `ret` (empty = none); or E_BAD_INPUT with the member named in `why`: 400. Pure. NULL: yes. */
    enum err (*accept)(const struct operation_wish *wish, struct buf *ret, struct cause *why);
    /* check: the same, for what has to be measured: a routine as a step is, and it changes nothing.
     * Runs in front of the first step, and before it is accepted, if that happens on the owner: an
     * error is a 400 then. NULL: nothing. */
    operation_run *check;
    /* end: what `event` says beyond its kind (event->about); called for one that ended well. May
     * change cache->state: what is stored with the end. NULL: nothing. */
    void (*end)(struct operation *operation, struct lifecycle *event);
};

/* operation_kind_find: NULL if there is none of that name. */
const struct operation_kind *operation_kind_find(struct slice name);

/* operation_of is for the functions of a kind: whose routine it is. */
struct operation *operation_of(struct routine *routine);

/* Reading the arguments or `work` as json/json.h does; for setting work:
 * json_object_set_new(operation->work, ..), then cache_record(). */
void operation_view(const json_t *object, struct jx_view *view);

/* operation_fail notes that it will end as Failed although it goes on. The first one counts. */
void operation_fail(struct operation *operation, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* operation_code sets the code of an error that the step ends with after this; else it is made of
 * the error's number. `code` lives for ever. */
void operation_code(struct operation *operation, const char *code);

#endif
