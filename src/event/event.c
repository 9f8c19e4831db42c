#include "event/event.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha1.h"
#include "base/utf8.h"
#include "event/date.h"
#include "event/draft.h"
#include "json/json.h"
#include "json/scan.h"

#define STAMPS_MAX_BYTES                                                                           \
    (2 * EVENT_MAX_BYTES) /* a number that stands for a string, and the rest                       \
                           */

static draft_reader *const readers[] = {
    [SCHEMA_EVENT_GRID] = event_grid_read,
    [SCHEMA_CLOUD_EVENT] = cloud_event_read,
    [SCHEMA_CUSTOM] = custom_event_read,
};

static const struct {
    const char *name, *wire;
} schemas[] = {
#define SCHEMA_ROW(schema, name, wire) [schema] = {name, wire},
    SCHEMAS(SCHEMA_ROW)
#undef SCHEMA_ROW
};

const char *schema_name(enum event_schema schema)
{
    return schemas[schema].name;
}

const char *schema_wire_name(enum event_schema schema)
{
    return schemas[schema].wire;
}

void draft_set(struct draft *draft, enum event_field field, struct slice json)
{
    draft->fields[field].start = (size_t)(json.data - draft->body.data);
    draft->fields[field].len = json.len;
    draft->fields[field].is_set = true;
}

void draft_stamp(struct draft *draft, enum event_field field, struct slice text)
{
    size_t start = draft->stamps.len;

    jx_write_string(&draft->stamps, text);
    draft->fields[field].start = start;
    draft->fields[field].len = draft->stamps.len - start;
    draft->fields[field].is_set = draft->fields[field].is_stamped = true;
}

static struct event *assemble(const struct draft *draft, enum event_schema schema)
{
    size_t len = draft->body.len + draft->stamps.len;
    struct event *event = mem_zeroed(1, sizeof *event + len);

    event->refs = 1;
    event->schema = schema;
    event->body = (struct slice){event->bytes, draft->body.len};
    memcpy(event->bytes, draft->body.data, draft->body.len);
    if (draft->stamps.len > 0)
        memcpy(event->bytes + draft->body.len, draft->stamps.data, draft->stamps.len);
    for (size_t i = 0; i < EVENT_FIELDS; i++) {
        size_t base = draft->fields[i].is_stamped ? draft->body.len : 0;
        if (draft->fields[i].is_set)
            event->fields[i] =
                (struct slice){event->bytes + base + draft->fields[i].start, draft->fields[i].len};
    }
    return event;
}

static bool is_well_formed(struct slice body)
{
    return body.len > 0 && body.data[0] == '{' && utf8_is_valid(body) &&
           jx_scan_is_value(body, EVENT_DEPTH_MAX);
}

static enum err refuse_form(struct slice body, struct refusal *why)
{
    if (!utf8_is_valid(body) || !jx_scan_is_object(body))
        return refuse(why, REFUSAL_JSON, "The JSON received is not valid, or is no object.");
    return refuse(why, REFUSAL_JSON, "The JSON received is nested deeper than %d.",
                  EVENT_DEPTH_MAX);
}

enum err event_read(const struct event_rules *rules, struct slice body,
                    const struct event_stamp *stamp, struct event **ret, struct refusal *why)
{
    struct draft draft = {.body = jx_scan_trim(body)};

    if (draft.body.len > EVENT_MAX_BYTES)
        return refuse(why, REFUSAL_TOO_LARGE, "The event is larger than %d bytes.",
                      EVENT_MAX_BYTES);
    if (!is_well_formed(draft.body))
        return refuse_form(draft.body, why);
    buf_init(&draft.clean, EVENT_MAX_BYTES);
    buf_init(&draft.stamps, STAMPS_MAX_BYTES);
    enum err err = readers[rules->schema](&draft, rules, stamp, why);
    if (err == E_OK && buf_err(&draft.stamps) != E_OK)
        err = refuse(why, REFUSAL_TOO_LARGE, "The event is too large.");
    if (err == E_OK) {
        *ret = assemble(&draft, rules->schema);
        (*ret)->published_unix_us = stamp->published_unix_us;
    }
    buf_done(&draft.clean);
    buf_done(&draft.stamps);
    return err;
}

struct event *event_ref(struct event *event)
{
    event->refs++;
    return event;
}

