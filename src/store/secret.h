/* store/secret.h - what all nodes of a store know, and nobody else: the first to propose it wins.
 * Stored under rg:{meta}:secret:NAME. */
#ifndef STORE_SECRET_H
#define STORE_SECRET_H

#include "redis/client.h"

#define SECRET_MAX_BYTES 1024

/* secret_share proposes a value, and learns the one in force: the reply is that text. `name` and
 * `proposed` (SECRET_MAX_BYTES at most) are copied. As redis_call(). */
enum err secret_share(struct redis *redis, struct slice name, struct slice proposed,
                      struct redis_call *call);

#endif
