/* functions/scale.h - how many workers the backlog asks for. Pure: callable anywhere.
 * Behaviour: functions.md 12 of the specification. */
#ifndef FUNCTIONS_SCALE_H
#define FUNCTIONS_SCALE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define SCALE_SAMPLES_MAX 60
#define SCALE_VOTE_SAMPLES 5

struct stream_id {
    uint64_t ms;
    uint64_t sequence;
};
/* stream_id_parse reads "1-0" or "1". */
bool stream_id_parse(struct slice text, struct stream_id *ret);
int stream_id_cmp(struct stream_id a, struct stream_id b);

/* What XLEN, XINFO STREAM and XINFO GROUPS told about one stream. */
struct stream_facts {
    uint64_t length;
    bool has_group;
    bool has_lag;
    uint64_t lag;
    struct stream_id first, last, delivered;
};
uint64_t scale_stream_remaining(const struct stream_facts *facts);

/* scale_target is ceil(remaining / divisor), at least 0. */
uint64_t scale_target(uint64_t remaining, uint32_t divisor);

/* The newest samples of one function. Zeroed = none. */
struct scale_samples {
    uint64_t remaining[SCALE_SAMPLES_MAX];
    uint32_t count, next;
};
void scale_add(struct scale_samples *samples, uint64_t remaining);
/* scale_vote: 1 out, -1 in, 0 none. */
int scale_vote(const struct scale_samples *samples, uint32_t instances, uint32_t divisor);

#endif
