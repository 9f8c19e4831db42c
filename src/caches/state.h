/* caches/state.h - what is of a cache, as its owner records it: servers, roles, secrets (caches.md
 * 5). What the user said is in spec.h.
 * Rules: written before what it tells of is done. Older and newer versions' documents are read:
 * what is missing has its default, members that nobody knows are passed over. Pure. */
#ifndef CACHES_STATE_H
#define CACHES_STATE_H

#include "base/buf.h"
#include "base/err.h"
#include "event/sas.h"

#define CACHE_STATE_MAX_BYTES (1024u * 1024) /* as of any document */
#define CACHE_STATE_SHARDS_MAX 20  /* while shards come and go, there are more than may be */
#define CACHE_SHARD_MEMBERS_MAX 16 /* the same of servers */
#define CACHE_SLOTS 16384
#define CACHE_SLOT_RANGES_MAX 1024 /* of one shard */

#define CACHE_PHASES(X)                                                                            \
    X(PHASE_CREATING, "Creating")                                                                  \
    X(PHASE_UPDATING, "Updating")                                                                  \
    X(PHASE_SCALING, "Scaling")                                                                    \
    X(PHASE_DELETING, "Deleting")                                                                  \
    X(PHASE_SUCCEEDED, "Succeeded")                                                                \
    X(PHASE_FAILED, "Failed")                                                                      \
    X(PHASE_RECOVERING, "RecoveringScaleFailure")
#define PHASE_ENUM(name, text) name,
enum cache_phase { CACHE_PHASES(PHASE_ENUM) };
#undef PHASE_ENUM
const char *cache_phase_name(enum cache_phase phase); /* as provisioningState has it */

#define MEMBER_STATES(X)                                                                           \
    X(MEMBER_STARTING, "starting") /* recorded before its process is made */                       \
    X(MEMBER_CLOSED, "closed")     /* runs, and no client reaches it */                            \
    X(MEMBER_OPEN, "open")                                                                         \
    X(MEMBER_STOPPING, "stopping")                                                                 \
    X(MEMBER_GONE, "gone")
#define MEMBER_ENUM(name, text) name,
enum member_state { MEMBER_STATES(MEMBER_ENUM) };
#undef MEMBER_ENUM
const char *member_state_name(enum member_state state);

/* One server. Texts are NULL when not known. */
struct cache_member {
    char *name;              /* "n1", unique within its cache for ever */
    char *address;           /* its own, internal */
    uint16_t port, tls_port; /* 0 = none; not of a cluster: the same for all of a cache */
    uint16_t bus_port;       /* of a cluster, else 0 */
    char *dir;               /* absolute */
    char *program, *version;
    int64_t pid;         /* 0 = none */
    uint64_t start_time; /* of that process, as /proc/PID/stat has it: tells it from a later one */
    bool is_in_sync;     /* counts as a copy; of the primary without a meaning */
    bool is_side;        /* of an import, which alone works on it: no copy of its shard, neither
                            opened nor started again by anybody else. The first of a shard follows
                            nobody, the next one follows that */
    enum member_state state;
};

struct cache_slots { /* of a cluster, both ends included */
    uint16_t first, last;
};

struct cache_shard {
    uint32_t id;   /* from 0 */
    char *primary; /* name of a member */
    char *failed;  /* whose place it took when that died, and nobody was told yet; NULL */
    bool may_have_lost, has_lost; /* with it */
    struct cache_member *members;
    size_t member_count;
    struct cache_slots *slots;
    size_t slot_count;
};

/* The passwords of the users of caches.md 3.4. Never shown, but for the keys to who asks. */
struct cache_secrets {
    struct access_keys keys; /* 0 primary, 1 secondary */
    struct access_keys next; /* what they are being replaced by; empty = nothing */
    char *admin;             /* of user redgrid */
    char *replication;       /* of user redgrid-repl */
};

struct cache_state {
    enum cache_phase phase;
    char *host_name;         /* for clients */
    uint16_t port, tls_port; /* for clients; kept for the life of the cache */
    uint64_t epoch;          /* one more with every change of a primary */
    char *owner;             /* node that supervises it */
    uint32_t members_made;   /* ever; the next one is number members_made + 1 */
    struct cache_shard *shards;
    size_t shard_count;
    struct cache_secrets secrets;
    char *error_code, *error_text; /* of the operation that failed last */
};

void cache_state_init(struct cache_state *state); /* Creating, and nothing else */
void cache_state_done(struct cache_state *state); /* leaves zeroes; the secrets are wiped */

/* cache_state_read reads a document onto a fresh state. E_OK; or E_BAD_INPUT, E_LIMIT with the
 * member in `why`: then throw the state away. */
enum err cache_state_read(struct cache_state *state, struct slice json, struct cause *why);
/* cache_state_write appends the document, secrets included. */
void cache_state_write(struct buf *out, const struct cache_state *state);

/* cache_secrets_make makes all of them anew. */
void cache_secrets_make(struct cache_secrets *secrets);

/* cache_state_shard adds a shard, cache_shard_add a member, both with zeroes and a copy of the
 * name; NULL if there are as many as may be. Pointers to others of their kind are stale then. */
struct cache_shard *cache_state_shard(struct cache_state *state, uint32_t id);
struct cache_member *cache_shard_add(struct cache_shard *shard, struct slice name);
void cache_shard_remove(struct cache_shard *shard, const struct cache_member *member);
/* Finding, NULL if there is none: a member of any shard, the primary of one. */
struct cache_member *cache_state_find(const struct cache_state *state, struct slice name);
struct cache_member *cache_shard_primary(const struct cache_shard *shard);

#endif
