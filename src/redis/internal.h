/* redis/internal.h - the client's inside, for the files of this folder. */
#ifndef REDIS_INTERNAL_H
#define REDIS_INTERNAL_H

#include "loop/loop.h"
#include "redis/client.h"
#include "redis/connection.h"
#include "redis/server.h"

struct sentinel;
struct timer;

/* The calls under way, in the order in which their replies will come: a ring of places that a call
 * finds by its number. An aborted call leaves an empty place, for its reply still comes. */
struct calls {
    struct redis_call **ring;
    uint64_t head, tail; /* numbers of the first call and of the next one */
    uint32_t cap;        /* a power of two, or 0 */
};

/* What pub/sub asks of a client of its own; `reply` also gets what is no answer to a call. */
struct redis_hooks {
    void (*up)(void *ctx);
    void (*down)(void *ctx, enum err err, const struct cause *why); /* again at each failure */
    void (*push)(void *ctx, struct reply *reply);
    void *ctx;
};

/* States are named after what they await. */
enum redis_state {
    REDIS_NEW,
    REDIS_RESOLVE, /* a Sentinel's answer */
    REDIS_CONNECT,
    REDIS_SIGN_IN,
    REDIS_NAME,
    REDIS_SELECT,
    REDIS_LEARN,
    REDIS_PROBE,
    REDIS_VERIFY,
    REDIS_READY, /* a break */
    REDIS_BACKOFF,
    REDIS_CLOSED,
};

struct redis {
    struct list_node node; /* in the hub, if it is shared */
    struct redis_hub *hub;
    struct redis_server *server;
    struct loop *loop;
    uint32_t refs;
    enum redis_kind kind;
    char *client_name; /* NULL = none */
    struct redis_hooks hooks;

    enum redis_state state;
    struct op op;    /* of the state */
    struct op later; /* ends op next turn, when the client was closed */
    bool is_closing;
    struct timer *timer; /* back-off, and the limit of the handshake */
    struct connection *connection;
    struct stream_target target;
    struct sentinel *sentinel; /* NULL = no Sentinel */
    size_t endpoint;           /* which of the options' is tried, or in use */
    size_t tried;              /* endpoints in this round */
    size_t replicas;           /* endpoints of this round that are no primary */
    uint32_t attempt;          /* rounds that failed since the last steady connection */
    bool has_no_hello;         /* the server does not know HELLO */

    uint32_t awaited, answered; /* replies of a handshake step */
    enum err step_err;          /* the first of them that was bad */

    struct calls calls;
    uint32_t abandoned;  /* calls that wait for their arguments to leave */
    struct list aborted; /* calls and waiters that end when the turn ends */
    struct list waiting; /* redis_ready() */
    struct turn turn;
    struct timer *expiry;
    uint64_t expiry_at_ms; /* what it is set to; 0 = not set */
    uint64_t heard_at_ms;  /* the last bytes of a reply, whole or not */
    bool has_looked_again; /* a call was late at the last look of `expiry` */
    struct timer *idle;
    struct redis_call ping;
    bool has_heard; /* since the last look of `idle` */

    uint32_t features; /* bits by enum redis_feature */
    uint32_t version;
    uint64_t generation; /* of the server, when the connection was made */
    uint64_t ready_at_ms;
    uint64_t reconnects, epoch;
};

/* Calls. calls_fail ends all that are under way and frees the ring; after E_TIMEOUT only the late
 * ones are called late. calls_answer hands a reply to the first. The others are callbacks of the
 * connection and of the timers `expiry` and `idle`. */
void calls_init(struct redis *redis);
void calls_fail(struct redis *redis, enum err err, const struct cause *why);
void calls_answer(struct redis *redis, struct reply *reply);
void calls_wrote(void *redis);
void calls_expire(void *redis);
void calls_idle(void *redis);

/* Hub. */
struct loop *hub_loop(const struct redis_hub *hub);
struct redis_server *hub_server(struct redis_hub *hub, struct redis_options *options);
void hub_server_unref(struct redis_hub *hub, struct redis_server *server);
struct redis *hub_shared(struct redis_hub *hub, const struct redis_options *options);
void hub_share(struct redis_hub *hub, struct redis *redis);
void hub_ref(struct redis_hub *hub);
void hub_unref(struct redis_hub *hub);

/* Client. redis_open_hooked makes a dedicated client that tells its life. */
struct redis *redis_open_hooked(struct redis_hub *hub, struct redis_options *options,
                                const char *name, const struct redis_hooks *hooks);
/* redis_break makes the connection anew after a back-off; only from the loop's callbacks. */
void redis_break(struct redis *redis, enum err err, const struct cause *why);

/* Handshake: handshake_start sends what the state asks for and counts the replies in `awaited`;
 * none means that there is nothing to ask. handshake_reply judges one; E_OK, or why the connection
 * is no good. */
enum err handshake_start(struct redis *redis);
enum err handshake_reply(struct redis *redis, uint32_t index, const struct resp *reply,
                         struct cause *why);
/* handshake_refused: does this error mean that the server, as it is now, serves nobody? */
bool handshake_refused(const struct resp *error);
/* handshake_unlearn notes what an error to a later call tells of the server: that it refuses us
 * scripts, since our rights were changed. */
void handshake_unlearn(struct redis *redis, const struct resp *error);
/* The name of a command on this server; false if the connection string disables it. */
bool redis_alias(const struct redis *redis, struct slice command, struct slice *ret);

/* Sentinel: ask who the primary is. On success the address is in sentinel_host() and _port(). */
struct sentinel *sentinel_new(struct loop *loop, struct redis_server *server);
enum err sentinel_ask(struct sentinel *sentinel, struct op *op);
const char *sentinel_host(const struct sentinel *sentinel);
uint16_t sentinel_port(const struct sentinel *sentinel);
void sentinel_free(struct sentinel *sentinel); /* not while an op waits; NULL is fine */

#endif
