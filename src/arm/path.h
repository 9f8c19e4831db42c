/* arm/path.h - the path of a request to the control plane, which is the id of a resource, of a
 * collection or of an action, in any spelling (azure-api.md 1).
 * Rules: segments are unescaped; empty ones ("//") are left out. What Azure names (resourceGroups,
 * Microsoft.Cache, Redis, ..) is spelt as Azure spells it, what users name stays as it came.
 * An event subscription has one spelling: the nested form TOPIC/eventSubscriptions/NAME becomes the
 * extension form TOPIC/providers/Microsoft.EventGrid/eventSubscriptions/NAME. Pure. */
#ifndef ARM_PATH_H
#define ARM_PATH_H

#include "base/buf.h"

#define ARM_PATH_MAX_BYTES 2048
#define ARM_SEGMENTS_MAX 24
#define ARM_NAMES_MAX 8

struct arm_path {
    struct buf text; /* "/subscriptions/..", which the segments point into */
    struct slice segments[ARM_SEGMENTS_MAX];
    size_t count;
};

/* arm_path_read reads a path as it was sent: E_OK; or E_BAD_INPUT (a malformed escape, a slash or a
 * control character in a name), E_LIMIT. arm_path_done ends it, also after an error. */
enum err arm_path_read(struct arm_path *path, struct slice sent);
void arm_path_done(struct arm_path *path);

/* What stands for the braces of a pattern, in their order. */
struct arm_match {
    struct {
        struct slice name; /* as in the pattern, without its braces */
        struct slice value;
    } parts[ARM_NAMES_MAX];
    size_t count;
};
/* arm_path_match: is it "/subscriptions/{subscription}/resourceGroups/{group}"? In any case. Braces
 * take one segment; a pattern that begins with "{scope}" takes all that precedes the rest of it,
 * from /subscriptions on. */
bool arm_path_match(const struct arm_path *path, const char *pattern, struct arm_match *ret);
/* arm_match_name is what stands for the braces of that name; SLICE_NONE if there are none. */
struct slice arm_match_name(const struct arm_match *match, const char *name);

/* Parts of an id that is spelt as above; SLICE_NONE if it has none. */
struct slice arm_id_subscription(struct slice id); /* the name alone */
struct slice arm_id_group(struct slice id);        /* the name alone */
struct slice arm_id_name(struct slice id);         /* behind the last slash */
/* arm_id_group_id is the id of its resource group, of its subscription if it is in none. */
struct slice arm_id_group_id(struct slice id);
/* arm_id_add_type appends its type: "Microsoft.EventGrid/topics"; nothing if it has none. */
void arm_id_add_type(struct buf *out, struct slice id);
/* arm_id_add_folded appends it with provider and type in lower case, as the `topic` of an event
 * subscription has it. */
void arm_id_add_folded(struct buf *out, struct slice id);

#endif
