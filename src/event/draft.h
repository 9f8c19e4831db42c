/* event/draft.h - an event while it is being read; for the readers of schemas in this folder.
 * A reader finds the fields in draft->body, or stamps them. */
#ifndef EVENT_DRAFT_H
#define EVENT_DRAFT_H

#include "event/event.h"

struct draft {
    struct slice body; /* a valid JSON object; a reader may put another in its place, in `clean` */
    struct buf clean;
    struct {
        size_t start, len;
        bool is_set;
        bool is_stamped; /* start counts in `stamps`, else in `body` */
    } fields[EVENT_FIELDS];
    struct buf stamps;
};

/* draft_set notes a value that lies in draft->body. */
void draft_set(struct draft *draft, enum event_field field, struct slice json);
/* draft_stamp writes a JSON string beside the body. */
void draft_stamp(struct draft *draft, enum event_field field, struct slice text);

typedef enum err draft_reader(struct draft *draft, const struct event_rules *rules,
                              const struct event_stamp *stamp, struct refusal *why);
draft_reader event_grid_read, cloud_event_read, custom_event_read;

/* raw_path follows a dotted path through objects; SLICE_NONE if it leads nowhere. */
struct slice raw_path(struct slice json, struct slice path);

/* What a valid JSON value is, by its first byte. */
static inline bool raw_is_null(struct slice json) /* or absent */
{
    return json.data == NULL || json.len == 0 || json.data[0] == 'n';
}

static inline bool raw_is_string(struct slice json) /* "" too */
{
    return json.data != NULL && json.len > 0 && json.data[0] == '"';
}

static inline bool raw_is_text(struct slice json) /* a string that is not empty */
{
    return json.len > 2 && raw_is_string(json);
}

/* raw_is_time: a string that is a moment with a time zone. */
bool raw_is_time(struct slice json);

/* refuse_missing: "... requires 'id' property to be set." */
enum err refuse_missing(struct refusal *why, enum event_schema schema, const char *name);
/* refuse_unexpected names a member, given as a JSON string, that has no place. */
enum err refuse_unexpected(struct refusal *why, struct slice name);
enum err refuse_type(struct refusal *why, const char *name, const char *expected);

#endif
