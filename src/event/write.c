#include "event/write.h"

#include "base/mem.h"
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

    member_text(out, name->reason, dead->reason);
    member_u64(out, name->attempts, dead->attempts);
    if (dead->outcome.len > 0)
        member_text(out, name->outcome, dead->outcome);
    if (dead->http_status != 0)
        member_u64(out, name->status, dead->http_status);
    member_time(out, name->published, event->published_unix_us, 6);
    if (dead->attempted_unix_us != 0)
        member_time(out, name->attempted, dead->attempted_unix_us, 6);
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

/* Queue mode has sentences where push delivery has names. */
static void write_pull_words(struct buf *out, const struct dead_letter *dead)
{
    static const struct {
        struct slice reason, sentence, result;
    } rows[] = {
        {SLICE_INIT("MaxDeliveryAttemptsExceeded"),
         SLICE_INIT("Maximum delivery attempts was exceeded."),
         SLICE_INIT("Event was not acknowledged nor rejected.")},
        {SLICE_INIT("TimeToLiveExceeded"), SLICE_INIT("Time to live was exceeded."),
         SLICE_INIT("Event was not acknowledged nor rejected.")},
        {SLICE_INIT("Rejected"), SLICE_INIT("Event was rejected."),
         SLICE_INIT("Event was rejected.")},
    };
    struct slice sentence = dead->reason, result = dead->outcome;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_eq(dead->reason, rows[i].reason)) {
            sentence = rows[i].sentence;
            result = rows[i].result;
        }
    member_text(out, "deadletterreason", sentence);
    member_u64(out, "deliveryattempts", dead->attempts);
    if (result.len > 0)
        member_text(out, "deliveryresult", result);
}

void event_write_dead_pull(struct buf *out, const struct event *event,
                           const struct dead_letter *dead)
{
    buf_add_byte(out, '{');
    member_open(out, "deadLetterProperties");
    write_pull_words(out, dead);
    member_time(out, "publishutc", event->published_unix_us, 6);
    if (dead->attempted_unix_us != 0)
        member_time(out, "deliveryattemptutc", dead->attempted_unix_us, 6);
    buf_add_byte(out, '}');
    member_open(out, "event");
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
