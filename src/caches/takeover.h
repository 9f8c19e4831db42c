/* caches/takeover.h - one server of a shard gives its place to another while clients write, and no
 * write that was acknowledged is lost (caches.md 8; not of a cluster: handover.h). Also for the
 * shard whose primary died.
 *
 *   sync --> PROMOTE --> pause, drain, take over --> from follows --> unpause --> DONE
 *
 * Rules: the pause of the writers is the fence: `to` takes over only while it surely lasts, and it
 * is renewed until `to` has answered. What is in capitals is recorded first, and nothing is done
 * without. The servers' own files say who is the primary (cluster.h), so after a crash they are
 * asked, and the record follows. A failure in front of the taking over gives `from` back to its
 * writers. While it runs nobody else publishes on `from`, as in handover.h. */
#ifndef CACHES_TAKEOVER_H
#define CACHES_TAKEOVER_H

#include "caches/cluster_line.h"
#include "caches/handover.h"

struct takeover;

struct takeover_options {
    struct loop *loop;
    struct member *from; /* the primary; NULL or not up: it died */
    struct member *to;
    struct member *const *others; /* further replicas of the shard; borrowed until the end */
    size_t other_count;           /* at most CACHE_SHARD_MEMBERS_MAX */
    uint64_t sync_timeout_ms;     /* for `to` to get in sync */
    struct announcer *announcer;  /* NULL = clients are not told */
    /* As in handover.h: HANDOVER_PROMOTE and HANDOVER_DONE. */
    void (*record)(void *ctx, struct takeover *takeover, enum handover_mark mark, struct op *op);
    void *ctx;
};

struct takeover {
    struct routine routine; /* the owner sets routine.op.done */

    /* How it ended. */
    struct member *opens; /* who is to be the primary; NULL = neither of the two lives */
    bool is_open;         /* it has the slots. Else a takeover by it is to be begun */
    bool has_all;         /* no acknowledged write is missing in it, for certain */
    bool is_promoted;     /* PROMOTE is recorded: if `opens` is not `to`, that is to be corrected */
    bool is_torn;    /* `to` died, and may believe to have the slots: it must not come back with its
                        files, or the others follow it */
    uint64_t gap_us; /* from the pause until `to` had the slots; 0 = not */

    struct takeover_options options; /* private, as all below */
    struct member_talk talk, taking;
    struct member_talk follows[1 + CACHE_SHARD_MEMBERS_MAX];
    struct op op;
    struct timer *timer;
    char id[CLUSTER_ID_BYTES]; /* of `to` */
    bool has_slots;            /* its shard has some: then all follow whoever takes them */
    bool is_resumed;
    bool holds;            /* the announcer */
    uint64_t paused_at_us; /* monotonic: the newest pause; 0 = none */
    uint64_t first_pause_at_us;
    uint64_t offset;        /* that `to` must reach */
    uint64_t drain_ends_ms; /* monotonic, as is */
    uint64_t tries_end_ms;  /* of what is tried again */
    bool is_drained;
    bool is_taking; /* it may have the slots */
    bool has_answered;
    enum err err; /* of its answer, or why `from` gets it back */
    struct cause why;
};

/* takeover_start: `from` is the primary, `to` a replica of it. Later: E_OK: `to` has the slots, and
 * those that live follow it; else see `opens`: E_TIMEOUT: `to` does not keep up; E_CLOSED: one of
 * them ended; E_CANCELED: aborted, which has an effect until PROMOTE alone. Its memory may go as
 * soon as it has ended. */
void takeover_start(struct takeover *takeover, const struct takeover_options *options);
/* takeover_resume goes on with one whose PROMOTE was recorded when the daemon ended. */
void takeover_resume(struct takeover *takeover, const struct takeover_options *options);

#endif
