/* event/census.h - how many filters ask for the same: by which of its conditions a filter is found
 * best. What many ask for, many events have, as far as anybody can tell without seeing them.
 * Rules: first all filters are counted, then each is judged. */
#ifndef EVENT_CENSUS_H
#define EVENT_CENSUS_H

#include "base/map.h"
#include "event/filter.h"

struct census {
    struct map counts; /* what a condition asks for -> how often, as a number in the pointer */
};

void census_done(struct census *census); /* a zeroed one is empty and valid */
/* census_add counts the conditions of a filter; their slots must have been given. */
void census_add(struct census *census, const struct filter *filter);
/* census_choose: the condition that lets the fewest events through, among those that have anchors
 * (anchor.h) and `operands_max` operands at most; NULL = none. */
const struct filter_condition *census_choose(const struct census *census,
                                             const struct filter *filter, size_t operands_max);

#endif
