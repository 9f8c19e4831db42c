#include "router/document.h"

#include <string.h>

#include "json/member.h"

#define TEXT_MAX_BYTES 4096

char *document_text(struct slice document, const char *member)
{
    struct slice json = jx_scan_member(document, slice_of(member));
    struct buf text;

    if (json.len == 0 || json.data[0] != '"')
        return NULL;
    buf_init(&text, TEXT_MAX_BYTES);
    jx_scan_add_string(&text, json);
    return buf_detach(&text);
}

bool document_is(struct slice document, const char *state)
{
    struct slice json = jx_scan_member(document, SLICE("state"));
    return json.len > 0 && json.data[0] == '"' && jx_scan_is_text(json, slice_of(state));
}

/* What we wrote ourselves, without anything escaped. */
static struct slice plain_text(struct slice json)
{
    return json.len >= 2 && json.data[0] == '"' ? (struct slice){json.data + 1, json.len - 2}
                                                : SLICE_NONE;
}

bool document_waiting(struct slice document, struct waiting *ret)
{
    struct slice json = jx_scan_member(document, SLICE("waiting"));
    uint64_t until;

    if (json.len == 0 || json.data[0] != '{')
        return false;
    struct slice code = plain_text(jx_scan_member(json, SLICE("code")));
    struct slice token = plain_text(jx_scan_member(json, SLICE("token")));
    if (code.len == 0 || token.len == 0 ||
        !slice_to_u64(jx_scan_member(json, SLICE("until")), &until))
        return false;
    *ret = (struct waiting){code, token, until};
    return true;
}

const char *document_state(struct slice document, uint64_t now_unix_ms)
{
    struct waiting waiting;

    if (document_is(document, STATE_DELETING))
        return STATE_DELETING;
    if (document_waiting(document, &waiting) && now_unix_ms <= waiting.until_unix_ms)
        return STATE_AWAITING;
    return document_is(document, STATE_SUCCEEDED) ? STATE_SUCCEEDED : STATE_FAILED;
}

struct slice document_latest(struct slice document, uint64_t now_unix_ms)
{
    struct slice later =
        jx_scan_member(jx_scan_member(document, SLICE("waiting")), SLICE("properties"));

    if (later.data != NULL && strcmp(document_state(document, now_unix_ms), STATE_AWAITING) == 0)
        return later;
    return jx_scan_member(document, SLICE("properties"));
}

void document_write_topic(struct buf *out, const struct topic *topic, const struct labels *labels)
{
    member_text(out, "name", slice_of(topic->name));
    member_text(out, "id", slice_of(topic->id));
    labels_write(out, labels);
    member_open(out, "properties");
    topic_write_stored(out, topic);
    buf_add_byte(out, '}');
}

static void put_waiting(struct buf *out, const struct waiting *waiting, struct slice later)
{
    member_open(out, "waiting");
    member_text(out, "code", waiting->code);
    member_text(out, "token", waiting->token);
    member_u64(out, "until", waiting->until_unix_ms);
    member_json_if(out, "properties", later);
    buf_add_byte(out, '}');
}

void document_write_member(struct buf *out, const struct member_draft *draft)
{
    member_text(out, "name", draft->name);
    member_text(out, "id", draft->id);
    member_text(out, "queue", draft->queue);
    member_text(out, "state", slice_of(draft->state));
    member_json(out, "properties", draft->properties);
    if (draft->waiting != NULL)
        put_waiting(out, draft->waiting, draft->later);
    buf_add_byte(out, '}');
}

/* The document with another state, other properties (unless SLICE_NONE), and nothing waiting. */
static void rewrite(struct buf *out, struct slice document, const char *state,
                    struct slice properties)
{
    struct jx_field field;

    member_text(out, "state", slice_of(state));
    while (jx_scan_next(&document, &field)) {
        if (jx_scan_is_text(field.name, SLICE("state")) ||
            jx_scan_is_text(field.name, SLICE("waiting")))
            continue;
        if (properties.data != NULL && jx_scan_is_text(field.name, SLICE("properties")))
            field.value = properties;
        member_copy(out, &field);
    }
    buf_add_byte(out, '}');
}

void document_write_confirmed(struct buf *out, struct slice document)
{
    struct slice waiting = jx_scan_member(document, SLICE("waiting"));

    rewrite(out, document, STATE_SUCCEEDED,
            waiting.data != NULL ? jx_scan_member(waiting, SLICE("properties")) : SLICE_NONE);
}

void document_write_deleting(struct buf *out, struct slice document)
{
    rewrite(out, document, STATE_DELETING, SLICE_NONE);
}
