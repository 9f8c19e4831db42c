/* loop/listener.h - takes the connections that come to a listening socket.
 * Rules: connections that are not taken wait in the kernel's queue, where nothing is lost while
 * there is room: when the listener is paused, or when descriptors have run out. Of the latter it
 * tells the operator once, tries again every LISTENER_AGAIN_MS, and goes on. */
#ifndef LOOP_LISTENER_H
#define LOOP_LISTENER_H

#include <stdbool.h>

#define LISTENER_AGAIN_MS 200

struct listener;
struct loop;

/* listener_new takes the socket, which listens and does not block. `came` is given each
 * connection's descriptor, which is its own from then on; the listener must not be freed in there.
 * NULL, and the socket is still the caller's, if it cannot be watched. */
struct listener *listener_new(struct loop *loop, int fd, void (*came)(void *ctx, int fd),
                              void *ctx);
void listener_pause(struct listener *listener, bool is_paused);
/* listener_free closes the socket. NULL is fine. */
void listener_free(struct listener *listener);

#endif
