/* redis/pubsub.h - a subscription that is made again after every outage.
 * Rules: a connection of its own. Messages published while there is no connection are lost, which
 * is the nature of pub/sub: `down` and `up` tell when, so that the owner can say how long the gap
 * was. */
#ifndef REDIS_PUBSUB_H
#define REDIS_PUBSUB_H

#include "redis/client.h"

struct redis_pubsub;

struct redis_pubsub_options {
    struct redis_options *options;
    const char *client_name;
    struct slice channel;
    bool is_pattern; /* PSUBSCRIBE */
    /* A message: `channel` as published (the prefix removed), `payload` valid until the callback
     * returns unless a reference to `reply` is taken. */
    void (*message)(void *ctx, struct slice channel, struct slice payload, struct reply *reply);
    /* The subscription was confirmed by the server; gap_ms = how long there was none (0 the first
     * time). */
    void (*up)(void *ctx, uint64_t gap_ms);
    /* First failure since it was up or started, and first refusal of the subscription (E_REDIS):
     * err and text. */
    void (*down)(void *ctx, enum err err, const struct cause *why);
    void *ctx;
};

struct redis_pubsub *redis_pubsub_open(struct redis_hub *hub,
                                       const struct redis_pubsub_options *options);
/* redis_pubsub_beside: at the server of another client, with its options instead of those named. */
struct redis_pubsub *redis_pubsub_beside(struct redis *redis,
                                         const struct redis_pubsub_options *options);
void redis_pubsub_close(
    struct redis_pubsub *pubsub); /* no callback runs any more. In callbacks: yes. */

#endif
