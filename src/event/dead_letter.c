#include "event/dead_letter.h"

#include "base/mem.h"
#include "event/date.h"
#include "event/write.h"
#include "json/member.h"
#include "json/scan.h"

#define BODY_MAX_BYTES ((size_t)2 * EVENT_MAX_BYTES)
#define ID_MAX_BYTES EVENT_MAX_BYTES

/* The members, as Event Grid and custom events have them, as CloudEvents do, and in queue mode. */
struct names {
    const char *reason, *attempts, *outcome, *status, *published, *attempted;
};

static const struct names grid_names = {"deadLetterReason",    "deliveryAttempts",
                                        "lastDeliveryOutcome", "lastHttpStatusCode",
                                        "publishTime",         "lastDeliveryAttemptTime"};
static const struct names cloud_names = {"deadletterreason",    "deliveryattempts",
                                         "lastdeliveryoutcome", "lasthttpstatuscode",
                                         "publishtime",         "lastdeliveryattempttime"};
static const struct names pull_names = {"deadletterreason", "deliveryattempts",
                                        "deliveryresult",   NULL,
                                        "publishutc",       "deliveryattemptutc"};

/* Queue mode has sentences where push delivery has names. */
static const struct {
    struct slice reason, sentence, result;
} sentences[] = {
    {SLICE_INIT("MaxDeliveryAttemptsExceeded"),
     SLICE_INIT("Maximum delivery attempts was exceeded."),
     SLICE_INIT("Event was not acknowledged nor rejected.")},
    {SLICE_INIT("TimeToLiveExceeded"), SLICE_INIT("Time to live was exceeded."),
     SLICE_INIT("Event was not acknowledged nor rejected.")},
    {SLICE_INIT("Rejected"), SLICE_INIT("Event was rejected."), SLICE_INIT("Event was rejected.")},
};

/* ---- writing ---- */

static void write_times(struct buf *out, const struct names *names, const struct event *event,
                        const struct dead_letter *dead)
{
    member_time(out, names->published, event->published_unix_us, 6);
    if (dead->attempted_unix_us != 0)
        member_time(out, names->attempted, dead->attempted_unix_us, 6);
}

void dead_letter_write(struct buf *out, const struct event *event, const struct dead_letter *dead,
                       bool is_cloud_event)
{
    const struct names *names = is_cloud_event ? &cloud_names : &grid_names;

    member_text(out, names->reason, dead->reason);
    member_u64(out, names->attempts, dead->attempts);
    if (dead->outcome.len > 0)
        member_text(out, names->outcome, dead->outcome);
    if (dead->http_status != 0)
        member_u64(out, names->status, dead->http_status);
    write_times(out, names, event, dead);
}

void event_write_dead_pull(struct buf *out, const struct event *event,
                           const struct dead_letter *dead)
{
    struct slice sentence = dead->reason, result = dead->outcome;

    for (size_t i = 0; i < COUNT_OF(sentences); i++)
        if (slice_eq(dead->reason, sentences[i].reason)) {
            sentence = sentences[i].sentence;
            result = sentences[i].result;
        }
    buf_add_byte(out, '{');
    member_open(out, "deadLetterProperties");
    member_text(out, pull_names.reason, sentence);
    member_u64(out, pull_names.attempts, dead->attempts);
    if (result.len > 0)
        member_text(out, pull_names.outcome, result);
    write_times(out, &pull_names, event, dead);
    buf_add_byte(out, '}');
    member_open(out, "event");
    event_write(out, event, SCHEMA_CLOUD_EVENT, NULL);
    buf_add_byte(out, '}');
}

/* ---- reading ---- */

/* Names differ in their case only: exactly, and the last, which is ours. */
static struct slice find(struct slice object, const char *name)
{
    struct slice found = SLICE_NONE;
    struct jx_field field;

    while (name != NULL && jx_scan_next(&object, &field))
        if (jx_scan_is_text(field.name, slice_of(name)))
            found = field.value;
    return found;
}

/* Ours have no escapes. */
static struct slice find_text(struct slice object, const char *name)
{
    struct slice json = find(object, name);

    return json.len >= 2 && json.data[0] == '"' ? slice_first(slice_from(json, 1), json.len - 2)
                                                : SLICE_NONE;
}

static uint64_t find_number(struct slice object, const char *name)
{
    uint64_t number = 0;

    return slice_to_u64(find(object, name), &number) ? number : 0;
}

