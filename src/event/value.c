#include "event/value.h"

#include <stdlib.h>

#include "base/mem.h"
#include "event/draft.h"
#include "json/scan.h"

/* Values of different keys do not overlap, but for keys that differ in case; what does not fit is
 * not kept. */
#define TEXTS_MAX_BYTES (4 * EVENT_MAX_BYTES)

struct value_slot {
    uint64_t epoch;
    struct value value;
};

void lookup_init(struct lookup *lookup, size_t slot_count)
{
    *lookup = (struct lookup){.slot_count = slot_count};
    lookup->slots = mem_new_array(slot_count + 1, struct value_slot);
    arena_init(&lookup->arena, TEXTS_MAX_BYTES);
    buf_init(&lookup->item, 2 * EVENT_MAX_BYTES);
}

void lookup_done(struct lookup *lookup)
{
    arena_done(&lookup->arena);
    buf_done(&lookup->item);
    free(lookup->slots);
    *lookup = (struct lookup){0};
}

/* Room for the text of a value, which is never longer than its JSON. */
static char *room_for(struct lookup *lookup, struct slice json, bool is_kept)
{
    char *room = is_kept ? arena_alloc(&lookup->arena, json.len, 1) : NULL;

    if (room != NULL)
        return room;
    buf_clear(&lookup->item);
    return buf_reserve(&lookup->item, json.len);
}

static struct slice text_of(struct lookup *lookup, struct slice json, bool is_folded, bool is_kept)
{
    char *room = room_for(lookup, json, is_kept);
    size_t len = json.len;

    if (room == NULL) /* no value is larger than its event */
        return SLICE_NONE;
    if (raw_is_string(json))
        len = jx_scan_copy_string(room, json);
    else
        memcpy(room, json.data, json.len);
    if (is_folded)
        fold_text(room, len);
    return (struct slice){room, len};
}

void lookup_begin(struct lookup *lookup, const struct event *event)
{
    arena_reset(&lookup->arena);
    lookup->event = event;
    lookup->epoch++;
    lookup->type = lookup->subject = lookup->folded_subject = SLICE("");
    if (raw_is_string(event->fields[EVENT_TYPE]))
        lookup->type = text_of(lookup, event->fields[EVENT_TYPE], true, true);
    if (raw_is_string(event->fields[EVENT_SUBJECT])) {
        lookup->subject = text_of(lookup, event->fields[EVENT_SUBJECT], false, true);
        lookup->folded_subject = text_of(lookup, event->fields[EVENT_SUBJECT], true, true);
    }
}

static struct value value_of(struct lookup *lookup, struct slice json, bool is_attribute,
                             bool is_kept)
{
    struct value value = {.json = json};

    if (raw_is_null(json))
        return value;
    switch (json.data[0]) {
    case '{':
        value.kind = VALUE_OBJECT;
        return value;
    case '[':
        value.kind = VALUE_ARRAY;
        return value;
    case '"':
        value.kind = VALUE_TEXT;
        break;
    case 't':
    case 'f':
        value.kind = VALUE_BOOL;
        value.flag = json.data[0] == 't';
        break;
    default:
        value.kind = decimal_parse(json, &value.number) ? VALUE_NUMBER : VALUE_MISSING;
        break;
    }
    if (value.kind == VALUE_TEXT || is_attribute)
        value.text = text_of(lookup, json, true, is_kept);
    return value;
}

static struct value find_value(struct lookup *lookup, struct slice key, bool is_kept)
{
    bool is_attribute;
    struct slice json = event_find(lookup->event, key, &is_attribute);

    return value_of(lookup, json, is_attribute, is_kept);
}

struct value lookup_value(struct lookup *lookup, struct slice key, size_t slot)
{
    if (slot == 0 || slot > lookup->slot_count)
        return find_value(lookup, key, false);
    struct value_slot *at = &lookup->slots[slot];
    if (at->epoch != lookup->epoch) {
        struct value value = find_value(lookup, key, true);
        if (value.text.data != NULL && value.text.data == lookup->item.data)
            return value; /* the arena is full */
        *at = (struct value_slot){lookup->epoch, value};
    }
    return at->value;
}

struct value lookup_item(struct lookup *lookup, struct slice json)
{
    return value_of(lookup, json, false, false);
}
