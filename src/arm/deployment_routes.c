#include "arm/deployment_routes.h"

#include "arm/scope.h"
#include "base/log.h"
#include "json/member.h"

#define NOTICE                                                                                     \
    "redgrid deploys no templates: nothing of this one was made. Make what you need by `az`, by "  \
    "`redgrid apply`, or by an SDK."

static void answer(const struct arm_call *call, int status, struct slice id)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    member_text(&body, "id", id);
    member_text(&body, "name", arm_id_name(id));
    member_text(&body, "type", SLICE("Microsoft.Resources/deployments"));
    member_open(&body, "properties");
    member_text(&body, "provisioningState", SLICE("Succeeded"));
    member_text(&body, "mode", SLICE("Incremental"));
    member_open(&body, "outputs");
    member_open(&body, "redgrid");
    member_text(&body, "type", SLICE("String"));
    member_text(&body, "value", SLICE(NOTICE));
    buf_add(&body, SLICE("}}"));
    member_json(&body, "outputResources", SLICE("[]"));
    member_json(&body, "dependencies", SLICE("[]"));
    member_json(&body, "providers", SLICE("[]"));
    buf_add(&body, SLICE("}}\n"));
    answer_json(call->request, status, &body);
}

static bool has_group(const struct arm_call *call)
{
    struct slice group = arm_id_group_id(arm_id(call));

    if (arm_group_is(call->router, group))
        return true;
    arm_not_found(call, group);
    return false;
}

void arm_deployments_get(const struct arm_call *call)
{
    struct buf body;

    if (!has_group(call))
        return;
    buf_init(&body, ANSWER_MAX_BYTES);
    buf_add(&body, SLICE("{\"value\":[]}\n"));
    arm_ok(call, &body);
}

void arm_deployment_get(const struct arm_call *call)
{
    if (has_group(call))
        answer_error(call->request, 404, "DeploymentNotFound",
                     "Deployment '%.*s' could not be found: " NOTICE,
                     SLICE_ARG(arm_name(call, "deployment")));
}

void arm_deployment_validate(const struct arm_call *call)
{
    if (has_group(call))
        answer(call, 200, arm_parent(call));
}

void arm_deployment_put(const struct arm_call *call)
{
    if (!has_group(call))
        return;
    log_warn("DEPLOYMENT-NOTHING", "%.*s: " NOTICE, SLICE_ARG(arm_id(call)));
    answer(call, 201, arm_id(call));
}
