#include "functions/payload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "json/json.h"
#include "json/scan.h"

#define PLAUSIBLE_UNIX_MS 1000000000000u /* of 2001: Redis is younger */
#define FEW_FIELDS 32
#define SOURCE_SHOWN_BYTES 1024 /* of a key or channel in log lines */

/* While a message is being written its buf may move, so slices of it hold an offset where the
 * pointer belongs; finish() turns them into pointers. */
static struct slice since(const struct message *m, size_t start)
{
    return (struct slice){(const char *)(uintptr_t)start, m->text.len - start};
}

static void settle(const struct message *m, struct slice *s)
{
    s->data = m->text.data + (uintptr_t)s->data;
}

static void begin(struct message *m, const struct trigger *trigger)
{
    buf_clear(&m->text);
    m->type = trigger->type;
    m->metadata_count = 0;
    m->source = SLICE_NONE;
    m->added_unix_ms = 0;
    m->input = (struct rpc_named){.name = slice_of(trigger->name)};
}

static struct rpc_named *meta_new(struct message *m)
{
    if (m->metadata_count == m->metadata_cap) {
        m->metadata_cap = m->metadata_cap == 0 ? 8 : m->metadata_cap * 2;
        m->metadata = mem_resize(m->metadata, m->metadata_cap, sizeof *m->metadata);
    }
    return &m->metadata[m->metadata_count++];
}

static void meta_add(struct message *m, struct slice name, enum rpc_kind kind, struct slice text)
{
    *meta_new(m) = (struct rpc_named){.name = name, .data = {.kind = kind, .text = text}};
}

/* Marks a name that lies in the buf too. Settled names have 0 here, as users expect. */
#define NAME_IS_OURS 1

static enum err finish(struct message *m)
{
    if (buf_err(&m->text))
        return buf_err(&m->text);
    settle(m, &m->source);
    if (m->input.data.item_count == 0)
        settle(m, &m->input.data.text);
    for (size_t i = 0; i < m->input.data.item_count; i++)
        settle(m, &m->items[i]);
    for (size_t i = 0; i < m->metadata_count; i++) {
        struct rpc_named *meta = &m->metadata[i];
        settle(m, &meta->data.text);
        if (meta->data.integer == NAME_IS_OURS)
            settle(m, &meta->name);
        meta->data.integer = 0;
    }
    return E_OK;
}

static struct slice put_bytes(struct message *m, struct slice bytes)
{
    size_t start = m->text.len;
    buf_add(&m->text, bytes);
    return since(m, start);
}

static struct slice put_text(struct message *m, struct slice text)
{
    size_t start = m->text.len;

    if (utf8_is_valid(text))
        buf_add(&m->text, text);
    else
        utf8_add_repaired(&m->text, text);
    return since(m, start);
}

static struct slice put_number(struct message *m, uint64_t number)
{
    size_t start = m->text.len;
    buf_add_u64(&m->text, number);
    return since(m, start);
}

static void meta_add_deliveries(struct message *m, uint64_t deliveries)
{
    if (deliveries > 0)
        meta_add(m, SLICE("DeliveryCount"), RPC_STRING, put_number(m, deliveries));
}

/* {"Trigger":"q","Message":"hi"} */
static struct slice put_model(struct message *m, struct slice source, struct slice text)
{
    size_t start = m->text.len;

    buf_add(&m->text, SLICE("{\"Trigger\":"));
    jx_write_string(&m->text, source);
    buf_add(&m->text, SLICE(",\"Message\":"));
    jx_write_string(&m->text, text);
    buf_add_byte(&m->text, '}');
    return since(m, start);
}

/* Merging a JSON object's top-level properties into the metadata. A property that comes twice
 * replaces its first value, too, as long as there are few; among many the receiver takes the last.
 */
static struct slice name_of(const struct message *m, const struct rpc_named *meta)
{
    struct slice name = meta->name;

    if (meta->data.integer == NAME_IS_OURS)
        settle(m, &name);
    return name;
}

static struct rpc_named *meta_for(struct message *m, struct slice quoted)
{
    size_t start = m->text.len;

    jx_scan_add_string(&m->text, quoted);
    struct slice name = slice_from(buf_slice(&m->text), start);
    for (size_t i = 0; i < m->metadata_count && i < FEW_FIELDS; i++)
        if (slice_eq_nocase(name_of(m, &m->metadata[i]), name))
            return &m->metadata[i];
    struct rpc_named *meta = meta_new(m);
    *meta = (struct rpc_named){.name = since(m, start), .data.integer = NAME_IS_OURS};
    return meta;
}

