/* caches/cache_internal.h - what the files of the engine share: cache*.c, operation.c, caches*.c.
 */
#ifndef CACHES_CACHE_INTERNAL_H
#define CACHES_CACHE_INTERNAL_H

#include "base/map.h"
#include "caches/cache.h"
#include "caches/caches.h"
#include "caches/pressure.h"
#include "caches/program.h"
#include "loop/loop.h"
#include "store/resources.h"
#include "json/scan.h"

#define STATE_SUFFIX "/state"
#define OPERATION_SUFFIX "/operation"
#define OPERATION_DOCUMENT_MAX_BYTES RESOURCE_MAX_BYTES
#define RETRY_FIRST_MS 100 /* doubled up to the last */
#define RETRY_LAST_MS 10000

/* ---- a cache at work ---- */

/* What belongs to a record at a turn of the operation; several at once. */
enum record_extra {
    RECORD_END = 1,     /* the operation runs no longer */
    RECORD_REMOVAL = 2, /* nor is there a cache */
    RECORD_RESTORE = 4, /* the cache's document says what cache->spec says */
};

/* What runs; one at a time. */
enum cache_job { JOB_NONE, JOB_ADOPT, JOB_REPAIR, JOB_TEND, JOB_OPERATION, JOB_MEASURE, JOB_CLOSE };

struct seat { /* where a member's process sits */
    struct list_node node;
    struct cache *cache;
    char name[MEMBER_NAME_MAX_BYTES];
    struct member *member;
    struct op op;
    struct member_talk talk;
    struct member_info info;
    uint64_t died_at_us; /* monotonic; 0 = lives, or never did */
    struct pressure pressure;
    uint64_t due_at_ms; /* monotonic: not to be started again before */
    uint32_t tries;     /* that failed since it was last well */
    bool was_told_down; /* NodeDown went out, so NodeUp shall */
    const char *reason; /* that it died of: "crash", "hang", "restart" of the daemon */
    char last_words[MEMBER_LAST_WORDS_BYTES]; /* when it died */
};

struct repair { /* of a shard whose primary is gone (cache_crash.c) */
    uint32_t shard;
    char to[MEMBER_NAME_MAX_BYTES]; /* who is to be the primary */
    bool has_files;                 /* it is started of */
    uint64_t died_at_us;
    const char *reason;
    uint32_t loads_failed; /* of files, one after the other */
};

struct cache_work {
    struct cache *cache;
    enum cache_job job;
    uint64_t repair_due_ms;  /* monotonic; not before */
    uint64_t measure_due_ms; /* likewise */
    struct routine routine;  /* of a job that is no step */
    struct op op;            /* of it */
    struct repair repair;
    struct member_task task;
    struct turn turn; /* look what is to be done next */
    struct timer *timer;
    struct list seats;
    bool is_adopted, is_closing, is_closed, is_removed;
    bool is_interrupted; /* what runs was told to end */
    struct op *closed;

    /* cache_record.c */
    struct list waiting, recorded; /* ops: for the next commit, for the one under way */
    struct list canceled;          /* ops that end with E_CANCELED at the end of this turn */
    struct list events;            /* struct outgoing */
    struct turn record_turn;
    struct timer *record_timer;
    struct resource_write write;
    struct buf texts[3];
    size_t events_sent;
    unsigned extra, extra_sent; /* enum record_extra */

    /* operation.c */
    enum operation_stage { OPERATION_CHECK, OPERATION_STEP, OPERATION_END } stage;
    size_t step_at;         /* of kind->steps */
    uint32_t tries;         /* of this step that failed */
    uint32_t interruptions; /* of this step */
    uint64_t step_due_ms;   /* monotonic; not before */
    bool is_step_recorded;
    const char *code; /* of the error that comes; NULL = by its number */
    bool was_cut;     /* the limit of caches_stop() is over */
};

/* cache.c: made of the documents. cache_look: something may have changed. */
struct cache *cache_new(struct caches *caches, struct slice id, struct slice document,
                        struct slice state, struct cause *why);
