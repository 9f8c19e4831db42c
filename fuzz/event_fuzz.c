/* Requests of publishers. The first byte chooses schema and content type, lines up to an empty one
 * are headers, the rest is the body. What is accepted is read again from what a queue keeps, and
 * from its dead letter, and what is written of it is JSON; data that came in as JSON goes out in
 * the same bytes. */
#include <assert.h>
#include <string.h>

#include "event/publish.h"
#include "event/write.h"
#include "fuzz.h"
#include "json/scan.h"

#define HEADERS_MAX 16

static struct id fixed_id(void)
{
    return (struct id){"11111111-1111-4111-8111-111111111111"};
}

static size_t read_headers(struct slice *rest, struct publish_header *headers)
{
    struct slice line;
    size_t count = 0;

    while (count < HEADERS_MAX && slice_cut(rest, '\n', &line) && line.len > 0) {
        size_t colon = slice_find_byte(line, ':');
        headers[count++] =
            (struct publish_header){slice_first(line, colon), slice_from(line, colon + 1)};
    }
    return count;
}

static void check_again(const struct event_rules *rules, const struct event *event)
{
    struct event *again = NULL;
    struct buf id;

    buf_init(&id, 2 * EVENT_MAX_BYTES);
    event_write_field(&id, event, EVENT_ID);
    struct event_stamp stamp = {event->published_unix_us, buf_slice(&id)};
    assert(event_read(rules, event->body, &stamp, &again, NULL) == E_OK);
    for (size_t i = 0; i < EVENT_FIELDS; i++)
        assert(slice_eq(again->fields[i], event->fields[i]));
    event_unref(again);
    buf_done(&id);
}

/* A dead letter becomes the event that it was. */
static void check_dead(const struct event_rules *rules, const struct event *event,
                       struct slice json)
{
    struct event *again = NULL;
    struct dead_letter dead;

    assert(dead_letter_read(rules, json, &again, &dead, NULL) == E_OK);
    assert(slice_eq(dead.reason, SLICE("r")) && dead.attempts == 0);
    assert(slice_eq(again->fields[EVENT_ID], event->fields[EVENT_ID]));
    assert(slice_eq(again->fields[EVENT_TYPE], event->fields[EVENT_TYPE]));
    assert(slice_eq(again->fields[EVENT_DATA], event->fields[EVENT_DATA]));
    assert(again->published_unix_us == event->published_unix_us);
    event_unref(again);
}

static void check_written(const struct event_rules *rules, const struct event *event,
                          enum event_schema output)
{
    static const struct dead_letter dead = {
        .reason = SLICE_INIT("r"), .outcome = SLICE_INIT("o"), .http_status = 500};
    struct buf out;

    buf_init(&out, 16 * EVENT_MAX_BYTES);
    event_write(&out, event, output, NULL);
    assert(buf_err(&out) == E_OK && jx_scan_is_object(buf_slice(&out)));
    if (event->fields[EVENT_DATA].data != NULL && output != SCHEMA_CUSTOM)
        assert(slice_eq(jx_scan_member(buf_slice(&out), SLICE("data")), event->fields[EVENT_DATA]));
    buf_clear(&out);
    event_write(&out, event, output, &dead);
    assert(buf_err(&out) == E_OK && jx_scan_is_object(buf_slice(&out)));
    check_dead(rules, event, buf_slice(&out));
    buf_clear(&out);
    event_write_dead_pull(&out, event, &dead);
    assert(buf_err(&out) == E_OK);
    check_dead(rules, event, buf_slice(&out));
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct slice types[] = {
        SLICE_INIT("application/json"), SLICE_INIT("application/cloudevents+json; charset=utf-8"),
        SLICE_INIT("application/cloudevents-batch+json"), SLICE_INIT("text/plain")};
    char source[] = "a.b", fallback[] = "f";
    struct event_mapping mapping = {0};
    struct publish_header headers[HEADERS_MAX];
    struct event_batch batch;
    struct refusal why;

    if (len == 0)
        return 0;
    mapping.fields[EVENT_TYPE].source = mapping.fields[EVENT_ID].source = source;
    mapping.fields[EVENT_TYPE].fallback = fallback;
    struct publish_rules rules = {
        .event = {(enum event_schema)(data[0] % 3), &mapping, SLICE_INIT("/t")},
        .takes_any_type = (data[0] & 0x80) != 0,
        .now_unix_us = 1893456000123456u,
        .next_id = fixed_id};
    struct slice rest = {(const char *)data + 1, len - 1};
    size_t count = read_headers(&rest, headers);
    struct publish_request request = {types[data[0] >> 4 & 3], headers, count, rest};
    if (publish_read(&rules, &request, &batch, &why) != E_OK)
        return 0;
    assert(batch.count > 0);
    for (size_t i = 0; i < batch.count; i++) {
        check_again(&rules.event, batch.events[i]);
        for (int output = SCHEMA_EVENT_GRID; output <= SCHEMA_CUSTOM; output++)
            if (schema_converts(rules.event.schema, (enum event_schema)output))
                check_written(&rules.event, batch.events[i], (enum event_schema)output);
    }
    event_batch_done(&batch);
    return 0;
}
