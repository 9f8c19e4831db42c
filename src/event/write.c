#include "event/write.h"

#include "base/clock.h"
#include "json/json.h"

bool schema_converts(enum event_schema input, enum event_schema output)
{
    static const unsigned outputs[] = {
        [SCHEMA_EVENT_GRID] = 1u << SCHEMA_EVENT_GRID | 1u << SCHEMA_CLOUD_EVENT,
        [SCHEMA_CLOUD_EVENT] = 1u << SCHEMA_CLOUD_EVENT,
        [SCHEMA_CUSTOM] = 1u << SCHEMA_EVENT_GRID | 1u << SCHEMA_CLOUD_EVENT | 1u << SCHEMA_CUSTOM,
    };

    return outputs[input] >> output & 1;
}

static void write_member(struct buf *out, const char *name, struct slice json)
{
    if (json.data == NULL)
        return;
    buf_add(out, out->len > 0 && out->data[out->len - 1] == '{' ? SLICE("\"") : SLICE(",\""));
    buf_add(out, slice_of(name));
    buf_add(out, SLICE("\":"));
    buf_add(out, json);
}

static struct slice or_empty(struct slice json)
{
    return json.data != NULL ? json : SLICE("\"\"");
}

/* Each writes an object but for its last brace. */
static void open_event_grid(struct buf *out, const struct event *event)
{
    buf_add_byte(out, '{');
    write_member(out, "id", event->fields[EVENT_ID]);
    write_member(out, "topic", event->fields[EVENT_SOURCE]);
    write_member(out, "subject", event->fields[EVENT_SUBJECT]);
    write_member(out, "eventType", event->fields[EVENT_TYPE]);
    write_member(out, "eventTime", event->fields[EVENT_TIME]);
    write_member(out, "data", event->fields[EVENT_DATA]);
    write_member(out, "dataVersion", or_empty(event->fields[EVENT_DATA_VERSION]));
    write_member(out, "metadataVersion", SLICE("\"1\""));
}

static void open_cloud_event(struct buf *out, const struct event *event)
{
    struct slice subject = event->fields[EVENT_SUBJECT];

    buf_add_byte(out, '{');
    write_member(out, "id", event->fields[EVENT_ID]);
    write_member(out, "source", event->fields[EVENT_SOURCE]);
    write_member(out, "type", event->fields[EVENT_TYPE]);
    write_member(out, "time", event->fields[EVENT_TIME]);
    if (subject.len > 2) /* a CloudEvent's may be absent, but not empty */
        write_member(out, "subject", subject);
    write_member(out, "specversion", SLICE("\"1.0\""));
    write_member(out, "data", event->fields[EVENT_DATA]);
}

static void open_body(struct buf *out, const struct event *event)
{
    buf_add(out, slice_first(event->body, event->body.len - 1));
}

static void write_number(struct buf *out, const char *name, uint64_t number)
{
    write_member(out, name, SLICE(""));
    buf_add_u64(out, number);
}

static void write_text(struct buf *out, const char *name, struct slice text)
{
    write_member(out, name, SLICE(""));
    jx_write_string(out, text);
}

static void write_time(struct buf *out, const char *name, uint64_t unix_us)
{
    write_member(out, name, SLICE("\""));
    clock_add_rfc3339(out, unix_us, 6);
    buf_add_byte(out, '"');
}

static void write_dead_letter(struct buf *out, const struct event *event,
                              const struct dead_letter *dead, bool is_cloud_event)
{
    static const struct names {
        const char *reason, *attempts, *outcome, *status, *published, *attempted;
    } names[] = {
        {"deadLetterReason", "deliveryAttempts", "lastDeliveryOutcome", "lastHttpStatusCode",
         "publishTime", "lastDeliveryAttemptTime"},
        {"deadletterreason", "deliveryattempts", "lastdeliveryoutcome", "lasthttpstatuscode",
         "publishtime", "lastdeliveryattempttime"},
    };
    const struct names *name = &names[is_cloud_event];

    write_text(out, name->reason, slice_of(dead->reason));
    write_number(out, name->attempts, dead->attempts);
    if (dead->outcome != NULL)
        write_text(out, name->outcome, slice_of(dead->outcome));
    if (dead->http_status != 0)
        write_number(out, name->status, dead->http_status);
    write_time(out, name->published, event->published_unix_us);
    if (dead->attempted_unix_us != 0)
        write_time(out, name->attempted, dead->attempted_unix_us);
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
        write_dead_letter(out, event, dead, output == SCHEMA_CLOUD_EVENT);
    buf_add_byte(out, '}');
}

void event_write_dead_pull(struct buf *out, const struct event *event,
                           const struct dead_letter *dead)
{
    buf_add(out, SLICE("{\"deadLetterProperties\":{"));
    write_text(out, "deadletterreason", slice_of(dead->reason));
    write_number(out, "deliveryattempts", dead->attempts);
    if (dead->outcome != NULL)
        write_text(out, "deliveryresult", slice_of(dead->outcome));
    write_time(out, "publishutc", event->published_unix_us);
    if (dead->attempted_unix_us != 0)
        write_time(out, "deliveryattemptutc", dead->attempted_unix_us);
    buf_add(out, SLICE("},\"event\":"));
    event_write(out, event, SCHEMA_CLOUD_EVENT, NULL);
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
