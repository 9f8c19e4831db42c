/* redis/client.h - a connection to a server that never gives up.
 * Rules: the client connects, signs in, selects, names itself, learns what the server can do, and
 * connects again with back-off and jitter for ever. One log line when an outage of a server begins
 * and one when it ends, however many connections it has (the clients of one hub share that
 * knowledge). A call that was under way when a connection broke ends with E_CLOSED: it may or may
 * not have been carried out. Calls while it is down end with E_CLOSED at once: redis_ready() tells
 * when it is worth trying again. Commands of one turn leave in one write. */
#ifndef REDIS_CLIENT_H
#define REDIS_CLIENT_H

#include <stdint.h>

#include "loop/op.h"
#include "redis/options.h"
#include "wire/resp.h"

struct loop;
struct metrics;
struct redis;
struct redis_hub;

/* A reply that outlives its callback: texts stay valid while a reference is held. */
struct reply {
    uint32_t refs;
    const struct resp *root;
};
struct reply *reply_ref(struct reply *reply);
struct reply *reply_unref(struct reply *reply); /* NULL, always */

/* One command under way. The owner embeds it; reply is valid until op.done returns, unless it takes
 * a reference. */
struct redis_call {
    struct op op;
    struct reply *reply; /* set with E_OK, and with E_REDIS (root is the error) */
    uint32_t timeout_ms; /* 0 = the connection string's; for blocking commands: block time and some
                            more. Counts from the call, or from the last byte of a reply that came
                            after it: its own, or one that it waits behind */
    uint32_t limit_ms;   /* the client's, as the rest: the same, never 0 */
    uint64_t called_at_ms;   /* monotonic */
    uint64_t place;          /* in its queue */
    uint64_t borrowed_until; /* bytes that must be sent before the arguments are free; 0 = none */
    bool is_abandoned;       /* aborted, ends as soon as they are */
};

/* The hub: shared knowledge about servers, and the shared connections. One per daemon. */
struct redis_hub *redis_hub_new(struct loop *loop);
/* redis_hub_metrics: from now on count there whether servers are up, and reconnects. Before the
 * first redis_open(); `metrics` must outlive the hub. */
void redis_hub_metrics(struct redis_hub *hub, struct metrics *metrics);
void redis_hub_free(struct redis_hub *hub); /* every client must have been closed */

/* What a server can do. Learned from the server when the connection is made (INFO, COMMAND INFO),
 * unlearned when it refuses a command. */
enum redis_feature {
    REDIS_LMOVE,     /* and BLMOVE */
    REDIS_POP_COUNT, /* LPOP and RPOP with COUNT */
    REDIS_LMPOP,     /* and BLMPOP */
    REDIS_STREAMS,
    REDIS_XAUTOCLAIM,
    REDIS_SCRIPTS, /* EVAL; whether we may is tried on shared connections only */
    REDIS_BLOCK,   /* blocking commands may be used */
    REDIS_CLUSTER, /* the server is a node of a cluster */
    REDIS_FEATURE_COUNT,
};

enum redis_kind {
    REDIS_SHARED,   /* commands of many; never blocks */
    REDIS_DEDICATED /* blocking commands of one */
};

/* redis_open starts a dedicated client, or hands out a reference to the hub's shared one for the
 * same options. It connects at once, in the background. `name` is the client's name unless the
 * options have one. */
struct redis *redis_open(struct redis_hub *hub, struct redis_options *options, enum redis_kind kind,
                         const char *name);
/* redis_close drops the reference; the last one ends the connection: calls under way end with
 * E_CANCELED, later. */
void redis_close(struct redis *redis);

bool redis_is_ready(const struct redis *redis);
/* redis_ready ends with E_OK as soon as commands can be sent (next turn, if they can now). Aborted:
 * E_CANCELED. */
void redis_ready(struct redis *redis, struct op *op);

/* redis_call sends one command. Arguments up to REDIS_COPY_MAX bytes are copied; longer ones are
 * borrowed until done. Now: E_CLOSED (not connected), E_LIMIT, or E_UNSUPPORTED (disabled by the
 * connection string). Later: E_OK and call->reply;
 * E_REDIS, with the error's text in op.why and call->reply; E_CLOSED, E_TIMEOUT, E_CANCELED, or
 * E_LIMIT (the reply is too large, which ends the connection), with reply NULL. READONLY, LOADING
 * and the like also make the client connect anew; a MOVED is E_REDIS. Aborting gives the op back
 * soon, whatever the server does: at the end of the turn, or as soon as borrowed arguments have
 * left. A timeout ends the connection, because later replies could not be told apart from a hung
 * server. */
#define REDIS_COPY_MAX 8192
enum err redis_call(struct redis *redis, const struct slice *args, size_t count,
                    struct redis_call *call);

/* redis_is_outage: READONLY and the like, by an error's text: the connection tells of it itself,
 * once for all who use the server. */
bool redis_is_outage(const char *error);

bool redis_can(const struct redis *redis, enum redis_feature feature);
/* redis_cannot unlearns a feature until the next connection, after the server refused it (unknown
 * command, NOPERM). */
void redis_cannot(struct redis *redis, enum redis_feature feature);
uint32_t redis_version(const struct redis *redis); /* 0xMMmmpp */
const struct redis_options *redis_opts(const struct redis *redis);
const char *redis_name(const struct redis *redis);    /* as redis_options_name() */
uint64_t redis_reconnects(const struct redis *redis); /* how often the connection was made again */
uint64_t redis_epoch(const struct redis *redis);      /* grows with every connection made */
/* redis_trouble: what the last attempt to reach the server failed with; NULL: nothing is wrong, or
 * nobody knows yet. Valid until the loop goes on. */
const char *redis_trouble(const struct redis *redis);

#endif
