/* invokers/channel.h - FunctionRpc messages over a connected socket: 4 bytes of length before
 * each. Rules: what is sent in one turn leaves in one write; while that is under way the next one
 * gathers. Messages that arrive are parsed where they were read. Behaviour: workers.md 2.2. */
#ifndef INVOKERS_CHANNEL_H
#define INVOKERS_CHANNEL_H

#include "base/buf.h"
#include "loop/op.h"
#include "wire/rpc.h"

#define CHANNEL_QUEUE_MAX_BYTES (512u * 1024 * 1024)

struct loop;
struct channel;

struct channel_options {
    struct loop *loop;
    size_t message_max_bytes; /* 0 = RPC_MESSAGE_MAX_BYTES; both ways */
    size_t queue_max_bytes;   /* of what the peer has not taken; 0 = CHANNEL_QUEUE_MAX_BYTES */
    void (*message)(void *ctx, struct slice bytes); /* borrowed until it returns */
    /* Once, last: E_CLOSED at the peer's end of stream; E_BAD_WIRE if that is inside a message;
     * E_LIMIT for a message that is too long; others. */
    void (*closed)(void *ctx, enum err err, const struct cause *why);
    void *ctx;
};

/* channel_start takes over a connected socket (fd, closed on failure too) and reads at once. */
enum err channel_start(const struct channel_options *options, int fd, struct channel **ret,
                       struct cause *why);
/* channel_send: E_OK; E_LIMIT when the message is too long or too much waits, E_CLOSED; then
 * nothing of it is sent. */
enum err channel_send(struct channel *channel, const struct rpc_message *message);
/* channel_end tells the peer, behind all that is queued, that nothing more comes. What it still
 * says arrives; `closed` comes when it ends too. */
void channel_end(struct channel *channel);
/* channel_free: no event comes any more. In callbacks: yes. NULL is fine. */
void channel_free(struct channel *channel);

#endif
