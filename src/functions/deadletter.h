/* functions/deadletter.h - the names of redgrid's own keys in a user's cache, and the fields of a
 * dead letter. Pure: callable anywhere. Behaviour: functions.md 7.3 and 7.4 of the specification.
 */
#ifndef FUNCTIONS_DEADLETTER_H
#define FUNCTIONS_DEADLETTER_H

#include "apps/app.h"
#include "base/buf.h"

/* key_tag is what stands between the braces of our own keys so that they share the slot of `key`:
 * its hash tag, or the whole key. false: the key's slot cannot be expressed (it holds '}' but no
 * valid tag); *ret is then the key. */
bool key_tag(struct slice key, struct slice *ret);

/* own_key writes "redgrid:{<tag>}:<what>:<function>"; and if the key is longer than its tag,
 * ":<key>", so that two keys with one tag do not share it; and if `consumer` is given,
 * ":<consumer>". `what` is list, consumers, tries; for dead the key is never added: one dead-letter
 * stream per function and tag. */
void own_key(struct buf *out, struct slice key, const char *what, struct slice function,
             struct slice consumer);

/* dead_letter_key writes the trigger's dead letter stream for a source key. */
void dead_letter_key(struct buf *out, const struct function *function, struct slice key);

#define DEAD_LETTER_ERROR_MAX_BYTES 1024

/* dead_letter_fields writes the fixed fields as a flat list of slices for XADD: function, key, id
 * (streams only), deliveries, error (cut to 1 KiB of valid UTF-8), time (RFC 3339). Returns how
 * many slices were written (at most DEAD_LETTER_FIELDS_MAX); texts live in `text`, which must not
 * be changed afterwards. The original follows: `element` for lists, `f:<name>` for each field of a
 * stream entry. */
#define DEAD_LETTER_FIELDS_MAX 12
struct dead_letter {
    const struct function *function;
    struct slice key;
    struct slice id; /* absent for lists */
    uint64_t deliveries;
    struct slice error;
    uint64_t unix_us;
};
size_t dead_letter_fields(const struct dead_letter *letter, struct buf *text, struct slice *ret);

#endif
