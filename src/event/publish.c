#include "event/publish.h"

#include <stdlib.h>

#include "base/mem.h"
#include "event/binary.h"
#include "event/draft.h"
#include "json/scan.h"

#define TYPE_BATCH SLICE("application/cloudevents-batch+json")
#define TYPE_STRUCTURED SLICE("application/cloudevents+json")
#define TYPE_JSON SLICE("application/json")
#define BYTE_ORDER_MARK SLICE("\xef\xbb\xbf")

/* What may stand on top of the body. */
enum form { FORM_OBJECT, FORM_ARRAY, FORM_ANY, FORM_BINARY };

static bool is_type(const struct publish_request *request, struct slice type)
{
    struct slice rest = slice_from(request->content_type, type.len);

    return slice_has_prefix_nocase(request->content_type, type) &&
           (rest.len == 0 || rest.data[0] == ';' || rest.data[0] == ' ');
}

static enum err choose_form(const struct publish_rules *rules,
                            const struct publish_request *request, enum form *ret,
                            struct refusal *why)
{
    bool is_json = is_type(request, TYPE_JSON), is_structured = is_type(request, TYPE_STRUCTURED);

    if (rules->event.schema != SCHEMA_CLOUD_EVENT)
        *ret = FORM_ANY;
    else if (is_type(request, TYPE_BATCH))
        *ret = FORM_ARRAY;
    else if (binary_is(request) && !is_structured && (is_json || rules->takes_any_type))
        *ret = FORM_BINARY;
    else if (is_structured || is_json)
        *ret = FORM_OBJECT;
    else
        return refuse(why, REFUSAL_MEDIA_TYPE,
                      "The content type must be application/cloudevents+json, "
                      "application/cloudevents-batch+json or application/json.");
    return E_OK;
}

static const char *token_of(struct slice json)
{
    switch (json.data[0]) {
    case '{':
        return "StartObject";
    case '[':
        return "StartArray";
    case '"':
        return "String";
    case 't':
    case 'f':
        return "Boolean";
    case 'n':
        return "Null";
    default:
        return slice_find_byte(json, '.') < json.len ? "Float" : "Integer";
    }
}

static enum err refuse_token(const struct publish_rules *rules, const char *expected,
                             struct slice json, struct refusal *why)
{
    return refuse(why, REFUSAL_JSON,
                  "This resource is configured to receive event in '%s' schema. The JSON received "
                  "does not conform to the expected schema. Token Expected: %s, Actual Token "
                  "Received: %s.",
                  schema_wire_name(rules->event.schema), expected, token_of(json));
}

static enum err read_one(const struct publish_rules *rules, struct slice json,
                         struct event_batch *batch, struct refusal *why)
{
    struct event_stamp stamp = {.published_unix_us = rules->now_unix_us};
    struct id id;

    if (json.data[0] != '{')
        return refuse_token(rules, "StartObject", json, why);
    if (rules->event.schema == SCHEMA_CUSTOM) {
        id = rules->next_id();
        stamp.id = id_slice(&id);
    }
    enum err err = event_read(&rules->event, json, &stamp, &batch->events[batch->count], why);
    if (err == E_OK)
        batch->count++;
    return err;
}

static enum err read_array(const struct publish_rules *rules, struct slice json,
                           struct event_batch *batch, struct refusal *why)
{
    size_t max = rules->events_max != 0 ? rules->events_max : PUBLISH_EVENTS_MAX, count = 0;
    struct slice rest = json, item;
    enum err err = E_OK;

    while (jx_scan_item(&rest, &item))
        count++;
    if (count == 0)
        return refuse(why, REFUSAL_JSON, "The JSON received is an array without events.");
    if (count > max)
        return refuse(why, REFUSAL_TOO_LARGE, "The request holds more than %zu events.", max);
    batch->events = mem_new_array(count, struct event *);
    for (rest = json; err == E_OK && jx_scan_item(&rest, &item);)
        err = read_one(rules, item, batch, why);
    return err;
}

static enum err read_body(const struct publish_rules *rules, struct slice json, enum form form,
                          struct event_batch *batch, struct refusal *why)
{
    json = jx_scan_trim(json);
    if (!jx_scan_is_value(json, JX_SCAN_DEPTH_MAX))
        return refuse(why, REFUSAL_JSON, "The JSON received is not valid.");
    if (json.data[0] == '[' && form != FORM_OBJECT)
        return read_array(rules, json, batch, why);
    if (form == FORM_ARRAY)
        return refuse_token(rules, "StartArray", json, why);
    batch->events = mem_new_array(1, struct event *);
    return read_one(rules, json, batch, why);
}

static enum err read_binary(const struct publish_rules *rules,
                            const struct publish_request *request, struct event_batch *batch,
                            struct refusal *why)
{
    struct buf structured;

    buf_init(&structured, EVENT_MAX_BYTES);
    enum err err = binary_to_structured(request, &structured, why);
    if (err == E_OK)
        err = read_body(rules, buf_slice(&structured), FORM_OBJECT, batch, why);
    buf_done(&structured);
    return err;
}

enum err publish_read(const struct publish_rules *rules, const struct publish_request *request,
                      struct event_batch *ret, struct refusal *why)
{
    struct event_batch batch = {0};
    struct slice body = request->body;
    enum form form = FORM_ANY;

    if (body.len > PUBLISH_MAX_BYTES)
        return refuse(why, REFUSAL_TOO_LARGE, "The request is larger than %d bytes.",
                      PUBLISH_MAX_BYTES);
    enum err err = choose_form(rules, request, &form, why);
    if (err)
        return err;
    if (slice_has_prefix(body, BYTE_ORDER_MARK))
        body = slice_from(body, BYTE_ORDER_MARK.len);
    if (form == FORM_BINARY)
        err = read_binary(rules, request, &batch, why);
    else
        err = read_body(rules, body, form, &batch, why);
    if (err)
        event_batch_done(&batch);
    else
        *ret = batch;
    return err;
}

void event_batch_done(struct event_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        event_unref(batch->events[i]);
    free(batch->events);
    *batch = (struct event_batch){0};
}
