/* api/lock_tokens.h - {"lockTokens":["..",..]}, the body of a pull client that says what becomes of
 * what it received. Pure. */
#ifndef API_LOCK_TOKENS_H
#define API_LOCK_TOKENS_H

#include "store/queue.h"

#define LOCK_TOKENS_MAX QUEUE_BATCH_MAX

struct lock_tokens {
    struct buf text; /* which the tokens point into */
    struct slice tokens[LOCK_TOKENS_MAX];
    size_t count; /* at least 1 */
};

/* lock_tokens_read: E_OK, and lock_tokens_done() ends it; or E_BAD_INPUT, E_LIMIT with the member
 * in `why`, and there is nothing to end. */
enum err lock_tokens_read(struct lock_tokens *tokens, struct slice body, struct cause *why);
void lock_tokens_done(struct lock_tokens *tokens);

#endif