/* As member_time() writes it, the microseconds too: 2030-01-01T00:00:00.123456Z. */
static uint64_t find_time_us(struct slice object, const char *name)
{
    struct slice text = find_text(object, name);
    uint64_t unix_ms = 0, us = 0;

    if (!date_parse_iso(text, &unix_ms, NULL))
        return 0;
    if (text.len != sizeof "2030-01-01T00:00:00.123456Z" - 1 ||
        !slice_to_u64(slice_first(slice_from(text, text.len - 4), 3), &us))
        us = 0;
    return unix_ms * 1000 + us;
}

static void read_members(struct slice object, const struct names *names, struct dead_letter *ret)
{
    *ret = (struct dead_letter){.reason = find_text(object, names->reason),
                                .outcome = find_text(object, names->outcome),
                                .attempts = (uint32_t)find_number(object, names->attempts),
                                .http_status = (unsigned)find_number(object, names->status),
                                .attempted_unix_us = find_time_us(object, names->attempted)};
    if (names != &pull_names)
        return;
    for (size_t i = 0; i < COUNT_OF(sentences); i++)
        if (slice_eq(ret->reason, sentences[i].sentence)) {
            ret->reason = sentences[i].reason;
            ret->outcome = SLICE_NONE;
        }
}

static bool is_added(const struct names *names, struct slice name)
{
    const char *const all[] = {names->reason, names->attempts,  names->outcome,
                               names->status, names->published, names->attempted};

    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i] != NULL && jx_scan_is_text(name, slice_of(all[i])))
            return true;
    return false;
}

/* The event as it was delivered: all members but those that were added. */
static void copy_event(struct buf *out, struct slice object, const struct names *added)
{
    struct jx_field field;

    buf_add_byte(out, '{');
    while (jx_scan_next(&object, &field))
        if (added == NULL || !is_added(added, field.name))
            member_copy(out, &field);
    buf_add_byte(out, '}');
}

static void copy_as_event_grid(struct buf *out, struct slice cloud_event)
{
    static const struct {
        const char *from, *to;
    } members[] = {{"id", "id"},          {"source", "topic"},   {"subject", "subject"},
                   {"type", "eventType"}, {"time", "eventTime"}, {"data", "data"}};

    buf_add_byte(out, '{');
    for (size_t i = 0; i < COUNT_OF(members); i++)
        member_json_if(out, members[i].to, find(cloud_event, members[i].from));
    buf_add_byte(out, '}');
}

/* The event as it was published. */
static void write_published(struct buf *out, const struct event_rules *rules, struct slice object,
                            const struct names *added)
{
    struct slice data = find(object, "data");

    if (rules->schema == SCHEMA_CUSTOM)
        buf_add(out, data.data != NULL ? data : SLICE("null"));
    else if (rules->schema == SCHEMA_EVENT_GRID && added != &grid_names)
        copy_as_event_grid(out, object);
    else
        copy_event(out, object, added);
}

static enum err read_event(const struct event_rules *rules, struct slice object,
                           const struct names *added, uint64_t published_unix_us,
                           struct event **ret, struct cause *why)
{
    struct event_stamp stamp = {.published_unix_us = published_unix_us};
    struct slice id_json = find(object, "id");
    struct refusal refusal = {0};
    struct buf body, id;

    buf_init(&body, BODY_MAX_BYTES);
    buf_init(&id, ID_MAX_BYTES);
    if (id_json.len > 0 && id_json.data[0] == '"')
        jx_scan_add_string(&id, id_json);
    stamp.id = buf_slice(&id);
    write_published(&body, rules, object, added);
    enum err err = buf_err(&body) != E_OK || buf_err(&id) != E_OK ? E_LIMIT : E_OK;
    if (err == E_OK) {
        err = event_read(rules, buf_slice(&body), &stamp, ret, &refusal);
        (void)cause_set(why, err, "%s", refusal.text.text);
    }
    buf_done(&body);
    buf_done(&id);
    return err;
}

enum err dead_letter_read(const struct event_rules *rules, struct slice json,
                          struct event **ret_event, struct dead_letter *ret, struct cause *why)
{
    struct slice object = json, properties = json;
    const struct names *names = &grid_names;

    if (!jx_scan_is_object(json))
        return cause_set(why, E_BAD_INPUT, "is not a JSON object");
    if (find(json, "deadLetterProperties").data != NULL) {
        properties = find(json, "deadLetterProperties");
        object = find(json, "event");
        names = &pull_names;
    } else if (find(json, cloud_names.reason).data != NULL) {
        names = &cloud_names;
    }
    if (!jx_scan_is_object(object) || !jx_scan_is_object(properties) ||
        find_text(properties, names->reason).len == 0)
        return cause_set(why, E_BAD_INPUT, "is no dead letter");
    enum err err = read_event(rules, object, names == &pull_names ? NULL : names,
                              find_time_us(properties, names->published), ret_event, why);
    if (err == E_OK)
        read_members(properties, names, ret);
    return err;
}
