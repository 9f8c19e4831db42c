/* event/value.h - what filters look up in one event.
 * Rules: a value is found, unescaped and folded once per event and key, however many filters ask
 * for it: whoever has many filters gives equal keys equal slots. Its memory is kept for the next
 * event, so that looking up does not allocate. One thread. */
#ifndef EVENT_VALUE_H
#define EVENT_VALUE_H

#include "event/decimal.h"
#include "event/event.h"
#include "event/fold.h"

enum value_kind {
    VALUE_MISSING, /* or null */
    VALUE_TEXT,
    VALUE_NUMBER,
    VALUE_BOOL,
    VALUE_ARRAY,
    VALUE_OBJECT,
};

struct value {
    enum value_kind kind;
    struct slice json;
    struct slice text; /* folded: of a text; and of an attribute of a CloudEvent that is a number or
                          a boolean; else SLICE_NONE */
    struct decimal number;
    bool flag;
};

struct value_slot;

struct lookup {
    const struct event *event; /* borrowed */
    struct slice type;         /* folded */
    struct slice subject;      /* unescaped */
    struct slice folded_subject;
    struct arena arena; /* texts of this event */
    struct buf item;    /* the text of one value that is not kept */
    struct value_slot *slots;
    size_t slot_count;
    uint64_t epoch; /* counts events; a slot of another one is stale */
};

/* lookup_init makes room for slots 1 to slot_count. */
void lookup_init(struct lookup *lookup, size_t slot_count);
void lookup_done(struct lookup *lookup);
/* lookup_begin turns to an event, which is borrowed until the next begin. */
void lookup_begin(struct lookup *lookup, const struct event *event);

/* lookup_value gives the value behind a key; slot 0 = not kept for others. Stale after the next
 * call of lookup_begin, and when slot is 0 of any of these. */
struct value lookup_value(struct lookup *lookup, struct slice key, size_t slot);
/* lookup_item makes a value of an item of an array. Stale after the next call. */
struct value lookup_item(struct lookup *lookup, struct slice json);

#endif
