#include "arm/scope.h"

#include <stdlib.h>

#include "router/document.h"
#include "router/labels.h"
#include "router/resource_id.h"
#include "json/scan.h"

const struct scope *arm_topic(struct router *router, struct slice id)
{
    const struct scope *scope = catalog_topic(router_catalog(router), resource_id_topic_name(id));

    return scope != NULL && slice_eq_nocase(slice_of(scope->topic->id), id) ? scope : NULL;
}

bool arm_scope_find(struct router *router, struct slice id, struct arm_scope *ret)
{
    *ret = (struct arm_scope){.source = event_source_of(id)};
    if (resource_id_topic_name(id).data != NULL) {
        ret->scope = arm_topic(router, id);
        return ret->scope != NULL;
    }
    const struct scope *scope = catalog_find_scope(router_catalog(router), id);
    ret->scope = scope != NULL && scope->topic != NULL ? scope : NULL;
    ret->document = arm_document(router, id);
    return ret->scope != NULL || (ret->source != NULL && ret->document.data != NULL);
}

bool arm_group_is(struct router *router, struct slice id)
{
    return slice_eq_nocase(id, SLICE(RESOURCE_GROUP)) || arm_document(router, id).data != NULL;
}

void arm_group_operation(struct buf *out, struct slice id)
{
    buf_add(out, id);
    buf_add(out, SLICE("/operation"));
}

struct slice arm_group_removal(struct router *router, struct slice id)
{
    struct buf operation;

    buf_init(&operation, RESOURCE_ID_MAX_BYTES);
    arm_group_operation(&operation, id);
    struct slice json = jx_scan_member(arm_document(router, buf_slice(&operation)), SLICE("id"));
    buf_done(&operation);
    return json.len > 2 ? slice_first(slice_from(json, 1), json.len - 2) : SLICE_NONE;
}

/* A group's id as it is spelt. */
static void add_group(struct buf *out, struct router *router, struct slice id)
{
    char *spelt = document_text(arm_document(router, id), "id");

    if (spelt != NULL)
        buf_add(out, slice_of(spelt));
    else
        buf_add(out, SLICE(RESOURCE_GROUP));
    free(spelt);
}

bool arm_new_id(const struct arm_call *call, struct buf *ret)
{
    struct slice id = arm_id(call), group = arm_id_group_id(id);

    if (!arm_group_is(call->router, group)) {
        arm_not_found(call, group);
        return false;
    }
    if (arm_group_removal(call->router, group).data != NULL) {
        answer_error(call->request, 409, "ResourceGroupBeingDeleted",
                     "resource group '%.*s' is being deleted: nothing can be made in it",
                     SLICE_ARG(arm_id_group(id)));
        return false;
    }
    add_group(ret, call->router, group);
    buf_add(ret, slice_from(id, group.len));
    return true;
}

static struct slice location_of(struct slice document)
{
    struct slice json = labels_read(document).location;
    return json.len > 2 && json.data[0] == '"' ? slice_first(slice_from(json, 1), json.len - 2)
                                               : SLICE_NONE;
}

struct slice arm_location(struct router *router, const struct topic *topic)
{
    struct slice location = location_of(arm_document(router, slice_of(topic->id)));

    if (location.data == NULL && topic->source != NULL)
        location = location_of(arm_document(router, slice_of(topic->source)));
    return location.data != NULL ? location : SLICE(ARM_LOCATION);
}

bool arm_location_eq(struct slice a, struct slice b)
{
    size_t i = 0, j = 0;

    for (;;) {
        while (i < a.len && a.data[i] == ' ')
            i++;
        while (j < b.len && b.data[j] == ' ')
            j++;
        if (i == a.len || j == b.len)
            return i == a.len && j == b.len;
        if (lower_of(a.data[i++]) != lower_of(b.data[j++]))
            return false;
    }
}