static void merge_field(struct message *m, const struct jx_field *field)
{
    char type = field->value.data[0];

    if (type == '[' || type == 'n') /* arrays and null stay out */
        return;
    struct rpc_named *meta = meta_for(m, field->name);
    size_t start = m->text.len;
    if (type == '"')
        jx_scan_add_string(&m->text, field->value);
    else
        buf_add(&m->text, field->value);
    meta->data.kind = type == '{' ? RPC_JSON : RPC_STRING;
    meta->data.text = since(m, start);
}

static void merge_object(struct message *m, struct slice text)
{
    struct jx_field field;

    if (!jx_scan_is_object(text) || !utf8_is_valid(text))
        return;
    while (jx_scan_next(&text, &field))
        merge_field(m, &field);
}

static enum rpc_kind value_kind(const struct trigger *trigger)
{
    return trigger->data_type == DATA_BINARY ? RPC_BYTES : RPC_STRING;
}

/* The value of raw payloads: exact bytes where binary is asked for, else the text that is there
 * already. */
static struct slice put_raw(struct message *m, const struct trigger *trigger, struct slice bytes,
                            struct slice text)
{
    if (trigger->data_type == DATA_BINARY && !utf8_is_valid(bytes))
        return put_bytes(m, bytes);
    return text;
}

static void set_input(struct message *m, const struct trigger *trigger, struct slice text)
{
    m->input.data.kind = value_kind(trigger);
    m->input.data.text = text;
}

void message_init(struct message *message, size_t max_bytes)
{
    *message = (struct message){0};
    buf_init(&message->text, max_bytes);
}

void message_done(struct message *message)
{
    free(message->metadata);
    free(message->items);
    free(message->inputs);
    buf_done(&message->text);
    *message = (struct message){0};
}

enum err message_set_list(struct message *message, const struct trigger *trigger, struct slice key,
                          struct slice element, uint64_t deliveries)
{
    begin(message, trigger);
    message->source = put_text(message, key);
    struct slice text = put_text(message, element);
    meta_add(message, SLICE("Key"), RPC_STRING, message->source);
    meta_add(message, SLICE("Value"), RPC_STRING, text);
    meta_add_deliveries(message, deliveries);
    if (trigger->payload == PAYLOAD_MODEL) {
        set_input(message, trigger, put_model(message, key, element));
        meta_add(message, SLICE("Trigger"), RPC_STRING, message->source);
        meta_add(message, SLICE("Message"), RPC_STRING, text);
    } else {
        set_input(message, trigger, put_raw(message, trigger, element, text));
        if (trigger->data_type == DATA_STRING)
            merge_object(message, element);
    }
    return finish(message);
}

/* The last of equal names wins: is there one behind `at`? */
static bool is_repeated(const struct resp *at, uint32_t pairs_behind)
{
    const struct resp *other = at;

    while (pairs_behind-- > 0) {
        other += 2;
        if (slice_eq(at->text, other->text))
            return true;
    }
    return false;
}

/* The same for entries with many fields, where comparing each with each would take too long. */
static void map_names(struct map *last, const struct resp *fields)
{
    if (fields->count / 2 <= FEW_FIELDS)
        return;
    for (uint32_t i = 0; i + 1 < fields->count; i += 2) {
        union {
            const struct resp *in;
            void *out;
        } at = {.in = fields + 1 + i};
        map_set(last, at.in->text, at.out);
    }
}

/* Field names and values are texts, so each takes one node. */
static struct slice put_fields(struct message *m, const struct resp *fields)
{
    size_t start = m->text.len;
    struct map last = {0};
    const char *comma = "";

    buf_add_byte(&m->text, '{');
    map_names(&last, fields);
    for (uint32_t i = 0; i + 1 < fields->count; i += 2) {
        const struct resp *at = fields + 1 + i;
        if (last.count > 0 ? map_get(&last, at->text) != at
                           : is_repeated(at, fields->count / 2 - i / 2 - 1))
            continue;
        buf_add(&m->text, slice_of(comma));
        jx_write_string(&m->text, at[0].text);
        buf_add_byte(&m->text, ':');
        jx_write_string(&m->text, at[1].text);
        comma = ",";
    }
    buf_add_byte(&m->text, '}');
    map_done(&last);
    return since(m, start);
}

/* Model payload of an entry: the JSON of its fields is the text of Message. */
static struct slice put_stream_model(struct message *m, struct slice key, struct slice fields)
{
    size_t start = m->text.len;

    buf_add(&m->text, SLICE("{\"Trigger\":"));
    jx_write_string(&m->text, key);
    buf_add(&m->text, SLICE(",\"Message\":\""));
    /* so that the buf does not move while it is read */
    if (buf_reserve(&m->text, JX_INSIDE_ROOM(fields.len)) == NULL)
        return since(m, start);
    settle(m, &fields);
    jx_write_inside(&m->text, fields);
    buf_add(&m->text, SLICE("\"}"));
    return since(m, start);
}

