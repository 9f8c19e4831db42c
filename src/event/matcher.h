/* event/matcher.h - which of many filters want an event.
 * Rules: a matcher is made anew when a filter comes or goes. An index by event type, then by the
 * beginning of the subject, then by the operands of each filter's narrowest condition (census.h,
 * anchor.h) leaves few filters to try one by one; a key that many filters name is looked up once.
 * Matching does not allocate, once the largest event has been seen. One thread. */
#ifndef EVENT_MATCHER_H
#define EVENT_MATCHER_H

#include "event/filter.h"

struct matcher;

/* matcher_new indexes `count` filters, which are borrowed, and of which each is in one matcher. It
 * writes the slots of their conditions. */
struct matcher *matcher_new(struct filter *const *filters, size_t count);
void matcher_free(struct matcher *matcher);

/* matcher_match gives the number of filters that match, and in *ret their indexes in the array that
 * matcher_new was given, each once, in no order; stale after the next call. */
size_t matcher_match(struct matcher *matcher, const struct event *event, const size_t **ret);

#endif
