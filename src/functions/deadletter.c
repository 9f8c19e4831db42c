#include "functions/deadletter.h"

#include "base/clock.h"
#include "base/utf8.h"

bool key_tag(struct slice key, struct slice *ret)
{
    size_t open = slice_find_byte(key, '{');

    if (open < key.len) {
        struct slice inner = slice_from(key, open + 1);
        size_t close = slice_find_byte(inner, '}');
        if (close > 0 && close < inner.len) {
            *ret = slice_first(inner, close);
            return true;
        }
    }
    *ret = key;
    return key.len > 0 && slice_find_byte(key, '}') == key.len;
}

static void add_part(struct buf *out, struct slice part)
{
    buf_add_byte(out, ':');
    buf_add(out, part);
}

void own_key(struct buf *out, struct slice key, const char *what, struct slice function,
             struct slice consumer)
{
    struct slice tag;
    bool is_dead = slice_eq(slice_of(what), SLICE("dead"));

    (void)key_tag(key, &tag); /* where it cannot be, we are on one server and any name will do */
    buf_add(out, SLICE("redgrid:{"));
    buf_add(out, tag);
    buf_add_byte(out, '}');
    add_part(out, slice_of(what));
    add_part(out, function);
    if (key.len > tag.len && !is_dead)
        add_part(out, key);
    if (consumer.data != NULL)
        add_part(out, consumer);
}

void dead_letter_key(struct buf *out, const struct function *function, struct slice key)
{
    if (function->trigger.dead_letter_key != NULL)
        buf_add(out, slice_of(function->trigger.dead_letter_key));
    else
        own_key(out, key, "dead", slice_of(function->name), SLICE_NONE);
}

static void add_error(struct buf *text, struct slice error)
{
    bool is_cut = error.len > DEAD_LETTER_ERROR_MAX_BYTES;
    struct slice head = slice_first(error, DEAD_LETTER_ERROR_MAX_BYTES);

    if (utf8_is_valid(error)) { /* then only the cut can have split a character */
        buf_add(text, slice_first(head, is_cut ? utf8_valid_len(head) : head.len));
        return;
    }
    size_t start = text->len;
    utf8_add_repaired(text, head);
    struct slice all = slice_first(slice_from(buf_slice(text), start), DEAD_LETTER_ERROR_MAX_BYTES);
    if (!buf_err(text))
        text->len = start + utf8_valid_len(all); /* each repair made it longer */
}

size_t dead_letter_fields(const struct dead_letter *letter, struct buf *text, struct slice *ret)
{
    size_t count = 0, start = text->len;

    buf_add_u64(text, letter->deliveries);
    size_t error_at = text->len;
    add_error(text, letter->error);
    size_t time_at = text->len;
    clock_add_rfc3339(text, letter->unix_us, 3);
    if (buf_err(text))
        return 0;
    struct slice all = buf_slice(text);
    ret[count++] = SLICE("function");
    ret[count++] = slice_of(letter->function->name);
    ret[count++] = SLICE("key");
    ret[count++] = letter->key;
    if (letter->id.data != NULL) {
        ret[count++] = SLICE("id");
        ret[count++] = letter->id;
    }
    ret[count++] = SLICE("deliveries");
    ret[count++] = slice_from(slice_first(all, error_at), start);
    ret[count++] = SLICE("error");
    ret[count++] = slice_from(slice_first(all, time_at), error_at);
    ret[count++] = SLICE("time");
    ret[count++] = slice_from(all, time_at);
    return count;
}
