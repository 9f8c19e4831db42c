/* What lies in storage, blob by blob: sweep.c draws how it goes.
 *   LIST --> GET --not meant, or only listed--> next: GET or LIST
 *             |--redrive--> APPEND --> DROP --> next
 *             |--purge--> DROP --> next */
#include "router/sweep_internal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "router/dead_blob.h"
#include "router/head.h"
#include "json/scan.h"

#define PAGE 32
#define FOLDER_MAX_BYTES 128
#define NEXT_MAX_BYTES 32768 /* more than a listing's text may have */

static struct blob_place place_of(const struct sweep *s)
{
    return (struct blob_place){s->router->options.storage, s->account,
                               slice_of(s->subscription.dead_letter_container)};
}

enum sweep_state sweep_blobs(struct sweep *s)
{
    if (s->account == NULL)
        return DONE;
    if (s->query.id_count == 0)
        return LIST;
    return s->looked_at < s->query.id_count ? GET : DONE;
}

/* ---- a page of names ---- */

enum err sweep_start_list(struct sweep *s)
{
    const struct blob_place place = place_of(s);
    size_t count = PAGE;
    char room[FOLDER_MAX_BYTES];
    struct buf folder = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    if (s->query.limit > 0 && s->query.limit - s->matched < count)
        count = s->query.limit - s->matched;
    dead_blob_add_folder(&folder, slice_of(s->subscription.name));
    return blob_list(&place, buf_slice(&folder), slice_of(s->marker), count, &s->blob);
}

/* The page is done with, or, of a listing, left for now. */
static enum sweep_state next_page(struct sweep *s)
{
    bool is_done = s->page_at == s->page.count;
    const char *marker = is_done ? s->marker : s->page_marker;
    struct buf next;

    if (is_done && marker == NULL)
        return DONE;
    if (is_done && !sweep_pauses(s))
        return LIST;
    buf_init(&next, NEXT_MAX_BYTES);
    buf_addf(&next, DEAD_BLOBS "%zu:%s", is_done ? 0 : s->page_at, marker != NULL ? marker : "");
    sweep_keep(&s->next, buf_slice(&next));
    buf_done(&next);
    return DONE;
}

enum sweep_state sweep_judge_list(struct sweep *s)
{
    struct blob_listing page;
    struct cause why;
    enum err err = blob_listing_read(s->blob.body, &page, &why);

    if (err != E_OK)
        return sweep_blob_failed(s, err, &why);
    blob_listing_done(&s->page);
    s->page = page;
    s->page_at = s->skip < page.count ? s->skip : page.count;
    s->skip -= s->page_at;
    free(s->page_marker);
    s->page_marker = s->marker;
    s->marker = page.next.len > 0 ? slice_dup(page.next) : NULL;
    return s->page_at < page.count ? GET : next_page(s);
}

/* ---- one blob ---- */

static struct slice current(const struct sweep *s)
{
    return s->query.id_count > 0 ? slice_of(s->query.ids[s->looked_at]) : s->page.names[s->page_at];
}

enum sweep_state sweep_next_blob(struct sweep *s)
{
    s->event = event_unref(s->event);
    if (s->query.id_count > 0)
        return ++s->looked_at < s->query.id_count && !s->is_full ? GET : DONE;
    bool is_left = s->kind == SWEEP_LIST && sweep_pauses(s); /* others are made shorter meanwhile */
    return ++s->page_at < s->page.count && !is_left ? GET : next_page(s);
}

enum err sweep_start_get(struct sweep *s)
{
    const struct blob_place place = place_of(s);

    return blob_get(&place, current(s), &s->blob);
}

/* Of a name in the same container that is another subscription's, or somebody else's. */
static bool is_own(const struct sweep *s, struct slice entry)
{
    return queue_dead_is_id(entry) &&
           slice_eq(blob_call_metadata(&s->blob, DEAD_BLOB_QUEUE), slice_of(s->queue_id));
}

/* What died after the beginning was perhaps redriven by this very sweep. */
static bool is_late(const struct sweep *s, struct slice entry)
{
    return s->until != NULL && queue_dead_time(entry) > queue_dead_time(slice_of(s->until));
}

static bool read_blob(struct sweep *s, struct slice entry, const struct event_rules *rules)
{
    struct dead_found found = {
        .id = current(s), .place = "blob", .died_unix_ms = queue_dead_time(entry)};
    struct slice rest = jx_scan_trim(s->blob.body), item = SLICE_NONE;
    struct cause ignored; /* then it is shown as it is */

    found.body = s->blob.body;
    if (rest.len > 0 && rest.data[0] == '[' && jx_scan_is_value(rest, JX_SCAN_DEPTH_MAX) &&
        jx_scan_item(&rest, &item) &&
        dead_letter_read(rules, item, &s->event, &found.dead, &ignored) == E_OK)
        found.event = s->event;
    return sweep_take(s, &found);
}

enum sweep_state sweep_judge_get(struct sweep *s)
{
    const struct scope *scope = sweep_scope(s);
    struct slice entry = blob_call_metadata(&s->blob, DEAD_BLOB_ENTRY);

    if (scope == NULL)
        return sweep_gone(s);
    if (!is_own(s, entry) || is_late(s, entry))
        return sweep_next_blob(s);
    const struct event_rules rules = topic_rules(scope->topic);
    if (!read_blob(s, entry, &rules) || !sweep_acts(s))
        return sweep_next_blob(s);
    if (s->kind == SWEEP_PURGE)
        return DROP;
    return s->event != NULL ? APPEND : sweep_next_blob(s);
}

enum err sweep_start_append(struct sweep *s)
{
    const char *order_by = s->subscription.order_by;
    char room[HEAD_MAX_BYTES], lane_room[EVENT_LANE_BYTES];
    struct buf head = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};
    struct slice lane =
        order_by != NULL ? event_lane(s->event, slice_of(order_by), lane_room) : SLICE_NONE;

    head_write(&head, s->event);
    if (buf_err(&head) != E_OK)
        return buf_err(&head);
    return queue_append(s->queue, buf_slice(&head), s->event->body, lane, &s->call);
}

enum sweep_state sweep_judge_append(struct sweep *s)
{
    sweep_tell(s, 1);
    return DROP;
}

enum err sweep_start_drop(struct sweep *s)
{
    const struct blob_place place = place_of(s);

    return blob_delete(&place, current(s), &s->blob);
}

enum sweep_state sweep_judge_drop(struct sweep *s)
{
    s->done++;
    s->id_count = 1;
    if (s->kind == SWEEP_PURGE)
        sweep_tell(s, 1);
    return sweep_rest(s, sweep_next_blob(s));
}

enum sweep_state sweep_blob_failed(struct sweep *s, enum err err, const struct cause *why)
{
    if ((err == E_NOT_FOUND || err == E_LIMIT) && s->state == GET)
        return sweep_next_blob(s); /* somebody was faster; or too large to be one of ours */
    if (err == E_NOT_FOUND && s->state == DROP)
        return sweep_judge_drop(s);
    sweep_keep(&s->trouble, slice_of(cause_text(why, err)));
    return DONE;
}
