/* caches/cache.h - a cache at work on its owner, as the steps of operations, the crash rules and
 * the supervision see it.
 *
 *   ADOPT --> (CRASH | STEP | TEND | nothing)* --> CLOSE
 *
 * Rules: one thing at a time: take up what lives (cache_adopt.c), repair what died (cache_crash.c),
 * a step of the operation (operation.h), start dead members again, end. A server that dies
 * interrupts what runs, which ends soon and is begun again after the repair; so does the end of the
 * daemon. So nothing here needs a lock, and every one of them can be run twice.
 * cache->state is changed first, then recorded, then it is acted: cache_record() in between.
 * Records of members move when one is added or removed: keep names, find anew. */
#ifndef CACHES_CACHE_H
#define CACHES_CACHE_H

#include "caches/announcer.h"
#include "caches/lifecycle.h"
#include "caches/member.h"
#include "caches/operation.h"
#include "caches/server_config.h"
#include "caches/spec.h"
#include "caches/state.h"
#include "loop/routine.h"

struct caches;
struct caches_options;

#define CACHE_ID_MAX_BYTES 2048
#define MEMBER_NAME_MAX_BYTES 32

struct cache {
    struct caches *caches;
    const struct caches_options *options; /* loop, settings, .. */
    char *id;                             /* as it is shown */
    char *key;                            /* the same in lower case: of the documents */
    char *name;
    struct cache_spec spec;      /* where it goes (operation.h) */
    struct cache_state state;    /* what is, as recorded or about to be */
    struct cache_host host;      /* the settings that count; addresses are the options' */
    struct server_tls tls;       /* its certificate; NULL members = no TLS ports */
    struct operation *operation; /* that runs; NULL = none */
    struct announcer *announcer; /* tells clients of maintenance */

    struct cache_work *work; /* private: cache.c, cache_record.c, cache_members.c */
};

/* ---- finding ---- */

/* cache_primary: the record of a shard's primary; NULL if there is none yet. */
struct cache_member *cache_primary(const struct cache *cache, uint32_t shard);
/* cache_shard_of finds a shard by its id, cache_shard_with by a member of it; NULL. */
struct cache_shard *cache_shard_of(const struct cache *cache, uint32_t shard);
struct cache_shard *cache_shard_with(const struct cache *cache, const char *member);
bool cache_is_up(const struct cache *cache, const char *member); /* does it live and answer? */
/* cache_server: the process of a member, made but not started if need be; NULL if there is no such
 * record. Ask member_is_up() whether it lives. Borrowed until the record goes. */
struct member *cache_server(struct cache *cache, const char *name);
/* cache_seat_renew: of one that does not live, the process is made anew of its record, which was
 * changed: another program. */
void cache_seat_renew(struct cache *cache, const char *name);
/* cache_best_replica: of a shard, the replica in sync that lives; NULL if there is none. Which of
 * several: the first; who needs the highest offset asks them (cache_crash.c does). */
struct cache_member *cache_best_replica(struct cache *cache, uint32_t shard);
struct member_door cache_door(const struct cache *cache); /* where clients come in */
uint16_t cache_link_port(const struct cache *cache,
                         const struct cache_member *primary); /* replicas connect to */

/* ---- recording ---- */

/* cache_record stores cache->state, operation->work and the events of cache_event(), in one step.
 * The op ends with E_OK, or E_CANCELED when the daemon stops or it was aborted; while the store is
 * away it waits. Several may wait for it at once. */
enum err cache_record(struct cache *cache, struct op *op);
/* cache_event: the next cache_record() brings it with it. kind and about are the caller's; the rest
 * is filled in here. */
void cache_event(struct cache *cache, struct lifecycle *event);

/* ---- members: tasks that steps are made of (caches.md 6.1, 6.2) ----
 * Each ends with E_OK, or with the member's error and the member named. The records they need are
 * written by themselves. A zeroed task is new; it may be used again. One member, one task. */
struct member_task {
    struct routine routine; /* its op is what the owner waits for */
    struct cache *cache;
    char name[MEMBER_NAME_MAX_BYTES];
    struct member_talk talk;
    uint64_t offset; /* of a closed one, the last: what a successor must have reached */

    struct op op; /* the rest is private */
    struct member_info info;
    uint64_t used_bytes;
    bool keeps_files;
    enum member_stop how;
};

/* cache_add_member makes the record of a new member: name, address, ports, folder, state starting;
 * nothing is stored yet. E_OK and *ret; E_FULL, E_LIMIT (memory budget, addresses used up),
 * E_EXISTS (no port is free), E_NOT_FOUND (the program): the numbers in `why`. `program` is copied;
 * NULL = that of the cache. */
enum err cache_add_member(struct cache *cache, uint32_t shard, const char *program,
                          struct cache_member **ret, struct cause *why);
/* START: records it as starting, starts or adopts it closed, and, if its shard has another primary,
 * as its replica until it is in sync; then it is recorded as closed. keeps_files: it loads its own
 * files (a primary with persistence). Of a cluster: closed only; who follows whom is cluster.h's.
 */
enum err cache_start_member(struct cache *cache, const char *name, bool keeps_files,
                            struct member_task *task);
/* STOP: records it as stopping, ends it, removes folder and record. A primary's name stays in its
 * shard until somebody else is named. No such member: E_OK. */
enum err cache_stop_member(struct cache *cache, const char *name, enum member_stop how,
                           struct member_task *task);
/* OPEN: records it as the primary of its shard (epoch + 1 if it was not) and open, then lets
 * clients in. Not of a cluster. */
enum err cache_open_member(struct cache *cache, const char *name, struct member_task *task);
/* CLOSE: shuts clients out; task->offset. Not recorded: who closes one records what follows. */
enum err cache_close_member(struct cache *cache, const char *name, struct member_task *task);
/* FOLLOW: makes a member that runs a replica of its shard's primary, until it is in sync, which is
 * recorded. */
enum err cache_follow_member(struct cache *cache, const char *name, struct member_task *task);
void member_task_done(struct member_task *task); /* not under way */

/* cache_config_write_member: the configuration that a member is started with. */
void cache_config_write_member(struct cache *cache, const struct cache_member *member,
                               struct buf *out);
/* cache_sync_limit_ms: how long a replica of this cache may take. */
uint64_t cache_sync_limit_ms(const struct cache *cache, uint64_t used_bytes);

#endif
