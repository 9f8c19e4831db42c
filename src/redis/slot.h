/* redis/slot.h - which of a cluster's 16384 slots a key belongs to. Pure: callable anywhere.
 * Source: the cluster specification of Redis. The client speaks to one server: a MOVED or ASK reply
 * ends its call with E_REDIS. What later spreads commands over the servers of a cluster sits above
 * struct redis: one client per server, chosen by redis_slot(), a map from slots to servers that
 * CLUSTER SLOTS fills and a MOVED reply corrects. */
#ifndef REDIS_SLOT_H
#define REDIS_SLOT_H

#include <stdint.h>

#include "base/str.h"

#define REDIS_SLOTS 16384

/* redis_hash_tag is the part of the key that decides: what stands in the first {...} if that is not
 * empty, else the whole key. */
struct slice redis_hash_tag(struct slice key);
/* redis_slot: 0..16383; keys with the same hash tag share a slot. */
uint16_t redis_slot(struct slice key);
/* redis_moved reads a "MOVED 3999 127.0.0.1:6381" or "ASK ..." error; false if it is neither, or
 * malformed. */
bool redis_moved(struct slice error, uint16_t *ret_slot, struct slice *ret_endpoint);

#endif
