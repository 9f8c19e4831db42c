#include "arm/call.h"

#include <stdlib.h>

#include "arm/arm_internal.h"
#include "arm/scope.h"
#include "router/router.h"
#include "json/scan.h"

struct slice arm_name(const struct arm_call *call, const char *name)
{
    return arm_match_name(&call->match, name);
}

struct slice arm_id(const struct arm_call *call)
{
    return buf_slice(&call->path->text);
}

struct slice arm_parent(const struct arm_call *call)
{
    struct slice id = arm_id(call), last = arm_id_name(id);

    return slice_first(id, id.len - last.len - 1);
}

struct slice arm_document(struct router *router, struct slice id)
{
    char room[RESOURCE_ID_MAX_BYTES];

    return id.len > sizeof room ? SLICE_NONE
                                : resources_get(router_resources(router), slice_lower(id, room));
}

void arm_ok(const struct arm_call *call, struct buf *body)
{
    answer_json(call->request, 200, body);
}

void arm_empty(const struct arm_call *call, int status)
{
    http_respond(call->request, status, NULL, NULL);
}

void arm_not_found(const struct arm_call *call, struct slice id)
{
    struct slice group = arm_id_group(id);
    bool is_astray = group.len > 0 && !arm_group_is(call->router, arm_id_group_id(id));
    struct buf type;

    buf_init(&type, ARM_PATH_MAX_BYTES);
    arm_id_add_type(&type, id);
    if (type.len == 0 || is_astray)
        answer_error(call->request, 404, "ResourceGroupNotFound",
                     "Resource group '%.*s' could not be found.", SLICE_ARG(group));
    else
        answer_error(call->request, 404, "ResourceNotFound",
                     "The Resource '%s/%.*s' under resource group '%.*s' was not found.",
                     buf_text(&type), SLICE_ARG(arm_id_name(id)), SLICE_ARG(group));
    buf_done(&type);
}

bool arm_body(const struct arm_call *call, struct slice *ret)
{
    struct slice body = jx_scan_trim(http_request_body(call->request));

    if (body.len > 0 && !jx_scan_is_object(body)) {
        answer_error(call->request, 400, "InvalidRequestContent", "the body is not a JSON object");
        return false;
    }
    *ret = body.len > 0 ? body : SLICE("{}");
    return true;
}
