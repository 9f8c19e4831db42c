/* api/pull_locks.h - what a pull client says about events that it received: acknowledge, release,
 * reject, renewLock. Each token is answered for itself; the locks that it no longer has are named
 * with code TokenLost, and the answer is 200 all the same. */
#ifndef API_PULL_LOCKS_H
#define API_PULL_LOCKS_H

#include "api/pull.h"

struct active;

/* pull_settle: E_OK, and it is answered later; or the error of the refusal in `why`. */
enum err pull_settle(struct active *active, enum pull_verb verb, const struct exchange *exchange,
                     struct refusal *why);

#endif