struct event *event_unref(struct event *event)
{
    if (event != NULL) {
        assert(event->refs > 0);
        if (--event->refs == 0)
            free(event);
    }
    return NULL;
}

struct slice raw_path(struct slice json, struct slice path)
{
    struct slice name;

    while (json.data != NULL && slice_cut(&path, '.', &name))
        json = jx_scan_member(json, name);
    return json;
}

static struct slice find_in_envelope(const struct event *event, struct slice name)
{
    static const struct {
        struct slice name;
        enum event_field field;
    } names[] = {
        {SLICE_INIT("id"), EVENT_ID},           {SLICE_INIT("topic"), EVENT_SOURCE},
        {SLICE_INIT("subject"), EVENT_SUBJECT}, {SLICE_INIT("eventType"), EVENT_TYPE},
        {SLICE_INIT("eventTime"), EVENT_TIME},  {SLICE_INIT("dataVersion"), EVENT_DATA_VERSION},
        {SLICE_INIT("data"), EVENT_DATA},
    };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_eq_nocase(name, names[i].name))
            return event->fields[names[i].field];
    return SLICE_NONE;
}

struct slice event_find(const struct event *event, struct slice key, bool *ret_is_attribute)
{
    struct slice path = key, name = SLICE_NONE;
    bool is_attribute = false;
    struct slice found;

    (void)slice_cut(&path, '.', &name);
    bool is_data = slice_eq_nocase(name, SLICE("data"));
    if (event->schema == SCHEMA_CUSTOM) {
        found = raw_path(event->body, key);
    } else if (event->schema == SCHEMA_CLOUD_EVENT && !is_data) {
        is_attribute = true;
        found = raw_path(event->body, key);
    } else {
        found = find_in_envelope(event, name);
        if (path.data != NULL)
            found = raw_path(found, path);
    }
    if (ret_is_attribute != NULL)
        *ret_is_attribute = is_attribute;
    return found;
}

static struct slice order_key(const struct event *event, struct slice order_by)
{
    if (slice_eq_nocase(order_by, SLICE("subject"))) /* of a custom event: the mapped one */
        return event->fields[EVENT_SUBJECT];
    return event_find(event, order_by, NULL);
}

/* A string by what it means, since it may be written in several ways; a quote before it tells "1"
 * from 1. */
struct slice event_lane(const struct event *event, struct slice order_by,
                        char room[EVENT_LANE_BYTES])
{
    struct slice json = order_key(event, order_by);
    struct buf text;

    if (raw_is_null(json) || json.data[0] == '{' || json.data[0] == '[' ||
        (raw_is_string(json) && !raw_is_text(json)))
        return SLICE_NONE;
    buf_init(&text, EVENT_MAX_BYTES);
    if (raw_is_string(json)) {
        buf_add_byte(&text, '"');
        jx_scan_add_string(&text, json);
    } else {
        buf_add(&text, json);
    }
    sha1_hex(buf_slice(&text), room);
    buf_done(&text);
    return (struct slice){room, EVENT_LANE_BYTES};
}

void event_write_field(struct buf *out, const struct event *event, enum event_field field)
{
    if (raw_is_string(event->fields[field]))
        jx_scan_add_string(out, event->fields[field]);
}

bool raw_is_time(struct slice json)
{
    char text[64];
    uint64_t unix_ms;
    bool has_zone;

    if (!raw_is_string(json) || json.len > sizeof text)
        return false;
    struct slice time = {text, jx_scan_copy_string(text, json)};
    return date_parse_iso(time, &unix_ms, &has_zone) && has_zone;
}

enum err refuse_missing(struct refusal *why, enum event_schema schema, const char *name)
{
    return refuse(why, REFUSAL_JSON,
                  "This resource is configured for '%s' schema and requires '%s' property to be "
                  "set.",
                  schema_wire_name(schema), name);
}

enum err refuse_unexpected(struct refusal *why, struct slice name)
{
    struct slice text = slice_first(slice_from(name, 1), name.len - 2);

    return refuse(why, REFUSAL_JSON,
                  "Received unexpected property '%.*s' in JSON which does not conform to the "
                  "expected schema",
                  SLICE_ARG(slice_first(text, 256)));
}

enum err refuse_type(struct refusal *why, const char *name, const char *expected)
{
    return refuse(why, REFUSAL_JSON, "The value of property '%s' must be %s.", name, expected);
}
