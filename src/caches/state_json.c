/* The document of a state. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "caches/state.h"
#include "json/json.h"
#include "json/member.h"

#define NUMBER_MAX ((int64_t)1 << 62)

static const char *const phases[] = {
#define PHASE_WORD(name, text) [name] = (text),
    CACHE_PHASES(PHASE_WORD) NULL
#undef PHASE_WORD
};

static const char *const member_states[] = {
#define STATE_WORD(name, text) [name] = (text),
    MEMBER_STATES(STATE_WORD) NULL
#undef STATE_WORD
};

const char *cache_phase_name(enum cache_phase phase)
{
    return phases[phase];
}

const char *member_state_name(enum member_state state)
{
    return member_states[state];
}

/* ---- reading ---- */

static void read_port(struct jx_view *view, const char *field, uint16_t *ret)
{
    uint32_t port;

    if (jx_u32(view, field, (struct jx_range){0, UINT16_MAX}, &port))
        *ret = (uint16_t)port;
}

static void read_u64(struct jx_view *view, const char *field, uint64_t *ret)
{
    int64_t number;

    if (jx_i64(view, field, (struct jx_range){0, NUMBER_MAX}, &number))
        *ret = (uint64_t)number;
}

static void read_member(struct jx_view *view, struct cache_member *member)
{
    size_t state;

    jx_text_dup(view, "name", &member->name);
    if (member->name == NULL)
        jx_view_error(view, "name", "is missing");
    jx_text_dup(view, "address", &member->address);
    read_port(view, "port", &member->port);
    read_port(view, "tlsPort", &member->tls_port);
    read_port(view, "busPort", &member->bus_port);
    jx_text_dup(view, "dir", &member->dir);
    jx_text_dup(view, "program", &member->program);
    jx_text_dup(view, "version", &member->version);
    (void)jx_i64(view, "pid", (struct jx_range){0, INT32_MAX}, &member->pid);
    read_u64(view, "startTime", &member->start_time);
    (void)jx_bool(view, "isInSync", &member->is_in_sync);
    (void)jx_bool(view, "isSide", &member->is_side);
    if (jx_word(view, "state", member_states, &state))
        member->state = (enum member_state)state;
}

/* An item of "slots" is [first,last]. */
static void read_slots(struct jx_view *view, struct cache_shard *shard)
{
    const json_t *ranges = jx_view_member(view, "slots");
    size_t count = json_array_size(ranges);

    if (count > CACHE_SLOT_RANGES_MAX) {
        jx_view_error(view, "slots", "has more than %d ranges", CACHE_SLOT_RANGES_MAX);
        return;
    }
    shard->slots = mem_new_array(count + 1, struct cache_slots);
    for (size_t i = 0; i < count; i++) {
        const json_t *range = json_array_get(ranges, i);
        json_int_t first = json_integer_value(json_array_get(range, 0));
        json_int_t last = json_integer_value(json_array_get(range, 1));
        if (json_array_size(range) != 2 || first < 0 || last < first || last >= CACHE_SLOTS) {
            jx_view_error(view, "slots", "item %zu is no range within 0 to %d", i, CACHE_SLOTS - 1);
            return;
        }
        shard->slots[shard->slot_count++] = (struct cache_slots){(uint16_t)first, (uint16_t)last};
    }
}

static void read_shard(struct jx_view *view, struct cache_shard *shard)
{
    size_t count = json_array_size(jx_view_member(view, "members"));

    (void)jx_u32(view, "id", (struct jx_range){0, UINT16_MAX}, &shard->id);
    jx_text_dup(view, "primary", &shard->primary);
    jx_text_dup(view, "failed", &shard->failed);
    (void)jx_bool(view, "mayHaveLost", &shard->may_have_lost);
    (void)jx_bool(view, "hasLost", &shard->has_lost);
    read_slots(view, shard);
    for (size_t i = 0; i < count; i++) {
        struct cache_member *member = cache_shard_add(shard, SLICE_NONE);
        struct jx_view item;
        if (member == NULL) {
            jx_view_error(view, "members", "has more than %d items", CACHE_SHARD_MEMBERS_MAX);
            return;
        }
        jx_view_item(view, "members", i, &item);
        read_member(&item, member);
        jx_view_join(view, &item);
    }
}

static void read_shards(struct jx_view *view, struct cache_state *state)
{
    size_t count = json_array_size(jx_view_member(view, "shards"));

    for (size_t i = 0; i < count; i++) {
        struct cache_shard *shard = cache_state_shard(state, (uint32_t)i);
        struct jx_view item;
        if (shard == NULL) {
            jx_view_error(view, "shards", "has more than %d items", CACHE_STATE_SHARDS_MAX);
            return;
        }
        jx_view_item(view, "shards", i, &item);
        read_shard(&item, shard);
        jx_view_join(view, &item);
    }
}

static void read_secrets(struct jx_view *view, struct cache_secrets *secrets)
{
    struct jx_view member;

    jx_view_down(view, "secrets", &member);
    jx_text_copy(&member, "primaryKey", secrets->keys.text[0], ACCESS_KEY_TEXT_MAX);
    jx_text_copy(&member, "secondaryKey", secrets->keys.text[1], ACCESS_KEY_TEXT_MAX);
    jx_text_copy(&member, "nextPrimaryKey", secrets->next.text[0], ACCESS_KEY_TEXT_MAX);
    jx_text_copy(&member, "nextSecondaryKey", secrets->next.text[1], ACCESS_KEY_TEXT_MAX);
    jx_text_dup(&member, "admin", &secrets->admin);
    jx_text_dup(&member, "replication", &secrets->replication);
    jx_view_join(view, &member);
}

