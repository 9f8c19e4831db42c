/* Events in the schema of Azure Event Grid (eventgrid.md 1.1). */
#include "base/mem.h"
#include "event/draft.h"
#include "json/scan.h"

/* Behind the fields of an event. */
enum { METADATA_VERSION = EVENT_FIELDS, MEMBERS };

static const struct {
    struct slice name;
    bool is_required;
} members[MEMBERS] = {
    [EVENT_ID] = {SLICE_INIT("id"), true},
    [EVENT_SOURCE] = {SLICE_INIT("topic"), false},
    [EVENT_SUBJECT] = {SLICE_INIT("subject"), true},
    [EVENT_TYPE] = {SLICE_INIT("eventType"), true},
    [EVENT_TIME] = {SLICE_INIT("eventTime"), true},
    [EVENT_DATA_VERSION] = {SLICE_INIT("dataVersion"), false},
    [EVENT_DATA] = {SLICE_INIT("data"), false},
    [METADATA_VERSION] = {SLICE_INIT("metadataVersion"), false},
};

static bool find_member(struct slice name, size_t *ret)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if (jx_scan_is_text(name, members[i].name)) {
            *ret = i;
            return true;
        }
    return false;
}

static enum err check_member(size_t member, struct slice json, struct refusal *why)
{
    const char *name = members[member].name.data;

    if (raw_is_null(json))
        return members[member].is_required ? refuse_missing(why, SCHEMA_EVENT_GRID, name) : E_OK;
    if (member == EVENT_DATA)
        return E_OK;
    if (!raw_is_string(json))
        return refuse_type(why, name, "a string");
    if (members[member].is_required && !raw_is_text(json))
        return refuse_missing(why, SCHEMA_EVENT_GRID, name);
    if (member == EVENT_TIME && !raw_is_time(json))
        return refuse_type(why, name, "an ISO 8601 time with Z or an offset");
    if (member == METADATA_VERSION && !jx_scan_is_text(json, SLICE("1")))
        return refuse_type(why, name, "'1'");
    return E_OK;
}

enum err event_grid_read(struct draft *draft, const struct event_rules *rules,
                         const struct event_stamp *stamp, struct refusal *why)
{
    struct slice values[MEMBERS] = {{0}}, rest = draft->body;
    struct jx_field field;
    size_t member = 0;

    (void)stamp;
    while (jx_scan_next(&rest, &field)) {
        if (!find_member(field.name, &member))
            return refuse_unexpected(why, field.name);
        values[member] = field.value;
    }
    for (member = 0; member < MEMBERS; member++) {
        enum err err = check_member(member, values[member], why);
        if (err)
            return err;
    }
    if (raw_is_text(values[EVENT_SOURCE]) && !jx_scan_is_text(values[EVENT_SOURCE], rules->topic))
        return refuse(why, REFUSAL_UNAUTHORIZED,
                      "The request is not authorized for the topic that the event names.");
    for (size_t i = 0; i < EVENT_FIELDS; i++)
        if (i != EVENT_SOURCE && values[i].data != NULL &&
            (i == EVENT_DATA || !raw_is_null(values[i])))
            draft_set(draft, (enum event_field)i, values[i]);
    draft_stamp(draft, EVENT_SOURCE, rules->topic);
    return E_OK;
}
