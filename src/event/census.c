#include "event/census.h"

#include "base/buf.h"
#include "event/anchor.h"

#define KEY_MAX_BYTES 8192

/* What is met by one value only counts as often as it is asked for; a beginning or a range is met
 * by more, a bound on one side by half of all values. */
struct weight {
    size_t times, more;
};

static struct weight weight_of(enum filter_operator op)
{
    switch (op) {
    case OP_TEXT_IN:
    case OP_NUMBER_IN:
    case OP_BOOL_EQUALS:
        return (struct weight){2, 0};
    case OP_TEXT_BEGINS:
    case OP_TEXT_ENDS:
        return (struct weight){4, 8};
    case OP_NUMBER_IN_RANGE:
        return (struct weight){8, 32};
    default:
        return (struct weight){1, 64};
    }
}

static bool is_open(enum filter_operator op)
{
    return weight_of(op).times == 1;
}

static void add_decimal(struct buf *out, const struct decimal *number)
{
    buf_add_byte(out, number->is_negative ? '-' : '+');
    buf_add(out, number->digits);
    buf_add_byte(out, 'e');
    buf_add_i64(out, number->exponent);
}

/* All bounds on one side of a key are one. */
static void write_key(struct buf *out, const struct filter_condition *c, size_t i)
{
    buf_clear(out);
    buf_add_u64(out, c->slot);
    buf_add_byte(out, ':');
    if (is_open(c->op)) {
        buf_add_byte(out, '<');
        return;
    }
    buf_add_u64(out, c->op);
    buf_add_byte(out, ':');
    if (c->op == OP_BOOL_EQUALS) {
        buf_add_byte(out, c->flag ? 't' : 'f');
    } else if (c->op == OP_NUMBER_IN) {
        add_decimal(out, &c->numbers[i]);
    } else if (c->op == OP_NUMBER_IN_RANGE) {
        add_decimal(out, &c->numbers[2 * i]);
        add_decimal(out, &c->numbers[2 * i + 1]);
    } else {
        buf_add(out, c->texts[i]);
    }
}

void census_done(struct census *census)
{
    map_done(&census->counts);
}

void census_add(struct census *census, const struct filter *filter)
{
    struct buf key;

    buf_init(&key, KEY_MAX_BYTES);
    for (size_t i = 0; i < filter->condition_count; i++) {
        const struct filter_condition *c = &filter->conditions[i];
        if (anchor_kind_of(c) == ANCHOR_NONE)
            continue;
        for (size_t j = 0; j < c->count; j++) {
            write_key(&key, c, j);
            uintptr_t count = (uintptr_t)map_get(&census->counts, buf_slice(&key));
            (void)map_set(&census->counts, buf_slice(&key), (void *)(count + 1));
        }
    }
    buf_done(&key);
}

/* The more, the more events it lets through. */
static size_t judge(const struct census *census, const struct filter_condition *c, struct buf *key)
{
    struct weight weight = weight_of(c->op);
    size_t sum = 0;

    for (size_t i = 0; i < c->count; i++) {
        write_key(key, c, i);
        sum += weight.times * (size_t)map_get(&census->counts, buf_slice(key)) + weight.more;
    }
    return sum;
}

const struct filter_condition *census_choose(const struct census *census,
                                             const struct filter *filter, size_t operands_max)
{
    const struct filter_condition *best = NULL;
    size_t least = 0;
    struct buf key;

    buf_init(&key, KEY_MAX_BYTES);
    for (size_t i = 0; i < filter->condition_count; i++) {
        const struct filter_condition *c = &filter->conditions[i];
        if (anchor_kind_of(c) == ANCHOR_NONE || c->count > operands_max)
            continue;
        size_t sum = judge(census, c, &key);
        if (best == NULL || sum < least) {
            best = c;
            least = sum;
        }
    }
    buf_done(&key);
    return best;
}
