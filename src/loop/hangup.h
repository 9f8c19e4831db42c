/* loop/hangup.h - tells when the other end of a socket has hung up, without reading from it.
 * Rules: the socket is somebody else's, who does nothing with it meanwhile. One that shut down its
 * sending side only counts as hung up: the two cannot be told apart before something is sent. */
#ifndef LOOP_HANGUP_H
#define LOOP_HANGUP_H

#include "base/err.h"

struct hangup;
struct loop;

/* hangup_new: `hung_up` is called once. NULL if the socket cannot be watched. */
struct hangup *hangup_new(struct loop *loop, int fd, void (*hung_up)(void *ctx), void *ctx);
/* hangup_free: the socket is not looked at any more from now on. NULL is fine. In callbacks: yes.
 */
void hangup_free(struct hangup *hangup);

#endif
