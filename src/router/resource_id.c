#include "router/resource_id.h"

#define TOPIC "/providers/Microsoft.EventGrid/topics/"
#define SYSTEM_TOPIC "/providers/Microsoft.EventGrid/systemTopics/"
#define PROVIDERS "/providers/"
#define SUBSCRIPTION "/providers/Microsoft.EventGrid/eventSubscriptions/"

void resource_id_topic(struct buf *out, struct slice name)
{
    buf_add(out, SLICE(RESOURCE_GROUP TOPIC));
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

/* Where a part of it begins, which may be in any case; or its length. */
static size_t find(struct slice id, struct slice part)
{
    size_t at = 0;

    while (at < id.len && !slice_has_prefix_nocase(slice_from(id, at), part))
        at++;
    return at;
}

struct slice resource_id_scope(struct slice id)
{
    return slice_first(id, find(id, SLICE(SUBSCRIPTION)));
}

void resource_id_system_topic(struct buf *out, struct slice source, struct slice name)
{
    size_t at = find(source, SLICE(PROVIDERS));

    buf_add(out, at > 0 && at < source.len ? slice_first(source, at) : SLICE(RESOURCE_GROUP));
    buf_add(out, SLICE(SYSTEM_TOPIC));
    buf_add(out, name);
}

bool resource_id_is_system(struct slice id)
{
    return find(id, SLICE(SYSTEM_TOPIC)) < id.len;
}

struct slice resource_id_topic_name(struct slice id)
{
    size_t at = find(id, SLICE(TOPIC));

    if (at < id.len)
        return slice_from(id, at + sizeof TOPIC - 1);
    at = find(id, SLICE(SYSTEM_TOPIC));
    return at < id.len ? slice_from(id, at + sizeof SYSTEM_TOPIC - 1) : SLICE_NONE;
}
