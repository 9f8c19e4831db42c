/* event/fold.h - texts that differ in case only become the same bytes: what filters compare.
 * One letter becomes one letter of the same length in UTF-8, whatever the locale: Latin (ASCII,
 * Latin-1, Extended-A, Additional, full width), Greek, Cyrillic, Armenian. Other letters and
 * invalid bytes stay. Pure: callable anywhere. */
#ifndef EVENT_FOLD_H
#define EVENT_FOLD_H

#include "base/arena.h"

/* fold_text folds in place. */
void fold_text(char *text, size_t len);
/* fold_copy gives a folded copy in the arena; SLICE_NONE if that is over the arena's limit. */
struct slice fold_copy(struct arena *arena, struct slice text);

#endif
