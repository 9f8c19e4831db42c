/* caches/handover.h - one server of a cache gives its place to another while clients write, and no
 * write that was acknowledged is lost (caches.md 6.3; not of a cluster).
 *
 *   sync --> FENCE ---------> PROMOTE --> follow --> DONE
 *            pause, drain,    admit to    from, and
 *            shut, drain                  the others
 *
 * Rules: `to` is promoted only when `from` is shut and `to` has all that `from` had then. What is
 * in capitals is recorded before it is done, and nothing is done without. From PROMOTE on it only
 * goes forward. Before it a failure gives `from` back to its clients. While it runs nobody else
 * publishes on `from`, and no member_sync() has it as its primary: these would wait for the end of
 * the pause, and with them all that goes over our connection. */
#ifndef CACHES_HANDOVER_H
#define CACHES_HANDOVER_H

#include "caches/member.h"
#include "loop/routine.h"

struct announcer;

enum handover_mark {
    HANDOVER_FENCE,   /* `from` may be shut; it is the primary, and stays it if all ends here */
    HANDOVER_PROMOTE, /* `to` is the primary: epoch + 1 */
    HANDOVER_DONE,    /* all follow it */
};

struct handover;

struct handover_options {
    struct loop *loop;
    struct member *from, *to;
    struct member *const *others; /* further replicas, up or not; borrowed until the end */
    size_t other_count;           /* at most CACHE_SHARD_MEMBERS_MAX */
    struct member_door door;      /* its addresses are borrowed until the end */
    bool is_by_tls;               /* replicas come by the TLS port: the plain one is off */
    uint64_t sync_timeout_ms;     /* for `to` to get in sync */
    struct announcer *announcer;  /* NULL = clients are not told */
    /* Stores it; begins the op. E_OK: it is stored. Anything else: it is surely not, and the next
     * owner will not see it either; who does not know asks again. */
    void (*record)(void *ctx, struct handover *handover, enum handover_mark mark, struct op *op);
    void *ctx;
};

struct handover {
    struct routine routine; /* the owner sets routine.op.done */

    /* How it ended. */
    struct member *opens; /* who is to be the primary; NULL = neither of the two lives */
    bool is_open;         /* clients reach it. Else the owner records it and admits them there: it
                             is the nearest to what clients were told */
    bool has_all;         /* no acknowledged write is missing in it, for certain */
    bool is_promoted;     /* PROMOTE is recorded */
    uint64_t gap_us;      /* from the pause until `to` was open; 0 = not */

    struct handover_options options; /* private, as all below */
    struct member_talk talk;
    struct member_talk follows[2 + CACHE_SHARD_MEMBERS_MAX];
    struct op op; /* what else is waited for */
    struct timer *timer;
    uint64_t paused_at_us;  /* monotonic; 0 = not yet */
    uint64_t offset;        /* that `to` must reach */
    uint64_t drain_ends_ms; /* monotonic */
    uint64_t tries_end_ms;  /* monotonic, of what is tried again */
    uint32_t first;         /* stage */
    bool is_shutting;       /* `from` may have been told to shut */
    bool is_shut, is_drained;
    bool is_admitting; /* `to` may have been open */
    bool holds;        /* the announcer */
    enum err err;      /* why `from` gets it back */
    struct cause why;
};

/* handover_start: `from` is open, `to` follows it. Later: E_OK, `to` is open and all that live
 * follow it; else see `opens`, and what failed is in routine.op.why: E_TIMEOUT: `to` does not keep
 * up; E_CLOSED: one of them ended; E_CANCELED: aborted, which has an effect until FENCE alone; from
 * there on it ends by itself within seconds, or by hang_ms of a member that says nothing. Its
 * memory may go as soon as it has ended. */
void handover_start(struct handover *handover, const struct handover_options *options);
/* handover_resume goes on with one that was `marked`, FENCE or PROMOTE, when the daemon ended;
 * servers that lived on are adopted. E_OK and the rest as above; `from` may be NULL after PROMOTE.
 * A fence that cannot go on within seconds gives the cache back to `from`. */
void handover_resume(struct handover *handover, const struct handover_options *options,
                     enum handover_mark marked);

#endif
