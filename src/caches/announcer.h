/* caches/announcer.h - tells the clients of one cache, on the channel AzureRedisEvents, that a
 * server of it is worked on (caches.md 10). What is said is notice.h.
 * Rules: a notice reaches who listens at that moment, or nobody; nothing waits for it. It is
 * published where clients are, so whoever is the primary is asked for each time. While a primary's
 * writes are paused nothing is published: it would wait for the end of the pause, and with it all
 * that goes over our connection. */
#ifndef CACHES_ANNOUNCER_H
#define CACHES_ANNOUNCER_H

#include "caches/notice.h"
#include "loop/op.h"

struct announcer;
struct loop;
struct member;

struct announcer_options {
    struct loop *loop;
    uint32_t notice_ms; /* caches.notice_ms: how long before the work begins it is told */
    /* Whom to publish it on; NULL = nobody now, and nobody is told. Sets address and ports. */
    struct member *(*place)(void *ctx, struct notice *ret);
    void *ctx;
};

struct announcer *announcer_new(const struct announcer_options *options);
/* announcer_free: nothing is told any more; no announcer_begin() may be under way. NULL is fine. */
void announcer_free(struct announcer *announcer);

/* announcer_begin: a server is worked on soon. Tells NodeMaintenanceStarting, waits notice_ms,
 * tells NodeMaintenanceStart, and waits the 100 ms that clients are to have before anything stops.
 * Later: E_OK; E_CANCELED. One at a time. */
void announcer_begin(struct announcer *announcer, bool is_replica, struct op *op);
/* announcer_tell tells it now, and once more after a second for clients that are just coming back;
 * of what is told so. */
void announcer_tell(struct announcer *announcer, enum notice_kind kind, bool is_replica);

/* Between the two nothing is published, what is due comes after. They nest. */
void announcer_hold(struct announcer *announcer);
void announcer_release(struct announcer *announcer);

#endif
