/* A cache as an API shows it: the document, the record, and the operation that runs. */
#include "caches/caches_internal.h"
#include "json/member.h"

struct view { /* all of it */
    struct slice document;
    struct cache_spec spec;
    struct cache_state state;
    struct cache_host host;
    enum cache_phase phase;
};

/* What it shows is what runs; the record says how the last one ended. */
static enum cache_phase phase_of(const struct caches *caches, struct slice id,
                                 const struct cache_state *state)
{
    struct slice running = caches_document(caches, id, OPERATION_SUFFIX);
    struct slice guid = jx_scan_member(running, SLICE("id"));
    struct operation_record record = {0};
    char key[OPERATION_ID_MAX_BYTES];
    enum cache_phase phase = state->phase;

    if (guid.len < 2 || !operation_document_id((struct slice){guid.data + 1, guid.len - 2}, key))
        return phase;
    struct slice document = resources_get(caches->options.resources, slice_of(key));
    if (document.data != NULL && operation_record_read(&record, document, NULL) == E_OK) {
        const struct operation_kind *kind = operation_kind_find(slice_of(record.kind));
        if (kind != NULL && kind->phase != PHASE_SUCCEEDED)
            phase = record.is_undoing ? kind->undoing : kind->phase;
    }
    operation_record_done(&record);
    return phase;
}

static bool load(const struct caches *caches, struct slice id, struct view *view)
{
    *view = (struct view){.document = caches_document(caches, id, ""), .host = caches->host};
    cache_state_init(&view->state);
    struct slice state = caches_document(caches, id, STATE_SUFFIX);
    if (!caches_is_cache(id) || view->document.data == NULL || state.data == NULL ||
        cache_state_read(&view->state, state, NULL) != E_OK ||
        cache_spec_read_stored(&view->spec, jx_scan_member(view->document, SLICE("properties")),
                               NULL) != E_OK)
        return false;
    view->host.has_tls = view->state.tls_port != 0;
    view->phase = phase_of(caches, id, &view->state);
    return true;
}

static void unload(struct view *view)
{
    cache_spec_done(&view->spec);
    cache_state_done(&view->state);
}

static void write_keys(struct buf *out, const struct cache_state *state, bool with_keys)
{
    member_open(out, "accessKeys");
    if (!with_keys) {
        buf_add(out, SLICE("null"));
        return;
    }
    member_text(out, "primaryKey", slice_of(state->secrets.keys.text[0]));
    member_text(out, "secondaryKey", slice_of(state->secrets.keys.text[1]));
    buf_add_byte(out, '}');
}

/* Calls back for each member, with a comma in front of all but the first. */
static void write_each(struct buf *out, const struct view *view, const char *name,
                       void (*write)(struct buf *out, const struct view *view,
                                     const struct cache_shard *shard,
                                     const struct cache_member *member))
{
    bool is_first = true;

    member_open(out, name);
    buf_add_byte(out, '[');
    for (size_t i = 0; i < view->state.shard_count; i++)
        for (size_t j = 0; j < view->state.shards[i].member_count; j++) {
            if (!is_first)
                buf_add_byte(out, ',');
            is_first = false;
            write(out, view, &view->state.shards[i], &view->state.shards[i].members[j]);
        }
    buf_add_byte(out, ']');
}

static bool is_primary(const struct cache_shard *shard, const struct cache_member *member)
{
    return member == cache_shard_primary(shard);
}

static void write_instance(struct buf *out, const struct view *view,
                           const struct cache_shard *shard, const struct cache_member *member)
{
    if (member->tls_port != 0)
        member_u64(out, "sslPort", member->tls_port);
    if (view->spec.has_plain_port)
        member_u64(out, "nonSslPort", member->port);
    if (view->spec.shards != 0)
        member_u64(out, "shardId", shard->id);
    member_bool(out, "isMaster", is_primary(shard, member));
    member_bool(out, "isPrimary", is_primary(shard, member));
    buf_add_byte(out, '}');
}

