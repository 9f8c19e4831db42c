/* functions/payload.h - what a function receives: the trigger's value and its metadata.
 * Rules: pure; the message owns all its bytes (one buf, reused from message to message), so that it
 * outlives the reply it was made from. Slices of the message are valid until the next
 * message_set_*() or message_done(). Behaviour: functions.md 5, 6 and 15 (reason) of the
 * specification. */
#ifndef FUNCTIONS_PAYLOAD_H
#define FUNCTIONS_PAYLOAD_H

#include "apps/app.h"
#include "base/buf.h"
#include "wire/resp.h"
#include "wire/rpc_data.h"

struct message {
    enum trigger_type type;
    struct rpc_named input;     /* the trigger's parameter and its value */
    struct rpc_named *metadata; /* owned array */
    size_t metadata_count;
    struct slice source;    /* key, channel or subscription, for the reason of the run */
    uint64_t added_unix_ms; /* of a stream entry, by its id; 0 = unknown */
    /* Inner. */
    size_t metadata_cap;
    struct slice *items; /* of a batch */
    size_t item_cap;
    struct rpc_named *inputs; /* the delivery's: the trigger's and those of input bindings */
    struct buf text;
};

/* A message takes at most max_bytes in all its forms. */
void message_init(struct message *message, size_t max_bytes);
void message_done(struct message *message);

/* Each fills the message anew. E_OK, or E_LIMIT when it does not fit. `deliveries` counts from 1; 0
 * = unknown, then DeliveryCount is left out. */
enum err message_set_list(struct message *message, const struct trigger *trigger, struct slice key,
                          struct slice element, uint64_t deliveries);
/* `fields`: the flat array (or map) of names and values of the entry. */
enum err message_set_stream(struct message *message, const struct trigger *trigger,
                            struct slice key, struct slice id, const struct resp *fields,
                            uint64_t deliveries);
enum err message_set_pubsub(struct message *message, const struct trigger *trigger,
                            struct slice channel, struct slice payload);
/* Batches (cardinality many), all of one key. */
enum err message_set_list_batch(struct message *message, const struct trigger *trigger,
                                struct slice key, const struct slice *elements, size_t count);
/* `entries`: nodes of [id, [name, value, ...]]. */
enum err message_set_stream_batch(struct message *message, const struct trigger *trigger,
                                  struct slice key, const struct resp *const *entries,
                                  size_t count);
/* What an event trigger is given: `count` events (one, unless the trigger takes batches). */
struct message_events {
    const struct slice *events; /* JSON objects in UTF-8 */
    size_t count;
    struct slice subscription;
    uint64_t deliveries;
    const struct rpc_named *attributes; /* texts: what the subscription adds */
    size_t attribute_count;
};
enum err message_set_events(struct message *message, const struct trigger *trigger,
                            const struct message_events *what);
/* A value given by hand (`redgrid function invoke`): sent as it is, whatever the payload mode. */
enum err message_set_value(struct message *message, const struct trigger *trigger,
                           struct slice value);

/* message_add_reason writes "Redis list entry detected from key 'q' at
 * 2023-05-24T12:00:00.0000000Z." and its like. */
void message_add_reason(const struct message *message, struct buf *out);

#endif
