#include "router/resource_id.h"

#define SUBSCRIPTION "/providers/Microsoft.EventGrid/eventSubscriptions/"

void resource_id_topic(struct buf *out, struct slice name)
{
    buf_add(out, SLICE(RESOURCE_GROUP "/providers/Microsoft.EventGrid/topics/"));
    buf_add(out, name);
}

void resource_id_subscription(struct buf *out, struct slice scope, struct slice name)
{
    buf_add(out, scope);
    buf_add(out, SLICE(SUBSCRIPTION));
    buf_add(out, name);
}

bool resource_id_is_within(struct slice id, struct slice outer)
{
    return slice_has_prefix(id, outer) && (id.len == outer.len || id.data[outer.len] == '/');
}

struct slice resource_id_scope(struct slice id)
{
    for (size_t at = 0; at < id.len; at++)
        if (slice_has_prefix_nocase(slice_from(id, at), SLICE(SUBSCRIPTION)))
            return slice_first(id, at);
    return id;
}