static void read_all(struct jx_view *view, struct cache_state *state)
{
    struct jx_view error;
    size_t phase;

    if (jx_word(view, "provisioningState", phases, &phase))
        state->phase = (enum cache_phase)phase;
    jx_text_dup(view, "hostName", &state->host_name);
    read_port(view, "port", &state->port);
    read_port(view, "sslPort", &state->tls_port);
    read_u64(view, "epoch", &state->epoch);
    jx_text_dup(view, "owner", &state->owner);
    (void)jx_u32(view, "membersMade", (struct jx_range){0, UINT32_MAX}, &state->members_made);
    read_shards(view, state);
    read_secrets(view, &state->secrets);
    jx_view_down(view, "error", &error);
    jx_text_dup(&error, "code", &state->error_code);
    jx_text_dup(&error, "message", &state->error_text);
    jx_view_join(view, &error);
}

enum err cache_state_read(struct cache_state *state, struct slice json, struct cause *why)
{
    const struct jx_limits limits = {.text_max_bytes = CACHE_STATE_MAX_BYTES};
    struct jx_view view;
    json_t *root = NULL;
    enum err err = jx_parse(json, NULL, &limits, &root, why);

    if (err)
        return err;
    jx_view_init(&view, root, NULL);
    if (!json_is_object(root))
        jx_view_error(&view, NULL, "is not an object");
    read_all(&view, state);
    json_decref(root);
    return view.err ? cause_set(why, view.err, "%s", view.why.text) : E_OK;
}

/* ---- writing ---- */

static void write_member(struct buf *out, const struct cache_member *member)
{
    buf_add_byte(out, '{');
    member_text(out, "name", slice_of(member->name));
    member_text_if(out, "address", slice_of(member->address));
    member_u64(out, "port", member->port);
    member_u64(out, "tlsPort", member->tls_port);
    if (member->bus_port != 0)
        member_u64(out, "busPort", member->bus_port);
    member_text_if(out, "dir", slice_of(member->dir));
    member_text_if(out, "program", slice_of(member->program));
    member_text_if(out, "version", slice_of(member->version));
    member_i64(out, "pid", member->pid);
    member_u64(out, "startTime", member->start_time);
    member_bool(out, "isInSync", member->is_in_sync);
    if (member->is_side)
        member_bool(out, "isSide", true);
    member_text(out, "state", slice_of(member_states[member->state]));
    buf_add_byte(out, '}');
}

static void write_shard(struct buf *out, const struct cache_shard *shard)
{
    buf_add_byte(out, '{');
    member_u64(out, "id", shard->id);
    member_text_if(out, "primary", slice_of(shard->primary));
    member_text_if(out, "failed", slice_of(shard->failed));
    if (shard->may_have_lost)
        member_bool(out, "mayHaveLost", true);
    if (shard->has_lost)
        member_bool(out, "hasLost", true);
    member_open(out, "members");
    buf_add_byte(out, '[');
    for (size_t i = 0; i < shard->member_count; i++) {
        buf_add(out, i > 0 ? SLICE(",") : SLICE(""));
        write_member(out, &shard->members[i]);
    }
    buf_add_byte(out, ']');
    if (shard->slot_count > 0) {
        member_open(out, "slots");
        for (size_t i = 0; i < shard->slot_count; i++)
            buf_addf(out, "%c[%u,%u]", i == 0 ? '[' : ',', shard->slots[i].first,
                     shard->slots[i].last);
        buf_add_byte(out, ']');
    }
    buf_add_byte(out, '}');
}

static void write_key(struct buf *out, const char *name, const char *key)
{
    if (key[0] != '\0')
        member_text(out, name, slice_of(key));
}

static void write_secrets(struct buf *out, const struct cache_secrets *secrets)
{
    member_open(out, "secrets");
    buf_add_byte(out, '{'); /* there may be none */
    write_key(out, "primaryKey", secrets->keys.text[0]);
    write_key(out, "secondaryKey", secrets->keys.text[1]);
    write_key(out, "nextPrimaryKey", secrets->next.text[0]);
    write_key(out, "nextSecondaryKey", secrets->next.text[1]);
    member_text_if(out, "admin", slice_of(secrets->admin));
    member_text_if(out, "replication", slice_of(secrets->replication));
    buf_add_byte(out, '}');
}

void cache_state_write(struct buf *out, const struct cache_state *state)
{
    buf_add_byte(out, '{');
    member_text(out, "provisioningState", slice_of(phases[state->phase]));
    member_text_if(out, "hostName", slice_of(state->host_name));
    member_u64(out, "port", state->port);
    member_u64(out, "sslPort", state->tls_port);
    member_u64(out, "epoch", state->epoch);
    member_text_if(out, "owner", slice_of(state->owner));
    member_u64(out, "membersMade", state->members_made);
    member_open(out, "shards");
    buf_add_byte(out, '[');
    for (size_t i = 0; i < state->shard_count; i++) {
        buf_add(out, i > 0 ? SLICE(",") : SLICE(""));
        write_shard(out, &state->shards[i]);
    }
    buf_add_byte(out, ']');
    write_secrets(out, &state->secrets);
    if (state->error_code != NULL || state->error_text != NULL) {
        member_open(out, "error");
        member_text(out, "code", slice_of(state->error_code));
        member_text(out, "message", slice_of(state->error_text));
        buf_add_byte(out, '}');
    }
    buf_add_byte(out, '}');
}
