#include "functions/scale.h"

bool stream_id_parse(struct slice text, struct stream_id *ret)
{
    struct stream_id id = {0};
    size_t dash = slice_find_byte(text, '-');

    if (!slice_to_u64(slice_first(text, dash), &id.ms))
        return false;
    if (dash < text.len && !slice_to_u64(slice_from(text, dash + 1), &id.sequence))
        return false;
    *ret = id;
    return true;
}

int stream_id_cmp(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.sequence < b.sequence ? -1 : a.sequence > b.sequence;
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

/* Ids are made of time, so the share of the stream behind the last delivered one is guessed from
 * the times. */
static uint64_t by_time(const struct stream_facts *f)
{
    uint64_t behind = f->last.ms > f->delivered.ms ? f->last.ms - f->delivered.ms : 1;
    uint64_t all = f->last.ms > f->first.ms ? f->last.ms - f->first.ms : 1;

    if (behind >= all)
        return f->length;
    /* both factors may have 64 bits; times are far below, so only odd ids take the second way */
    uint64_t product;
    if (!__builtin_mul_overflow(f->length, behind, &product))
        return at_most(product / all, f->length);
    return at_most((uint64_t)((double)f->length * ((double)behind / (double)all)), f->length);
}

uint64_t scale_stream_remaining(const struct stream_facts *facts)
{
    if (!facts->has_group)
        return facts->length;
    if (facts->has_lag)
        return facts->lag;
    if (facts->last.ms == facts->delivered.ms)
        return at_most(facts->last.sequence > facts->delivered.sequence
                           ? facts->last.sequence - facts->delivered.sequence
                           : 0,
                       facts->length);
    return by_time(facts);
}

uint64_t scale_target(uint64_t remaining, uint32_t divisor)
{
    if (divisor == 0)
        divisor = 1;
    return remaining / divisor + (remaining % divisor != 0);
}

void scale_add(struct scale_samples *samples, uint64_t remaining)
{
    samples->remaining[samples->next] = remaining;
    samples->next = (samples->next + 1) % SCALE_SAMPLES_MAX;
    if (samples->count < SCALE_SAMPLES_MAX)
        samples->count++;
}

int scale_vote(const struct scale_samples *samples, uint32_t instances, uint32_t divisor)
{
    double sum = 0;

    if (samples->count < SCALE_VOTE_SAMPLES)
        return 0;
    for (uint32_t i = 1; i <= SCALE_VOTE_SAMPLES; i++)
        sum +=
            (double)samples->remaining[(samples->next + SCALE_SAMPLES_MAX - i) % SCALE_SAMPLES_MAX];
    double average = sum / SCALE_VOTE_SAMPLES;
    if ((double)instances * divisor < average)
        return 1;
    return instances > 0 && (double)(instances - 1) * divisor > average ? -1 : 0;
}
