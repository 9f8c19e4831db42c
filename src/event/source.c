#include "event/source.h"

#include <string.h>

#include "base/mem.h"

static const struct event_kind cache_kinds[] = {
    {"Microsoft.Cache.PatchingCompleted", "Patching Completed", "A cache was patched.", true},
    {"Microsoft.Cache.ScalingCompleted", "Scaling Completed", "A cache was scaled.", true},
    {"Microsoft.Cache.ImportRDBCompleted", "Import RDB Completed",
     "RDB files were imported into a cache.", true},
    {"Microsoft.Cache.ExportRDBCompleted", "Export RDB Completed",
     "The data of a cache were exported to RDB files.", true},
    {"Redgrid.Cache.OperationStarted", "Operation Started", "An operation on a cache was accepted.",
     false},
    {"Redgrid.Cache.OperationFailed", "Operation Failed",
     "An operation on a cache failed, and why.", false},
    {"Redgrid.Cache.Created", "Created", "A cache was created.", false},
    {"Redgrid.Cache.Updated", "Updated", "Settings of a cache were changed.", false},
    {"Redgrid.Cache.FailoverCompleted", "Failover Completed",
     "Another server became the primary of a shard.", false},
    {"Redgrid.Cache.FlushCompleted", "Flush Completed", "All data of a cache were removed.", false},
    {"Redgrid.Cache.RebootCompleted", "Reboot Completed", "Servers of a cache were restarted.",
     false},
    {"Redgrid.Cache.KeysRegenerated", "Keys Regenerated", "An access key was made anew.", false},
    {"Redgrid.Cache.NodeDown", "Node Down", "A server of a cache ended unasked.", false},
    {"Redgrid.Cache.NodeUp", "Node Up", "A server of a cache is there again, and in sync.", false},
    {"Redgrid.Cache.DataLost", "Data Lost", "A shard had to start empty.", false},
    {"Redgrid.Cache.MemoryPressure", "Memory Pressure",
     "The memory of a cache is nearly used up, or no longer.", false},
};

const struct event_source event_sources[EVENT_SOURCES] = {
    {"Microsoft.Cache.Redis", "Microsoft.Cache", "/providers/microsoft.cache/redis/",
     "Microsoft Azure Cache for Redis", "Microsoft Azure Cache for Redis service events",
     "/subscriptions/<subscriptionId>/resourceGroups/<resourceGroupName>/providers/Microsoft.Cache/"
     "Redis/<redisName>",
     cache_kinds, COUNT_OF(cache_kinds)},
};

const struct event_source *event_source_find(struct slice type)
{
    for (size_t i = 0; i < EVENT_SOURCES; i++)
        if (slice_eq_nocase(type, slice_of(event_sources[i].type)))
            return &event_sources[i];
    return NULL;
}

/* Is the path in the id, with one segment behind it? */
static bool is_path_of(struct slice path, struct slice id)
{
    size_t last = id.len;

    while (last > 0 && id.data[last - 1] != '/')
        last--;
    return last >= path.len && last < id.len &&
           slice_eq_nocase(path, slice_from(slice_first(id, last), last - path.len));
}

const struct event_source *event_source_of(struct slice resource_id)
{
    for (size_t i = 0; i < EVENT_SOURCES; i++)
        if (is_path_of(slice_of(event_sources[i].path), resource_id))
            return &event_sources[i];
    return NULL;
}

bool event_source_has(const struct event_source *source, struct slice type)
{
    for (size_t i = 0; i < source->kind_count; i++)
        if (slice_eq_nocase(type, slice_of(source->kinds[i].name)))
            return true;
    return false;
}
