/* store/probe.h - does a server answer PING? One question on a connection of its own, so that
 * asking a server that is still starting makes no noise. */
#ifndef STORE_PROBE_H
#define STORE_PROBE_H

#include "loop/op.h"
#include "loop/stream.h"

struct probe;

/* probe_start asks once. `target` is borrowed until op ends: E_OK it answered PONG; E_REDIS it
 * answered something else (it is loading its data); or what stream_connect() and stream_read() say.
 */
struct probe *probe_start(struct loop *loop, const struct stream_target *target, struct op *op);
/* probe_free: a busy op never ends then. NULL is fine. In callbacks: yes. */
void probe_free(struct probe *probe);

#endif