/* {"Id":"1-0","Values":{"a":"b"}}; *ret_fields is the inner object. */
static struct slice put_entry(struct message *m, struct slice id, const struct resp *fields,
                              struct slice *ret_fields)
{
    size_t start = m->text.len;

    buf_add(&m->text, SLICE("{\"Id\":"));
    jx_write_string(&m->text, id);
    buf_add(&m->text, SLICE(",\"Values\":"));
    *ret_fields = put_fields(m, fields);
    buf_add_byte(&m->text, '}');
    return since(m, start);
}

/* The server's own ids begin with its time; those that users choose may be any number. */
static uint64_t added_unix_ms(struct slice id)
{
    uint64_t ms = 0;
    bool is_number = slice_to_u64(slice_first(id, slice_find_byte(id, '-')), &ms);
    return is_number && ms >= PLAUSIBLE_UNIX_MS ? ms : 0;
}

enum err message_set_stream(struct message *message, const struct trigger *trigger,
                            struct slice key, struct slice id, const struct resp *fields,
                            uint64_t deliveries)
{
    bool is_model = trigger->payload == PAYLOAD_MODEL;
    struct slice values, value;

    begin(message, trigger);
    message->added_unix_ms = added_unix_ms(id);
    message->source = put_text(message, key);
    meta_add(message, SLICE("Key"), RPC_STRING, message->source);
    meta_add(message, SLICE("Id"), RPC_STRING, put_text(message, id));
    if (is_model) {
        values = put_fields(message, fields);
        value = put_stream_model(message, key, values);
    } else {
        value = put_entry(message, id, fields, &values);
    }
    set_input(message, trigger, value);
    meta_add(message, SLICE("Values"), RPC_JSON, values);
    meta_add_deliveries(message, deliveries);
    if (is_model) {
        meta_add(message, SLICE("Trigger"), RPC_STRING, message->source);
        meta_add(message, SLICE("Message"), RPC_STRING, values);
    }
    return finish(message);
}

static struct slice put_envelope(struct message *m, const struct trigger *trigger,
                                 struct slice channel, struct slice payload)
{
    size_t start = m->text.len;

    buf_add(&m->text, SLICE("{\"SubscriptionChannel\":"));
    jx_write_string(&m->text, slice_of(trigger->channel));
    buf_add(&m->text, SLICE(",\"Channel\":"));
    jx_write_string(&m->text, channel);
    buf_add(&m->text, SLICE(",\"Message\":"));
    jx_write_string(&m->text, payload);
    buf_add_byte(&m->text, '}');
    return since(m, start);
}

enum err message_set_pubsub(struct message *message, const struct trigger *trigger,
                            struct slice channel, struct slice payload)
{
    begin(message, trigger);
    message->source = put_text(message, channel);
    struct slice text = put_text(message, payload);
    meta_add(message, SLICE("SubscriptionChannel"), RPC_STRING,
             put_text(message, slice_of(trigger->channel)));
    meta_add(message, SLICE("Channel"), RPC_STRING, message->source);
    meta_add(message, SLICE("Message"), RPC_STRING, text);
    switch (trigger->payload) {
    case PAYLOAD_MODEL:
        set_input(message, trigger, put_model(message, channel, payload));
        meta_add(message, SLICE("Trigger"), RPC_STRING, message->source);
        break;
    case PAYLOAD_GA:
        set_input(message, trigger, put_envelope(message, trigger, channel, payload));
        break;
    case PAYLOAD_VALUE:
        set_input(message, trigger, put_raw(message, trigger, payload, text));
        if (trigger->data_type == DATA_STRING)
            merge_object(message, payload);
        break;
    }
    return finish(message);
}

static void make_items(struct message *m, size_t count)
{
    if (count > m->item_cap) {
        m->items = mem_resize(m->items, count, sizeof *m->items);
        m->item_cap = count;
    }
    m->input.data.items = m->items;
    m->input.data.item_count = count;
}

static void begin_batch(struct message *m, const struct trigger *trigger, struct slice key,
                        size_t count)
{
    begin(m, trigger);
    m->source = put_text(m, key);
    meta_add(m, SLICE("Key"), RPC_STRING, m->source);
    meta_add(m, SLICE("Count"), RPC_JSON, put_number(m, count));
    make_items(m, count);
    m->input.data.kind = trigger->data_type == DATA_BINARY ? RPC_BYTES_LIST : RPC_STRINGS;
}

enum err message_set_list_batch(struct message *message, const struct trigger *trigger,
                                struct slice key, const struct slice *elements, size_t count)
{
    begin_batch(message, trigger, key, count);
    for (size_t i = 0; i < count; i++) {
        if (trigger->payload == PAYLOAD_MODEL)
            message->items[i] = put_model(message, key, elements[i]);
        else if (trigger->data_type == DATA_BINARY)
            message->items[i] = put_bytes(message, elements[i]);
        else
            message->items[i] = put_text(message, elements[i]);
    }
    return finish(message);
}

