/* Events of any form, with a mapping that tells where the envelope's fields are (eventgrid.md 1.3).
 */
#include "base/clock.h"
#include "base/mem.h"
#include "event/draft.h"

static const char *const names[EVENT_MAPPED_FIELDS] = {
    [EVENT_ID] = "id",          [EVENT_SOURCE] = "topic",   [EVENT_SUBJECT] = "subject",
    [EVENT_TYPE] = "eventType", [EVENT_TIME] = "eventTime", [EVENT_DATA_VERSION] = "dataVersion",
};

static void stamp_default(struct draft *draft, enum event_field field,
                          const struct event_rules *rules, const struct event_stamp *stamp)
{
    struct buf time;

    switch (field) {
    case EVENT_ID:
        draft_stamp(draft, field, stamp->id);
        break;
    case EVENT_SOURCE:
        draft_stamp(draft, field, rules->topic);
        break;
    case EVENT_TIME:
        buf_init(&time, 64);
        clock_add_rfc3339(&time, stamp->published_unix_us, 6);
        draft_stamp(draft, field, buf_slice(&time));
        buf_done(&time);
        break;
    case EVENT_SUBJECT:
    case EVENT_TYPE:
    case EVENT_DATA_VERSION:
    case EVENT_DATA:
    case EVENT_FIELDS:
        draft_stamp(draft, field, SLICE(""));
        break;
    }
}

/* A number or a boolean stands for the text it is written as. */
static enum err set_value(struct draft *draft, enum event_field field, struct slice json,
                          struct refusal *why)
{
    if (json.data[0] == '{' || json.data[0] == '[')
        return refuse_type(why, names[field], "a string");
    if (!raw_is_string(json))
        draft_stamp(draft, field, json);
    else
        draft_set(draft, field, json);
    if ((field == EVENT_ID || field == EVENT_TYPE) && slice_eq(json, SLICE("\"\"")))
        return refuse_missing(why, SCHEMA_CUSTOM, names[field]);
    if (field == EVENT_TIME && !raw_is_time(json))
        return refuse_type(why, names[field], "an ISO 8601 time with Z or an offset");
    return E_OK;
}

/* Nobody but the publisher knows what an event is and what it is about; the rest is known here. */
static bool is_publishers(enum event_field field)
{
    return field == EVENT_SUBJECT || field == EVENT_TYPE;
}

static enum err read_field(struct draft *draft, enum event_field field,
                           const struct event_rules *rules, const struct event_stamp *stamp,
                           struct refusal *why)
{
    const char *source = rules->mapping != NULL ? rules->mapping->fields[field].source : NULL;
    const char *fallback = rules->mapping != NULL ? rules->mapping->fields[field].fallback : NULL;
    struct slice json = source != NULL ? raw_path(draft->body, slice_of(source)) : SLICE_NONE;

    if (!raw_is_null(json))
        return set_value(draft, field, json, why);
    if (fallback != NULL)
        draft_stamp(draft, field, slice_of(fallback));
    else if (source != NULL && is_publishers(field))
        return refuse_missing(why, SCHEMA_CUSTOM, names[field]);
    else
        stamp_default(draft, field, rules, stamp);
    return E_OK;
}

enum err custom_event_read(struct draft *draft, const struct event_rules *rules,
                           const struct event_stamp *stamp, struct refusal *why)
{
    for (size_t i = 0; i < EVENT_MAPPED_FIELDS; i++) {
        enum err err = read_field(draft, (enum event_field)i, rules, stamp, why);
        if (err)
            return err;
    }
    draft_set(draft, EVENT_DATA, draft->body);
    return E_OK;
}
