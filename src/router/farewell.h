/* router/farewell.h - the end of a resource that emits events, as a cache: what its subscriptions
 * still have to deliver is delivered, for FAREWELL_MS at most; then they are removed, and its
 * system topic. */
#ifndef ROUTER_FAREWELL_H
#define ROUTER_FAREWELL_H

#include "base/str.h"
#include "loop/op.h"

#define FAREWELL_MS 30000

struct router;

/* farewell_begin: the op ends with E_OK when nothing is left, also if nothing was there; with
 * E_CANCELED when it is aborted or the router stops. Begun again, it goes on. */
void farewell_begin(struct router *router, struct slice scope, struct op *op);

#endif