static void write_node(struct buf *out, const struct view *view, const struct cache_shard *shard,
                       const struct cache_member *member)
{
    (void)view;
    member_text(out, "name", slice_of(member->name));
    member_text(out, "address", slice_of(member->address));
    member_u64(out, "shardId", shard->id);
    member_text(out, "role", is_primary(shard, member) ? SLICE("primary") : SLICE("replica"));
    member_text(out, "version", slice_of(member->version));
    member_text(out, "state", slice_of(member_state_name(member->state)));
    member_bool(out, "inSync", is_primary(shard, member) || member->is_in_sync);
    member_i64(out, "pid", member->pid);
    buf_add_byte(out, '}');
}

/* The version of the first primary: "valkey 8.0.1" is 7.2.4 to its clients. */
static struct slice version_of(const struct view *view, bool for_clients)
{
    const struct cache_member *member =
        view->state.shard_count > 0 ? cache_shard_primary(&view->state.shards[0]) : NULL;
    struct slice version = member != NULL ? slice_of(member->version) : SLICE_NONE;

    if (for_clients && slice_has_prefix(version, SLICE("valkey ")))
        return SLICE("7.2.4");
    return version;
}

static void write_redgrid(struct buf *out, const struct view *view)
{
    member_open(out, "redgrid");
    member_text(out, "owner", slice_of(view->state.owner));
    member_u64(out, "epoch", view->state.epoch);
    member_u64(out, "maxmemory", cache_spec_numbers(&view->spec, &view->host).maxmemory_bytes);
    member_text(out, "serverVersion", version_of(view, false));
    if (view->state.error_code != NULL) {
        member_open(out, "error");
        member_text(out, "code", slice_of(view->state.error_code));
        member_text(out, "message", slice_of(view->state.error_text));
        buf_add_byte(out, '}');
    }
    write_each(out, view, "nodes", write_node);
    buf_add_byte(out, '}');
}

static void write_properties(struct buf *out, const struct view *view, bool with_keys)
{
    member_text(out, "provisioningState", slice_of(cache_phase_name(view->phase)));
    member_text(out, "redisVersion", version_of(view, true));
    cache_spec_write(out, &view->spec, &view->host);
    member_text(out, "hostName", slice_of(view->state.host_name));
    member_u64(out, "port", view->state.port);
    if (view->state.tls_port != 0)
        member_u64(out, "sslPort", view->state.tls_port);
    write_keys(out, &view->state, with_keys);
    write_each(out, view, "instances", write_instance);
    member_json(out, "linkedServers", SLICE("[]"));
    write_redgrid(out, view);
    buf_add_byte(out, '}');
}

bool caches_write(const struct caches *caches, struct slice id, bool with_keys, struct buf *out)
{
    struct view view;
    bool is_there = load(caches, id, &view);

    if (is_there) {
        struct slice location = jx_scan_member(view.document, SLICE("location"));
        buf_add_byte(out, '{');
        member_json(out, "id", jx_scan_member(view.document, SLICE("id")));
        if (location.data != NULL)
            member_json(out, "location", location);
        member_json(out, "name", jx_scan_member(view.document, SLICE("name")));
        member_text(out, "type", SLICE("Microsoft.Cache/Redis"));
        member_json(out, "tags", jx_scan_member(view.document, SLICE("tags")));
        member_open(out, "properties");
        write_properties(out, &view, with_keys);
        buf_add_byte(out, '}');
    }
    unload(&view);
    return is_there;
}

bool caches_key(const struct caches *caches, struct slice id, size_t key,
                char ret[ACCESS_KEY_TEXT_MAX])
{
    struct slice state = caches_document(caches, id, STATE_SUFFIX);
    struct slice secrets = jx_scan_member(state, SLICE("secrets"));
    struct slice text =
        jx_scan_member(secrets, key == 0 ? SLICE("primaryKey") : SLICE("secondaryKey"));

    if (text.len <= 2 || text.len - 2 >= ACCESS_KEY_TEXT_MAX)
        return false;
    memcpy(ret, text.data + 1, text.len - 2);
    ret[text.len - 2] = '\0';
    return true;
}
