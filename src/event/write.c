#include "event/write.h"

#include "json/member.h"

bool schema_converts(enum event_schema input, enum event_schema output)
{
    static const unsigned outputs[] = {
        [SCHEMA_EVENT_GRID] = 1u << SCHEMA_EVENT_GRID | 1u << SCHEMA_CLOUD_EVENT,
        [SCHEMA_CLOUD_EVENT] = 1u << SCHEMA_CLOUD_EVENT,
        [SCHEMA_CUSTOM] = 1u << SCHEMA_EVENT_GRID | 1u << SCHEMA_CLOUD_EVENT | 1u << SCHEMA_CUSTOM,
    };

    return outputs[input] >> output & 1;
}

static struct slice or_empty(struct slice json)
{
    return json.data != NULL ? json : SLICE("\"\"");
}

/* Each writes an object but for its last brace. */
static void open_event_grid(struct buf *out, const struct event *event)
{
    buf_add_byte(out, '{');
    member_json_if(out, "id", event->fields[EVENT_ID]);
    member_json_if(out, "topic", event->fields[EVENT_SOURCE]);
    member_json_if(out, "subject", event->fields[EVENT_SUBJECT]);
    member_json_if(out, "eventType", event->fields[EVENT_TYPE]);
    member_json_if(out, "eventTime", event->fields[EVENT_TIME]);
    member_json_if(out, "data", event->fields[EVENT_DATA]);
    member_json(out, "dataVersion", or_empty(event->fields[EVENT_DATA_VERSION]));
    member_text(out, "metadataVersion", SLICE("1"));
}

static void open_cloud_event(struct buf *out, const struct event *event)
{
    struct slice subject = event->fields[EVENT_SUBJECT];

    buf_add_byte(out, '{');
    member_json_if(out, "id", event->fields[EVENT_ID]);
    member_json_if(out, "source", event->fields[EVENT_SOURCE]);
    member_json_if(out, "type", event->fields[EVENT_TYPE]);
    member_json_if(out, "time", event->fields[EVENT_TIME]);
    if (subject.len > 2) /* a CloudEvent's may be absent, but not empty */
        member_json(out, "subject", subject);
    member_text(out, "specversion", SLICE("1.0"));
    member_json_if(out, "data", event->fields[EVENT_DATA]);
}

static void open_body(struct buf *out, const struct event *event)
{
    buf_add(out, slice_first(event->body, event->body.len - 1));
}

void event_write(struct buf *out, const struct event *event, enum event_schema output,
                 const struct dead_letter *dead)
{
    if (output == SCHEMA_CUSTOM && dead != NULL)
        output = SCHEMA_EVENT_GRID;
    if (output == SCHEMA_CUSTOM || event->schema == SCHEMA_CLOUD_EVENT)
        open_body(out, event);
    else if (output == SCHEMA_EVENT_GRID)
        open_event_grid(out, event);
    else
        open_cloud_event(out, event);
    if (dead != NULL)
        dead_letter_write(out, event, dead, output == SCHEMA_CLOUD_EVENT);
    buf_add_byte(out, '}');
}

void event_write_all(struct buf *out, struct event *const *events, size_t count,
                     enum event_schema output)
{
    for (size_t i = 0; i < count; i++) {
        buf_add_byte(out, i == 0 ? '[' : ',');
        event_write(out, events[i], output, NULL);
    }
    buf_add(out, count == 0 ? SLICE("[]") : SLICE("]"));
}

const char *event_content_type(enum event_schema output, bool is_batch)
{
    if (output != SCHEMA_CLOUD_EVENT)
        return "application/json; charset=utf-8";
    return is_batch ? "application/cloudevents-batch+json; charset=utf-8"
                    : "application/cloudevents+json; charset=utf-8";
}
