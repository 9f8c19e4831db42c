#include "router/headers.h"

#include "event/handshake.h"
#include "event/write.h"
#include "http/client.h"

#define TEXTS_MAX_BYTES (64 * 1024)
#define TEXTS_USUAL_BYTES 256
#define ELSEWHERE SIZE_MAX

static void add(struct headers *headers, struct slice name, struct slice value)
{
    headers->starts[headers->count] = ELSEWHERE;
    headers->fields[headers->count++] = (struct http_header){name, value};
}

/* What was written since `start`; it moves when more is written. */
static struct slice since(const struct headers *headers, size_t start)
{
    return slice_from(buf_slice(&headers->texts), start);
}

static void add_since(struct headers *headers, struct slice name, size_t start)
{
    add(headers, name, since(headers, start));
    headers->starts[headers->count - 1] = start;
}

static void add_subscription(struct headers *headers, const char *name)
{
    size_t start = headers->texts.len;

    buf_add_upper(&headers->texts, slice_of(name));
    add_since(headers, SLICE("aeg-subscription-name"), start);
}

static void add_count(struct headers *headers, uint32_t attempt)
{
    size_t start = headers->texts.len;

    buf_add_u64(&headers->texts, attempt - 1);
    add_since(headers, SLICE("aeg-delivery-count"), start);
}

/* Only if it is that of every event of the batch. The publisher says how long it is, and must not
 * take the room of what follows. */
static void add_data_version(struct headers *headers, const struct parcel *parcel)
{
    struct slice json = parcel->events[0]->fields[EVENT_DATA_VERSION];
    size_t start = headers->texts.len;

    if (json.len > ATTRIBUTE_VALUE_MAX_BYTES)
        return;
    for (size_t i = 1; i < parcel->count; i++)
        if (!slice_eq(json, parcel->events[i]->fields[EVENT_DATA_VERSION]))
            return;
    event_write_field(&headers->texts, parcel->events[0], EVENT_DATA_VERSION);
    struct slice value = since(headers, start);
    if (http1_is_value(value))
        add_since(headers, SLICE("aeg-data-version"), start);
}

static void add_attribute(struct headers *headers, const struct attribute *attribute,
                          const struct event *event)
{
    struct slice name = slice_of(attribute->name);
    size_t start = headers->texts.len;

    if (!http_may_give(name) || !attribute_write(&headers->texts, attribute, event))
        return;
    if (http1_is_value(since(headers, start)))
        add_since(headers, name, start);
}

void headers_init(struct headers *headers, const struct parcel *parcel)
{
    const struct subscription *subscription = parcel->subscription;
    bool is_cloud_event = subscription->delivery == SCHEMA_CLOUD_EVENT;
    bool is_batch = subscription->destination.batch_events > 1;

    headers->count = 0;
    buf_init(&headers->texts, TEXTS_MAX_BYTES);
    (void)buf_reserve(&headers->texts, TEXTS_USUAL_BYTES);
    add(headers, SLICE("Content-Type"),
        slice_of(event_content_type(subscription->delivery, is_batch)));
    add(headers, SLICE("aeg-event-type"), SLICE("Notification"));
    add_subscription(headers, subscription->name);
    add_count(headers, parcel->attempt);
    add(headers, SLICE("aeg-metadata-version"), is_cloud_event ? SLICE("1.0") : SLICE("1"));
    if (is_cloud_event) {
        add(headers, SLICE("Origin"), SLICE(HANDSHAKE_ORIGIN));
        add(headers, SLICE("WebHook-Request-Origin"), SLICE(HANDSHAKE_ORIGIN));
    } else if (subscription->delivery == SCHEMA_EVENT_GRID) {
        add_data_version(headers, parcel);
    }
    for (size_t i = 0; i < subscription->destination.attribute_count; i++)
        add_attribute(headers, &subscription->destination.attributes[i], parcel->events[0]);
}

void headers_add(struct headers *headers, struct slice name, struct slice value)
{
    size_t start = headers->texts.len;

    buf_add(&headers->texts, value);
    if (headers->texts.len - start == value.len)
        add_since(headers, name, start);
}

void headers_end(struct headers *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        if (headers->starts[i] != ELSEWHERE)
            headers->fields[i].value.data = headers->texts.data + headers->starts[i];
}

void headers_done(struct headers *headers)
{
    buf_done(&headers->texts);
}
