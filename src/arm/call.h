/* arm/call.h - one request to the control plane, and how it is answered. */
#ifndef ARM_CALL_H
#define ARM_CALL_H

#include "api/answer.h"
#include "arm/path.h"

struct arm;
struct router;

/* Valid until the handler returns; what is answered later keeps what it needs. */
struct arm_call {
    struct arm *arm;
    struct router *router; /* never NULL */
    struct http_request *request;
    const struct arm_path *path;
    struct arm_match match; /* of the route's pattern */
};

/* arm_name is what stands for the braces of that name in the route's pattern. */
struct slice arm_name(const struct arm_call *call, const char *name);
/* arm_id is the path: the id of the resource that is meant. */
struct slice arm_id(const struct arm_call *call);
/* arm_parent is the path without its last segment, of an action or a collection. */
struct slice arm_parent(const struct arm_call *call);
/* arm_document is what the store has for an id, in any case; SLICE_NONE. */
struct slice arm_document(struct router *router, struct slice id);

/* arm_ok answers 200 with JSON, which is emptied; arm_empty a status and nothing else. */
void arm_ok(const struct arm_call *call, struct buf *body);
void arm_empty(const struct arm_call *call, int status);
/* arm_not_found answers 404, naming the resource of that id as Azure does, or its resource group if
 * that is not there either. */
void arm_not_found(const struct arm_call *call, struct slice id);
/* arm_body is the request's body, "{}" if there is none; false, and answered, if it is no JSON
 * object. */
bool arm_body(const struct arm_call *call, struct slice *ret);

#endif
