/* CloudEvents 1.0 in structured form (eventgrid.md 1.2). */
#include "base/base64.h"
#include "base/mem.h"
#include "event/draft.h"
#include "json/scan.h"

enum { SPECVERSION = EVENT_FIELDS, DATA_BASE64, CONTENT_TYPE, DATA_SCHEMA, MEMBERS };

static const struct {
    struct slice name;
    const char *required; /* what a message calls it; NULL = it may be absent */
} members[MEMBERS] = {
    [EVENT_ID] = {SLICE_INIT("id"), "id"},
    [EVENT_SOURCE] = {SLICE_INIT("source"), "source"},
    [EVENT_SUBJECT] = {SLICE_INIT("subject"), NULL},
    [EVENT_TYPE] = {SLICE_INIT("type"), "eventType"},
    [EVENT_TIME] = {SLICE_INIT("time"), NULL},
    [EVENT_DATA] = {SLICE_INIT("data"), NULL},
    [SPECVERSION] = {SLICE_INIT("specversion"), "specversion"},
    [DATA_BASE64] = {SLICE_INIT("data_base64"), NULL},
    [CONTENT_TYPE] = {SLICE_INIT("datacontenttype"), NULL},
    [DATA_SCHEMA] = {SLICE_INIT("dataschema"), NULL},
};

static bool find_member(struct slice name, size_t *ret)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if (members[i].name.len > 0 && jx_scan_is_text(name, members[i].name)) {
            *ret = i;
            return true;
        }
    return false;
}

static bool is_attribute(struct slice name)
{
    for (size_t i = 1; i + 1 < name.len; i++) {
        char c = name.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
            return false;
    }
    return name.len > 2;
}

static bool is_base64(struct slice json)
{
    struct buf text, bytes;

    buf_init(&text, json.len);
    buf_init(&bytes, json.len);
    jx_scan_add_string(&text, json);
    bool is_good = base64_decode(&bytes, buf_slice(&text)) == E_OK;
    buf_done(&text);
    buf_done(&bytes);
    return is_good;
}

static enum err check_extension(struct slice name, struct slice value, struct refusal *why)
{
    if (!is_attribute(name))
        return refuse_unexpected(why, name);
    if (value.data[0] == '{' || value.data[0] == '[')
        return refuse_type(why, "extension attribute", "a string, a number or a boolean");
    return E_OK;
}

static enum err check_member(size_t member, struct slice json, struct refusal *why)
{
    const char *name = members[member].name.data, *required = members[member].required;

    if (member == EVENT_DATA)
        return E_OK;
    if (raw_is_null(json))
        return required != NULL ? refuse_missing(why, SCHEMA_CLOUD_EVENT, required) : E_OK;
    if (!raw_is_string(json))
        return refuse_type(why, name, "a string");
    if (required != NULL && !raw_is_text(json))
        return refuse_missing(why, SCHEMA_CLOUD_EVENT, required);
    if (member == SPECVERSION && !jx_scan_is_text(json, SLICE("1.0")))
        return refuse_type(why, name, "'1.0'");
    if (member == EVENT_TIME && !raw_is_time(json))
        return refuse_type(why, name, "an RFC 3339 time");
    if (member == DATA_BASE64 && !is_base64(json))
        return refuse_type(why, name, "Base64");
    return E_OK;
}

/* An attribute that is null is as absent, but not every consumer knows: without them, then. */
static bool is_null_attribute(const struct jx_field *field)
{
    return raw_is_null(field->value) && !jx_scan_is_text(field->name, SLICE("data"));
}

static void drop_nulls(struct draft *draft)
{
    struct slice rest = draft->body;
    struct jx_field field;
    bool has_null = false;

    while (jx_scan_next(&rest, &field))
        has_null |= is_null_attribute(&field);
    if (!has_null)
        return;
    for (rest = draft->body; jx_scan_next(&rest, &field);) {
        if (is_null_attribute(&field))
            continue;
        buf_add_byte(&draft->clean, draft->clean.len == 0 ? '{' : ',');
        buf_add(&draft->clean, field.name);
        buf_add_byte(&draft->clean, ':');
        buf_add(&draft->clean, field.value);
    }
    if (draft->clean.len == 0)
        buf_add_byte(&draft->clean, '{');
    buf_add_byte(&draft->clean, '}');
    draft->body = buf_slice(&draft->clean);
}

enum err cloud_event_read(struct draft *draft, const struct event_rules *rules,
                          const struct event_stamp *stamp, struct refusal *why)
{
    struct slice values[MEMBERS] = {{0}}, rest;
    struct jx_field field;
    enum err err = E_OK;
    size_t member = 0;

    (void)rules;
    (void)stamp;
    drop_nulls(draft);
    for (rest = draft->body; jx_scan_next(&rest, &field) && err == E_OK;) {
        if (find_member(field.name, &member))
            values[member] = field.value;
        else
            err = check_extension(field.name, field.value, why);
    }
    for (member = 0; member < MEMBERS && err == E_OK; member++)
        if (members[member].name.len > 0)
            err = check_member(member, values[member], why);
    if (err)
        return err;
    if (values[EVENT_DATA].data != NULL && values[DATA_BASE64].data != NULL)
        return refuse_unexpected(why, SLICE("\"data_base64\""));
    for (size_t i = 0; i < EVENT_FIELDS; i++)
        if (values[i].data != NULL)
            draft_set(draft, (enum event_field)i, values[i]);
    return E_OK;
}
