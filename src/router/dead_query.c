#include "router/dead_query.h"

#include <stdlib.h>

#include "base/mem.h"
#include "event/date.h"
#include "router/dead_blob.h"
#include "json/json.h"
#include "json/scan.h"

static void add_ids(struct dead_query *query, const json_t *ids, bool (*is_meant)(struct slice id))
{
    for (size_t i = 0; i < json_array_size(ids); i++) {
        struct slice id = jx_slice(json_array_get(ids, i));
        if (is_meant(id))
            query->ids[query->id_count++] = slice_dup(id);
    }
}

static void read_ids(struct jx_view *view, struct dead_query *query)
{
    const json_t *ids = jx_member(view->json, "ids");
    size_t count = json_array_size(ids);

    if (ids == NULL)
        return;
    if (!json_is_array(ids) || count == 0) {
        jx_view_error(view, "ids", "is not an array of the ids of dead letters");
        return;
    }
    if (count > DEAD_IDS_MAX) {
        jx_view_error(view, "ids", "has more than %d ids", DEAD_IDS_MAX);
        return;
    }
    query->ids = mem_new_array(count, char *);
    for (size_t i = 0; i < count; i++) {
        struct slice id = jx_slice(json_array_get(ids, i));
        if (!queue_dead_is_id(id) && !dead_blob_is_name(id)) {
            jx_view_error(view, "ids", "[%zu] is no id of a dead letter, as 1700000000000-0", i);
            return;
        }
    }
    add_ids(query, ids, queue_dead_is_id);
    query->stream_id_count = query->id_count;
    add_ids(query, ids, dead_blob_is_name);
}

static void read_time(struct jx_view *view, const char *name, uint64_t *ret_unix_ms)
{
    const char *text;

    if (jx_text(view, name, &text) && !date_parse_iso(slice_of(text), ret_unix_ms, NULL))
        jx_view_error(view, name, "is not an ISO 8601 time, as 2030-01-01T00:00:00Z");
}

static void read_id(struct jx_view *view, struct dead_query *query, const char *name, char **ret)
{
    const char *text;

    if (!jx_text(view, name, &text) || text[0] == '\0')
        return;
    bool is_marker = slice_has_prefix(slice_of(text), SLICE(DEAD_BLOBS)) && ret == &query->from;
    if (!queue_dead_is_id(slice_of(text)) && !is_marker)
        jx_view_error(view, name, "is no id of a dead letter, as 1700000000000-0");
    else
        *ret = slice_dup(slice_of(text));
}

static void read_members(struct jx_view *view, struct dead_query *query)
{
    const char *text;

    read_ids(view, query);
    read_time(view, "diedAfter", &query->since_unix_ms);
    read_time(view, "diedBefore", &query->before_unix_ms);
    if (jx_text(view, "reason", &text) && text[0] != '\0')
        query->reason = slice_dup(slice_of(text));
    (void)jx_bool(view, "all", &query->wants_all);
    (void)jx_bool(view, "dryRun", &query->is_dry);
    (void)jx_u32(view, "rate", (struct jx_range){1, DEAD_RATE_MAX}, &query->rate);
    (void)jx_u32(view, "limit", (struct jx_range){1, UINT32_MAX}, &query->limit);
    (void)jx_u32(view, "seconds", (struct jx_range){1, DEAD_SECONDS_MAX}, &query->seconds);
    read_id(view, query, "from", &query->from);
    read_id(view, query, "until", &query->until);
    if (query->before_unix_ms != 0 && query->before_unix_ms <= query->since_unix_ms)
        jx_view_error(view, "diedBefore", "is not later than diedAfter");
}

enum err dead_query_read(struct slice json, struct dead_query *ret, struct cause *why)
{
    struct dead_query query = {0};
    struct jx_view view;
    json_t *body = NULL;

    json = jx_scan_trim(json);
    if (json.len > 0 && !jx_scan_is_object(json))
        return cause_set(why, E_BAD_INPUT, "the body is not a JSON object");
    struct slice filter = jx_scan_member(json, SLICE("filter"));
    query.has_filter = filter.data != NULL && filter.data[0] != 'n';
    enum err err = json.len > 0 ? jx_parse(json, NULL, NULL, &body, why) : E_OK;
    if (err == E_OK && query.has_filter)
        err = cause_wrap(why, filter_read(filter, NULL, &query.filter, why), "filter");
    if (err == E_OK) {
        jx_view_init(&view, body, NULL);
        read_members(&view, &query);
        err = view.err ? cause_set(why, view.err, "%s", view.why.text) : E_OK;
    }
    json_decref(body);
    if (err)
        dead_query_done(&query);
    else
        *ret = query;
    return err;
}

void dead_query_done(struct dead_query *query)
{
    for (size_t i = 0; i < query->id_count; i++)
        free(query->ids[i]);
    free(query->ids);
    free(query->reason);
    free(query->from);
    free(query->until);
    filter_done(&query->filter);
    *query = (struct dead_query){0};
}

bool dead_query_is_narrow(const struct dead_query *query)
{
    return query->id_count > 0 || query->since_unix_ms != 0 || query->before_unix_ms != 0 ||
           query->reason != NULL || query->has_filter;
}

bool dead_query_wants(const struct dead_query *query, const struct dead_found *found,
                      struct lookup *lookup)
{
    if (found->died_unix_ms < query->since_unix_ms)
        return false;
    if (query->before_unix_ms != 0 && found->died_unix_ms >= query->before_unix_ms)
        return false;
    if (query->reason != NULL && !slice_eq_nocase(found->dead.reason, slice_of(query->reason)))
        return false;
    if (!query->has_filter)
        return true;
    if (found->event == NULL)
        return false;
    lookup_begin(lookup, found->event);
    return filter_matches(&query->filter, lookup);
}

static uint64_t number(const struct queue_dead_entry *entry, struct slice name)
{
    uint64_t value = 0;

    return slice_to_u64(queue_dead_field(entry, name), &value) ? value : 0;
}

void dead_found_read(struct dead_found *ret, const struct queue_dead_entry *entry)
{
    *ret = (struct dead_found){
        .id = entry->id,
        .place = "stream",
        .died_unix_ms = entry->died_unix_ms,
        .body = entry->body,
        .dead = {.reason = queue_dead_field(entry, SLICE("reason")),
                 .outcome = queue_dead_field(entry, SLICE("outcome")),
                 .attempts = (uint32_t)number(entry, SLICE("attempts")),
                 .http_status = (unsigned)number(entry, SLICE("status")),
                 .attempted_unix_us = number(entry, SLICE("attempted")) * 1000},
    };
}
