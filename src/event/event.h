/* event/event.h - one event, in the bytes in which it was published.
 * Rules: `body` is one JSON object and is never formatted anew, so that numbers keep their digits;
 * what is known about it are slices into it. A binary CloudEvent was put into structured form. What
 * the publisher does not say (the topic's id; id and time of a custom event) is stamped beside the
 * body, so to keep an event is to keep `body`, `published_unix_us`, and the id if it is custom:
 * event_read() makes the same event of them. An event is counted, one thread, and never changes.
 * Behaviour: eventgrid.md 1.1 to 1.3. To add a schema: a row in SCHEMAS, a reader in readers[]. */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "event/refusal.h"

#define EVENT_MAX_BYTES 1049600
#define EVENT_DEPTH_MAX 60 /* of arrays and objects; leaves room for what an event is put into */

/* schema, its name in resources, its name in messages, its value of aeg-input-event-schema */
#define SCHEMAS(X)                                                                                 \
    X(SCHEMA_EVENT_GRID, "EventGridSchema", "EventGridEvent")                                      \
    X(SCHEMA_CLOUD_EVENT, "CloudEventSchemaV1_0", "CloudEventV10")                                 \
    X(SCHEMA_CUSTOM, "CustomEventSchema", "CustomInputEvent")

#define SCHEMA_ENUM(schema, name, wire) schema,
enum event_schema { SCHEMAS(SCHEMA_ENUM) };
#undef SCHEMA_ENUM

/* schema_name: "EventGridSchema"; schema_wire_name: "EventGridEvent". */
const char *schema_name(enum event_schema schema);
const char *schema_wire_name(enum event_schema schema);

enum event_field {
    EVENT_ID,
    EVENT_SOURCE, /* Event Grid: topic */
    EVENT_SUBJECT,
    EVENT_TYPE,
    EVENT_TIME,
    EVENT_DATA_VERSION,
    EVENT_MAPPED_FIELDS,
    EVENT_DATA = EVENT_MAPPED_FIELDS,
    EVENT_FIELDS,
};

/* Where the fields of a custom event come from, by enum event_field. All NULL: unmapped. */
struct event_mapping {
    struct {
        char *source;   /* "a.b": a path into the event; NULL = none */
        char *fallback; /* used when nothing is there; only subject, type and data version */
    } fields[EVENT_MAPPED_FIELDS];
};

/* How a topic reads its events; borrowed while reading only. */
struct event_rules {
    enum event_schema schema;
    const struct event_mapping *mapping; /* custom only; NULL = nothing is mapped */
    struct slice topic;                  /* resource id: the topic of Event Grid events */
};

/* What publishing adds. */
struct event_stamp {
    uint64_t published_unix_us;
    struct slice id; /* of a custom event that has none where the mapping says, or nowhere */
};

struct event {
    unsigned refs;
    enum event_schema schema;
    uint64_t published_unix_us;
    struct slice body;                 /* a JSON object */
    struct slice fields[EVENT_FIELDS]; /* JSON; strings but for data; SLICE_NONE if absent */
    char bytes[];                      /* what the slices point into */
};

/* event_read makes an event of one JSON object. E_OK and *ret, one reference; or the error of the
 * refusal in `why` (may be NULL): malformed, a member missing, wrong or unknown, another topic's
 * id, larger than EVENT_MAX_BYTES, nested deeper than EVENT_DEPTH_MAX. */
enum err event_read(const struct event_rules *rules, struct slice body,
                    const struct event_stamp *stamp, struct event **ret, struct refusal *why);
struct event *event_ref(struct event *event);
struct event *event_unref(struct event *event); /* NULL; frees with the last reference */

/* event_find gives the JSON value behind a filter's key: an envelope member in any case, or a path
 * into the data (`data.a.b`; of custom events into all); each name exact before any case, the last
 * of equal names. SLICE_NONE if there is none. *ret_is_attribute (may be NULL): the value is an
 * attribute of a CloudEvent, which has a string form too. No allocation. */
struct slice event_find(const struct event *event, struct slice key, bool *ret_is_attribute);

/* event_lane tells which events keep their order among each other: those with the same value of
 * `order_by`, "subject" or a key as above. The lane is a digest of that value, a string that is not
 * empty, a number or a boolean; of any other, or none, it is SLICE_NONE: the event keeps no order.
 * The result points into `room`. */
#define EVENT_LANE_BYTES 40
struct slice event_lane(const struct event *event, struct slice order_by,
                        char room[EVENT_LANE_BYTES]);

/* event_write_field appends a field's text, unescaped; nothing if absent or no string. Any
 * character may come out, line ends and NUL too. */
void event_write_field(struct buf *out, const struct event *event, enum event_field field);

#endif
