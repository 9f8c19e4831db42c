/* store/probe.h - a few questions to a server on a connection of their own, so that asking one that
 * is still starting, hangs or is about to end makes no noise and holds nobody up. */
#ifndef STORE_PROBE_H
#define STORE_PROBE_H

#include "loop/op.h"
#include "loop/stream.h"

struct probe;

#define PROBE_ANSWER_MAX_BYTES (64u * 1024)

/* probe_ask sends `commands` (RESP, copied) and waits for `replies` answers. `target` is borrowed
 * until op ends; its timeout_ms is for all of it. Later: E_OK; E_REDIS: one is an error, the first
 * such is in op->why (all came); E_CLOSED: the server closed before; E_TIMEOUT; or what
 * stream_connect() says. Aborted: E_CANCELED.
 * probe_start asks for PONG: E_REDIS while it is loading its data. */
struct probe *probe_ask(struct loop *loop, const struct stream_target *target,
                        struct slice commands, uint32_t replies, struct op *op);
struct probe *probe_start(struct loop *loop, const struct stream_target *target, struct op *op);
/* probe_answer is what came, all replies in a row; until probe_free(). */
struct slice probe_answer(const struct probe *probe);
/* probe_free: a busy op never ends then. NULL is fine. In callbacks: yes. */
void probe_free(struct probe *probe);

#endif
