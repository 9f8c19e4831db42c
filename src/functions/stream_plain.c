/* What the scripts of streams do, in plain commands; script.h says when, and by which rule nothing
 * is lost. Each program has KEYS, ARGV and answer of the script of its name, and states named after
 * what they await. */
#include "functions/stream_plain.h"

#include <string.h>

/* A command on the stream for the arguments from `first` on. */
static void ask_for_ids(struct plain *p, struct slice command, size_t first)
{
    size_t count = p->arg_count - first;
    struct slice *args = plain_memory(p, count + 2, sizeof *args);

    args[0] = command;
    args[1] = p->keys[0];
    memcpy(args + 2, p->args + first, count * sizeof *args);
    plain_ask(p, args, count + 2);
}

/* --- keep --- */

enum { KEEP_BEGIN, KEEP_OWNERS, KEEP_DONE };

/* XPENDING's row is {id, consumer, idle, deliveries}; none when it was acknowledged. */
static void keep_ours(struct plain *p)
{
    struct slice *args = plain_memory(p, p->arg_count + 4, sizeof *args);
    size_t count = 0;
    int64_t taken = 0;

    args[count++] = SLICE("XCLAIM");
    args[count++] = p->keys[0];
    args[count++] = p->args[0];
    args[count++] = p->args[1];
    args[count++] = SLICE("0");
    for (size_t i = 2; i < p->arg_count; i++) {
        const struct resp *row = resp_child(plain_reply(p, i - 2), 0);
        if (row != NULL && row->count == 4 && slice_eq(row[2].text, p->args[1]))
            args[count++] = p->args[i];
        else if (row != NULL)
            taken++;
    }
    args[count++] = SLICE("JUSTID");
    p->own = plain_memory(p, 1, sizeof taken);
    *(int64_t *)p->own = taken;
    p->state = KEEP_DONE;
    if (count > 6)
        plain_ask(p, args, count);
    else
        plain_end(p, taken);
}

void stream_plain_keep(struct plain *p)
{
    switch (p->state) {
    case KEEP_BEGIN:
        for (size_t i = 2; i < p->arg_count; i++)
            PLAIN_ASK(p, SLICE("XPENDING"), p->keys[0], p->args[0], p->args[i], p->args[i],
                      SLICE("1"));
        p->state = KEEP_OWNERS;
        return;
    case KEEP_OWNERS:
        keep_ours(p);
        return;
    case KEEP_DONE:
        plain_end(p, *(int64_t *)p->own);
    }
}

/* --- acknowledge and delete --- */

enum { DELETE_BEGIN, DELETE_ACK, DELETE_DONE };

void stream_plain_ack_delete(struct plain *p)
{
    switch (p->state) {
    case DELETE_BEGIN:
        ask_for_ids(p, SLICE("XACK"), 0);
        p->state = DELETE_ACK;
        return;
    case DELETE_ACK:
        ask_for_ids(p, SLICE("XDEL"), 1);
        p->state = DELETE_DONE;
        return;
    case DELETE_DONE:
        plain_end(p, 1);
    }
}

/* --- bury --- */

enum { BURY_BEGIN, BURY_ENTRY, BURY_LETTER, BURY_ACK };

static struct slice prefixed(struct plain *p, struct slice name)
{
    char *text = plain_memory(p, name.len + 2, 1);

    text[0] = 'f';
    text[1] = ':';
    if (name.len > 0)
        memcpy(text + 2, name.data, name.len);
    return (struct slice){text, name.len + 2};
}

static void ask_letter(struct plain *p, const struct resp *fields)
{
    size_t fixed = p->arg_count - 3, at = 3;
    struct slice *args = plain_memory(p, fixed + fields->count + 3, sizeof *args);

    args[0] = SLICE("XADD");
    args[1] = p->keys[1];
    args[2] = SLICE("*");
    for (size_t i = 0; i < fixed; i++)
        args[at++] = p->args[3 + i];
    for (uint32_t i = 0; i + 1 < fields->count; i += 2) {
        args[at++] = prefixed(p, fields[1 + i].text);
        args[at++] = fields[2 + i].text;
    }
    plain_ask(p, args, at);
    p->state = BURY_LETTER;
}

static void ask_ack(struct plain *p)
{
    PLAIN_ASK(p, SLICE("XACK"), p->keys[0], p->args[0], p->args[1]);
    if (slice_eq(p->args[2], SLICE("1")))
        PLAIN_ASK(p, SLICE("XDEL"), p->keys[0], p->args[1]);
    p->state = BURY_ACK;
}

/* XRANGE's answer is {{id, {name, value, ..}}}, or empty when the entry was deleted. */
static void bury_entry(struct plain *p)
{
    const struct resp *entries = plain_reply(p, 1);
    if (plain_reply(p, 0)->count == 0) {
        plain_end(p, 0); /* no longer pending, or there is no such group */
        return;
    }
    if (entries->type == RESP_ERROR) {
        plain_end_with(p, entries);
        return;
    }
    const struct resp *entry = resp_child(entries, 0);
    const struct resp *fields = entry == NULL ? NULL : resp_child(entry, 1);

    p->own = plain_memory(p, 1, sizeof(int64_t));
    *(int64_t *)p->own = fields != NULL;
    if (fields != NULL)
        ask_letter(p, fields);
    else
        ask_ack(p);
}

void stream_plain_bury(struct plain *p)
{
    switch (p->state) {
    case BURY_BEGIN:
        PLAIN_ASK(p, SLICE("XPENDING"), p->keys[0], p->args[0], p->args[1], p->args[1], SLICE("1"));
        PLAIN_ASK(p, SLICE("XRANGE"), p->keys[0], p->args[1], p->args[1]);
        p->takes_errors = true;
        p->state = BURY_ENTRY;
        return;
    case BURY_ENTRY:
        bury_entry(p);
        return;
    case BURY_LETTER:
        ask_ack(p);
        return;
    case BURY_ACK:
        plain_end(p, *(int64_t *)p->own);
    }
}

/* --- look: entries that are pending but were deleted --- */

enum { LOOK_BEGIN, LOOK_ENTRIES, LOOK_ACKS };

static void look_entries(struct plain *p)
{
    size_t asked = 0;

    for (size_t i = 1; i < p->arg_count; i++)
        if (plain_reply(p, i - 1)->count == 0) {
            PLAIN_ASK(p, SLICE("XACK"), p->keys[0], p->args[0], p->args[i]);
            asked++;
        }
    p->state = LOOK_ACKS;
    if (asked == 0)
        plain_end(p, 0);
}

void stream_plain_look(struct plain *p)
{
    switch (p->state) {
    case LOOK_BEGIN:
        for (size_t i = 1; i < p->arg_count; i++)
            PLAIN_ASK(p, SLICE("XRANGE"), p->keys[0], p->args[i], p->args[i]);
        p->state = LOOK_ENTRIES;
        return;
    case LOOK_ENTRIES:
        look_entries(p);
        return;
    case LOOK_ACKS:
        plain_end(p, 1);
    }
}