void cache_free(struct cache *cache);
void cache_look(struct cache *cache);
/* cache_close ends it as caches_stop() says; the op ends when nothing of it is under way. */
void cache_close(struct cache *cache, struct op *op);
void cache_interrupt(struct cache *cache);
struct seat *cache_seat(struct cache *cache, const char *name); /* NULL: no such record */
/* cache_last_words: of a server that has ended unasked; NULL: it has not. */
const char *cache_last_words(const struct cache *cache, const char *name);
enum err cache_read_spec(struct cache *cache, struct slice document, struct cause *why);
struct seat *cache_seat_find(const struct cache *cache, const char *name);
void cache_seat_free(struct seat *seat);

/* cache_record.c */
void cache_record_init(struct cache *cache);
void cache_record_done(struct cache *cache);
bool cache_record_is_idle(const struct cache *cache);
/* cache_record_with is cache_record() with some of enum record_extra. */
enum err cache_record_with(struct cache *cache, unsigned extra, struct op *op);

/* cache_adopt.c, cache_crash.c, cache_tend.c, cache_close.c: routines of the cache's own. */
operation_run cache_adopt_run, cache_repair_run, cache_tend_run, cache_measure_run, cache_close_run;
/* Is there something for them to do? */
bool cache_needs_repair(const struct cache *cache);
/* cache_next_due: a member that is to be started or to follow; NULL if there is none. *ret_ms: when
 * (monotonic); 0 = now. */
struct seat *cache_next_due(struct cache *cache, uint64_t *ret_ms);
/* cache_down: a server ended unasked. cache_note_death changes the record, and is_told: tells it;
 * `end` NULL = not known. */
void cache_note_death(struct seat *seat, const struct member_end *end, bool is_told);
void cache_down(void *ctx, struct member *member, const struct member_end *end);
/* cache_tell_up: one that was told to be down is well again. */
void cache_tell_up(struct seat *seat);
void cache_name_primary(struct cache *cache, struct cache_shard *shard,
                        struct cache_member *member);
struct cache *cache_of(struct routine *routine); /* of a job's */

/* operation.c */
operation_run cache_operation_run;
/* operation_take_up: the document of an operation that is to be done is there. */
void operation_take_up(struct cache *cache, struct slice document);
/* operation_new makes one of what stands in its record, which it takes; E_BAD_INPUT. */
enum err operation_new(struct cache *cache, struct operation_record *record, struct operation **ret,
                       struct cause *why);
void operation_free(struct operation *operation); /* NULL is fine */
/* operation_is_due: it can go on; else *ret_ms is when (monotonic), or untouched. */
bool operation_is_due(const struct cache *cache, uint64_t *ret_ms);
void operation_write(struct operation *operation, struct buf *out);
/* cache_fail_at, for tests: the file DATA/fail-at/PLACE ends this process here, once. A step's
 * place is KIND.STEP:before, or after. */
void cache_fail_at(const struct cache *cache, const char *place);
/* operation_error_code is the code for an error that has no other. */
const char *operation_error_code(enum err err);

/* caches.c */
const struct caches_options *caches_options(const struct caches *caches);
const struct server_tls *caches_tls(const struct caches *caches);
bool caches_is_state(struct slice id);        /* a document of a state? */
struct slice caches_name_of(struct slice id); /* the last part */
struct cache *caches_find(const struct caches *caches, struct slice id); /* at work here */
/* caches_gone: one has ended for good; it is freed. */
void caches_gone(struct caches *caches, struct cache *cache);

/* cache_place.c */
/* cache_place_ports finds the ports of a cache: those that it wants, or the next free ones. */
enum err cache_place_ports(const struct caches *caches, const struct cache_spec *spec,
                           uint16_t *ret, struct cause *why);
/* cache_write_dir: the folder that the members' folders are in. */
void cache_write_dir(const struct cache *cache, char *ret, size_t size);
/* caches_used_bytes: the sum of maxmemory of all members that are recorded here. */
uint64_t caches_used_bytes(const struct caches *caches);
enum err caches_budget_check(const struct caches *caches, uint64_t more_bytes, struct cause *why);

#endif
