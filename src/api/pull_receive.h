/* api/pull_receive.h - a pull client that asks for events: at most ?maxEvents= of them, for
 * ?maxWaitTime= seconds at most. They come as CloudEvents, whatever was published. */
#ifndef API_PULL_RECEIVE_H
#define API_PULL_RECEIVE_H

#include "api/exchange.h"

struct active;
struct scope;

/* pull_receive: E_OK, and it is answered later; or the error of the refusal in `why`. */
enum err pull_receive(struct scope *scope, struct active *active, const struct exchange *exchange,
                      struct refusal *why);

#endif