enum err message_set_stream_batch(struct message *message, const struct trigger *trigger,
                                  struct slice key, const struct resp *const *entries, size_t count)
{
    begin_batch(message, trigger, key, count);
    if (count > 0)
        message->added_unix_ms = added_unix_ms(resp_child(entries[0], 0)->text);
    for (size_t i = 0; i < count; i++) {
        const struct resp *id = resp_child(entries[i], 0);
        const struct resp *fields = resp_child(entries[i], 1);
        struct slice values;
        if (trigger->payload == PAYLOAD_MODEL) {
            values = put_fields(message, fields);
            message->items[i] = put_stream_model(message, key, values);
        } else {
            message->items[i] = put_entry(message, id->text, fields, &values);
        }
    }
    return finish(message);
}

/* `data`, as binding expressions of Azure's trigger know it: of objects it came with the rest. */
static void meta_add_data(struct message *m, struct slice event)
{
    struct slice data = jx_scan_member(event, SLICE("data"));

    if (data.data != NULL && data.data[0] == '[')
        meta_add(m, SLICE("data"), RPC_JSON, put_bytes(m, data));
}

static void put_one_event(struct message *m, const struct trigger *trigger, struct slice event)
{
    m->input.data.kind = trigger->data_type == DATA_BINARY ? RPC_BYTES : RPC_JSON;
    m->input.data.text = put_bytes(m, event);
    merge_object(m, event);
    meta_add_data(m, event);
}

static void put_batch(struct message *m, const struct trigger *trigger, const struct slice *events,
                      size_t count)
{
    make_items(m, count);
    m->input.data.kind = trigger->data_type == DATA_BINARY ? RPC_BYTES_LIST : RPC_JSONS;
    for (size_t i = 0; i < count; i++)
        m->items[i] = put_bytes(m, events[i]);
    meta_add(m, SLICE("Count"), RPC_JSON, put_number(m, count));
    size_t start = m->text.len;
    for (size_t i = 0; i < count; i++) {
        struct slice data = jx_scan_member(events[i], SLICE("data"));
        buf_add_byte(&m->text, i == 0 ? '[' : ',');
        buf_add(&m->text, data.data != NULL ? data : SLICE("null"));
    }
    buf_add_byte(&m->text, ']');
    meta_add(m, SLICE("data"), RPC_JSON, since(m, start));
}

enum err message_set_events(struct message *message, const struct trigger *trigger,
                            const struct message_events *what)
{
    begin(message, trigger);
    message->source = put_text(message, what->subscription);
    if (trigger->is_batch)
        put_batch(message, trigger, what->events, what->count);
    else
        put_one_event(message, trigger, what->events[0]);
    meta_add(message, SLICE("SubscriptionName"), RPC_STRING, message->source);
    meta_add_deliveries(message, what->deliveries);
    for (size_t i = 0; i < what->attribute_count; i++)
        meta_add(message, what->attributes[i].name, RPC_STRING,
                 put_text(message, what->attributes[i].data.text));
    return finish(message);
}

/* By hand: an event as it would come; what is none is given as it is. */
static void put_event_value(struct message *m, const struct trigger *trigger, struct slice value)
{
    if (trigger->is_batch)
        put_batch(m, trigger, &value, 1);
    else
        put_one_event(m, trigger, value);
}

enum err message_set_value(struct message *message, const struct trigger *trigger,
                           struct slice value)
{
    begin(message, trigger);
    if (trigger->type == TRIGGER_EVENT && jx_scan_is_object(value) && utf8_is_valid(value)) {
        put_event_value(message, trigger, value);
        return finish(message);
    }
    struct slice text = put_text(message, value);
    set_input(message, trigger, put_raw(message, trigger, value, text));
    merge_object(message, value);
    return finish(message);
}

void message_add_reason(const struct message *message, struct buf *out)
{
    static const char *const whence[] = {
        [TRIGGER_LIST] = "Redis list entry detected from key",
        [TRIGGER_STREAM] = "Redis stream entry detected from key",
        [TRIGGER_PUBSUB] = "Redis pubsub message detected from channel",
        [TRIGGER_EVENT] = "EventGrid trigger fired by subscription",
    };

    if (message->source.len == 0 || message->type == TRIGGER_NONE) {
        buf_add(out, SLICE("This function was called by hand"));
    } else {
        buf_add(out, slice_of(whence[message->type]));
        buf_add(out, SLICE(" '"));
        struct slice shown = slice_first(message->source, SOURCE_SHOWN_BYTES);
        buf_add(out, slice_first(shown, utf8_valid_len(shown)));
        buf_add_byte(out, '\'');
    }
    buf_add(out, SLICE(" at "));
    clock_add_rfc3339(out, clock_unix_us(), 7);
    buf_add_byte(out, '.');
}
