#include "apps/glob.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NO_PLACE SIZE_MAX

/* Does the class that starts at `at` (behind its '[') take the byte? *at becomes what follows it. A
 * class that is never closed ends with the pattern. */
static bool class_takes(struct slice p, size_t *at, unsigned char c)
{
    bool is_negated = *at < p.len && p.data[*at] == '^', takes = false;
    size_t i = *at + (is_negated ? 1 : 0);

    while (i < p.len && p.data[i] != ']') {
        unsigned char low = (unsigned char)p.data[i], high = low;
        if (low == '\\' && i + 1 < p.len) {
            low = high = (unsigned char)p.data[++i];
        } else if (i + 2 < p.len && p.data[i + 1] == '-') {
            high = (unsigned char)p.data[i + 2];
            i += 2;
        }
        takes = takes || (low <= high ? low <= c && c <= high : high <= c && c <= low);
        i++;
    }
    *at = i < p.len ? i + 1 : i;
    return takes != is_negated;
}

/* Does the token at `at`, which is no '*', take the byte? *ret_next is the place of the next. */
static bool token_takes(struct slice p, size_t at, unsigned char c, size_t *ret_next)
{
    unsigned char token = (unsigned char)p.data[at++];
    bool takes = true;

    if (token == '[') {
        takes = class_takes(p, &at, c);
    } else if (token != '?') {
        if (token == '\\' && at < p.len)
            token = (unsigned char)p.data[at++];
        takes = token == c;
    }
    *ret_next = at;
    return takes;
}

bool glob_match(struct slice pattern, struct slice text)
{
    size_t at = 0, i = 0, star = NO_PLACE, star_text = 0, next;

    /* a later '*' makes all choices of the earlier ones irrelevant, so one place to return to is
     * enough */
    while (i < text.len) {
        if (at < pattern.len && pattern.data[at] == '*') {
            star = ++at;
            star_text = i;
        } else if (at < pattern.len &&
                   token_takes(pattern, at, (unsigned char)text.data[i], &next)) {
            at = next;
            i++;
        } else if (star != NO_PLACE) {
            at = star;
            i = ++star_text;
        } else {
            return false;
        }
    }
    while (at < pattern.len && pattern.data[at] == '*')
        at++;
    return at == pattern.len;
}

/* All places where a pattern can stand after some text: one flag for each byte of the pattern and
 * one for its end. */
struct places {
    struct slice pattern;
    bool *now;
    bool *then;
};

/* From before a '*' one may also stand behind it. */
static void spread(struct places *places)
{
    for (size_t i = 0; i < places->pattern.len; i++)
        if (places->now[i] && places->pattern.data[i] == '*')
            places->now[i + 1] = true;
}

static void step(struct places *places, unsigned char c)
{
    size_t next;

    memset(places->then, 0, places->pattern.len + 1);
    for (size_t i = 0; i < places->pattern.len; i++) {
        if (!places->now[i])
            continue;
        if (places->pattern.data[i] == '*')
            places->then[i] = true;
        else if (token_takes(places->pattern, i, c, &next))
            places->then[next] = true;
    }
    bool *old = places->now;
    places->now = places->then;
    places->then = old;
    spread(places);
}

static void step_text(struct places *places, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        step(places, (unsigned char)text.data[i]);
}

/* One digit or more: 16 databases are usual, and longer numbers add no places that two digits of
 * each kind do not reach. */
static void step_number(struct places *places)
{
    size_t size = places->pattern.len + 1;
    bool *start = mem_new_array(size, bool);
    bool *reached = mem_new_array(size, bool);
    bool is_new = true;

    memcpy(start, places->now, size);
    while (is_new) {
        is_new = false;
        for (int digit = '0'; digit <= '9'; digit++) {
            memcpy(places->now, start, size);
            step(places, (unsigned char)digit);
            for (size_t i = 0; i < size; i++) {
                is_new = is_new || (places->now[i] && !reached[i]);
                reached[i] = reached[i] || places->now[i];
            }
        }
        memcpy(start, reached, size);
    }
    memcpy(places->now, reached, size);
    free(start);
    free(reached);
}

static bool can_match(struct slice pattern, struct slice prefix)
{
    struct places places = {pattern, mem_new_array(pattern.len + 1, bool),
                            mem_new_array(pattern.len + 1, bool)};
    bool can = false;

    places.now[0] = true;
    spread(&places);
    step_text(&places, prefix);
    step_number(&places);
    step_text(&places, SLICE("__:"));
    for (size_t i = 0; i <= pattern.len; i++)
        can = can || places.now[i];
    free(places.now);
    free(places.then);
    return can;
}

static bool is_wild(char c)
{
    return c == '*' || c == '?' || c == '[';
}

/* Does everything that matches begin with `prefix`? */
static bool must_begin(struct slice pattern, struct slice prefix)
{
    size_t at = 0;

    for (size_t i = 0; i < prefix.len; i++)
        if (at >= pattern.len || is_wild(pattern.data[at]) ||
            !token_takes(pattern, at, (unsigned char)prefix.data[i], &at))
            return false;
    return true;
}

static bool is_notification(struct slice channel, struct slice prefix)
{
    size_t at = prefix.len;

    if (!slice_has_prefix(channel, prefix))
        return false;
    while (at < channel.len && channel.data[at] >= '0' && channel.data[at] <= '9')
        at++;
    return at > prefix.len && slice_has_prefix(slice_from(channel, at), SLICE("__:"));
}

unsigned channel_kinds(struct slice channel, bool is_pattern)
{
    static const struct {
        struct slice prefix;
        enum channel_kind kind;
    } rows[] = {{SLICE_INIT("__keyspace@"), CHANNEL_KEYSPACE},
                {SLICE_INIT("__keyevent@"), CHANNEL_KEYEVENT}};
    unsigned kinds = 0;
    bool is_ordinary = true;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool can = is_pattern ? can_match(channel, rows[i].prefix)
                              : is_notification(channel, rows[i].prefix);
        if (can)
            kinds |= rows[i].kind;
        if (can && (!is_pattern || must_begin(channel, rows[i].prefix)))
            is_ordinary = false;
    }
    return is_ordinary ? kinds | CHANNEL_ORDINARY : kinds;
}
