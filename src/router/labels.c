#include "router/labels.h"

#include "json/member.h"

struct labels labels_read(struct slice json)
{
    return (struct labels){jx_scan_member(json, SLICE("location")),
                           jx_scan_member(json, SLICE("tags")),
                           jx_scan_member(json, SLICE("identity"))};
}

static struct slice either(struct slice asked, struct slice old)
{
    return asked.data != NULL ? asked : old;
}

struct labels labels_merge(const struct labels *old, const struct labels *asked)
{
    return (struct labels){either(asked->location, old->location), either(asked->tags, old->tags),
                           either(asked->identity, old->identity)};
}

void labels_write(struct buf *out, const struct labels *labels)
{
    member_json_if(out, "location", labels->location);
    member_json_if(out, "tags", labels->tags);
    member_json_if(out, "identity", labels->identity);
}
