/* arm/arm.h - the control plane: the part of Azure Resource Manager that `az`, its SDKs and our own
 * commands need for resource groups, topics, event subscriptions and caches (azure-api.md).
 * Rules: one table of routes (arm.c); to add one, a row and a handler, which gets an arm_call
 * (call.h). Paths are read in any spelling (path.h). What takes longer is an operation, which any
 * node answers for and the next start ends (errand.h). Errors are {"error":{"code","message"}}.
 * Who may: who has a bearer token of this server, by its secret or listen.token (principal.h); with
 * neither set, programs that call this machine by its own names, with any bearer token or none. */
#ifndef ARM_ARM_H
#define ARM_ARM_H

#include <stdbool.h>

#include "arm/principal.h"
#include "base/buf.h"

struct arm;
struct caches;
struct http_request;
struct loop;
struct router;

struct arm_options {
    struct loop *loop;
    const char *node;  /* of this run */
    const char *data;  /* the folder */
    bool is_certified; /* by somebody else than the authority in there */
    struct principal_settings principal;
    /* Does that node live no more? What it had begun is ours to end. */
    bool (*is_gone)(void *ctx, struct slice node);
    void *ctx;
};

struct arm *arm_new(const struct arm_options *options);
/* arm_principal changes what callers must show. */
void arm_principal(struct arm *arm, const struct principal_settings *settings);
/* arm_ports tells at which ports clients reach it; 0 = not served. */
void arm_ports(struct arm *arm, uint16_t http_port, uint16_t https_port);
/* arm_router tells which router and caches there are; NULL before they have loaded what there is,
 * and after they are gone. With them, operations go on that nobody ends. */
void arm_router(struct arm *arm, struct router *router, struct caches *caches);
/* arm_node_died: options.is_gone() would now say yes for one more. */
void arm_node_died(struct arm *arm);
/* arm_stop: before the router is stopped, which then ends what is under way. */
void arm_stop(struct arm *arm);
/* arm_handle answers one request; the handler of those that the API has no route for. */
void arm_handle(void *ctx, struct http_request *request);
void arm_free(struct arm *arm); /* NULL is fine */

/* arm_write_docs writes a Markdown table of the routes. */
void arm_write_docs(struct buf *out);

#endif
