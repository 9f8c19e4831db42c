/* What the scripts of the tender do, in plain commands; script.h says when, and by which rule
 * nothing is lost. Each program has KEYS, ARGV and answer of the script of its name, and states
 * named after what they await. */
#include "functions/list_plain.h"

#define MOVES_MAX 1000 /* in one round */
#define TRIES_KEPT_S SLICE("604800")

/* A score is a text in RESP2 and a double in RESP3, which keeps its text. */
static int64_t ms_of_score(const struct resp *score)
{
    double ms = 0;

    return slice_to_f64(score->text, &ms) ? (int64_t)ms : 0;
}

/* --- beat and find --- */

enum { BEAT_BEGIN, BEAT_TIME, BEAT_WRITTEN };

void list_plain_beat(struct plain *p)
{
    switch (p->state) {
    case BEAT_BEGIN:
        PLAIN_ASK(p, SLICE("TIME"));
        p->state = BEAT_TIME;
        return;
    case BEAT_TIME:
        PLAIN_ASK(p, SLICE("ZADD"), p->keys[0], plain_number(p, plain_now_ms(plain_reply(p, 0))),
                  p->args[0]);
        p->state = BEAT_WRITTEN;
        return;
    case BEAT_WRITTEN:
        plain_end(p, 1);
    }
}

enum { FIND_BEGIN, FIND_NAMES };

/* Members and scores: a flat array before RESP3, then pairs. */
static void end_found(struct plain *p, int64_t now_ms, const struct resp *all)
{
    bool is_flat = all->count > 0 && all[1].type != RESP_ARRAY;
    uint32_t count = is_flat ? all->count / 2 : all->count;
    struct resp *root = plain_memory(p, count * 2 + 1, sizeof *root);

    root[0] = plain_array_node(count * 2);
    for (uint32_t i = 0; i < count; i++) {
        const struct resp *name = is_flat ? &all[1 + 2 * i] : &all[2 + 3 * i];
        root[1 + 2 * i] = name[0];
        root[2 + 2 * i] = plain_int_node(now_ms - ms_of_score(&name[1]));
    }
    plain_end_with(p, root);
}

void list_plain_find(struct plain *p)
{
    if (p->state == FIND_NAMES) {
        end_found(p, plain_now_ms(plain_reply(p, 0)), plain_reply(p, 1));
        return;
    }
    PLAIN_ASK(p, SLICE("TIME"));
    PLAIN_ASK(p, SLICE("ZRANGE"), p->keys[0], SLICE("0"), SLICE("-1"), SLICE("WITHSCORES"));
    p->state = FIND_NAMES;
}

/* --- recover: one element after the other, the newest first ---
 *
 * HEARTBEAT --> NEWEST --> TRIES --> MOVED ---------------> NEWEST ...
 *                  |          +----> LETTER --> REMOVED --> NEWEST ...
 *                  +-none--> FORGOTTEN --(it came back)--> REMEMBERED
 * A move or a letter that is refused: UNCOUNTED, and the error. */

enum {
    RECOVER_BEGIN,
    RECOVER_HEARTBEAT,
    RECOVER_NEWEST,
    RECOVER_TRIES,
    RECOVER_MOVED,
    RECOVER_LETTER,
    RECOVER_REMOVED,
    RECOVER_TAKEN_BACK,
    RECOVER_UNCOUNTED,
    RECOVER_FORGOTTEN,
    RECOVER_REMEMBERED,
};

struct recover {
    struct slice element, digest, letter;
    int64_t moved, dead;
    const struct resp *wrong;
};

static void end_recovered(struct plain *p, int64_t moved, int64_t dead)
{
    struct resp *root = plain_memory(p, 3, sizeof *root);

    root[0] = plain_array_node(2);
    root[1] = plain_int_node(moved);
    root[2] = plain_int_node(dead);
    plain_end_with(p, root);
}

static void ask_newest(struct plain *p)
{
    plain_forget(p);
    PLAIN_ASK(p, SLICE("LLEN"), p->keys[0]); /* of the wrong type: nothing is counted for it */
    PLAIN_ASK(p, SLICE("LINDEX"), p->keys[1], list_is_head(p->args[1]) ? SLICE("-1") : SLICE("0"));
    p->state = RECOVER_NEWEST;
}

static void recover_heartbeat(struct plain *p)
{
    const struct resp *beat = plain_reply(p, 1);
    int64_t age_ms = plain_now_ms(plain_reply(p, 0)) - ms_of_score(beat);

    if (beat->type != RESP_NIL && age_ms < plain_int_of_text(p->args[3]))
        end_recovered(p, -1, 0);
    else
        ask_newest(p);
}

/* It is empty: the name goes, and then we look once more. Whoever comes back writes the name before
 * and after it moves something, so one of us has it stand there. */
static void recover_newest(struct plain *p, struct recover *r)
{
    const struct resp *newest = plain_reply(p, 1);

    if (newest->type != RESP_NIL) {
        r->element = newest->text;
        r->digest = plain_digest(p, newest->text);
        PLAIN_ASK(p, SLICE("HINCRBY"), p->keys[3], r->digest, SLICE("1"));
        p->state = RECOVER_TRIES;
        return;
    }
    PLAIN_ASK(p, SLICE("ZREM"), p->keys[2], p->args[0]);
    PLAIN_ASK(p, SLICE("LLEN"), p->keys[1]);
    if (r->moved > 0)
        PLAIN_ASK(p, SLICE("EXPIRE"), p->keys[3], TRIES_KEPT_S);
    p->state = RECOVER_FORGOTTEN;
}

static void recover_tries(struct plain *p, const struct recover *r)
{
    int64_t tries = plain_int(plain_reply(p, 0)), limit = plain_int_of_text(p->args[2]);

    p->takes_errors = true;
    if (limit < 0 || tries < limit) {
        list_ask_move(p, p->keys[1], p->keys[0], !list_is_head(p->args[1]));
        p->state = RECOVER_MOVED;
        return;
    }
    struct slice *args = list_letter(p, p->keys[4], 5, r->element);
    args[2 + plain_int_of_text(p->args[4])] = plain_number(p, tries);
    plain_ask(p, args, p->arg_count);
    p->state = RECOVER_LETTER;
}

static void recover_uncount(struct plain *p, struct recover *r, const struct resp *wrong)
{
    r->wrong = wrong;
    PLAIN_ASK(p, SLICE("HINCRBY"), p->keys[3], r->digest, SLICE("-1"));
    p->takes_errors = true;
    p->state = RECOVER_UNCOUNTED;
}

/* Nil: another node was quicker. */
static void recover_moved(struct plain *p, struct recover *r)
{
    const struct resp *moved = plain_reply(p, 0);

    if (moved->type == RESP_ERROR) {
        recover_uncount(p, r, moved);
        return;
    }
    r->moved += moved->type != RESP_NIL;
    ask_newest(p);
}

static void recover_letter(struct plain *p, struct recover *r)
{
    const struct resp *id = plain_reply(p, 0);

    if (id->type == RESP_ERROR) {
        recover_uncount(p, r, id);
        return;
    }
    r->letter = id->text;
    PLAIN_ASK(p, SLICE("LREM"), p->keys[1], list_is_head(p->args[1]) ? SLICE("-1") : SLICE("1"),
              r->element);
    PLAIN_ASK(p, SLICE("HDEL"), p->keys[3], r->digest);
    p->takes_errors = true;
    p->state = RECOVER_REMOVED;
}

static void recover_removed(struct plain *p, struct recover *r)
{
    const struct resp *removed = plain_reply(p, 0);

    if (plain_int(removed) > 0) {
        r->dead++;
        ask_newest(p);
        return;
    }
    r->wrong = removed->type == RESP_ERROR ? removed : NULL; /* else another node was quicker */
    PLAIN_ASK(p, SLICE("XDEL"), p->keys[4], r->letter);
    p->takes_errors = true;
    p->state = RECOVER_TAKEN_BACK;
}

static void recover_taken_back(struct plain *p, const struct recover *r)
{
    if (r->wrong != NULL)
        plain_end_with(p, r->wrong);
    else
        ask_newest(p);
}

static void recover_forgotten(struct plain *p, const struct recover *r)
{
    if (plain_int(plain_reply(p, 1)) == 0) {
        end_recovered(p, r->moved, r->dead);
        return;
    }
    PLAIN_ASK(p, SLICE("ZADD"), p->keys[2], SLICE("NX"), SLICE("0"), p->args[0]);
    p->state = RECOVER_REMEMBERED;
}

static void recover_begin(struct plain *p)
{
    if (!list_can_move(p))
        return;
    p->own = plain_memory(p, 1, sizeof(struct recover));
    PLAIN_ASK(p, SLICE("TIME"));
    PLAIN_ASK(p, SLICE("ZSCORE"), p->keys[2], p->args[0]);
    p->state = RECOVER_HEARTBEAT;
}

void list_plain_recover(struct plain *p)
{
    struct recover *r = p->own;

    switch (p->state) {
    case RECOVER_BEGIN:
        recover_begin(p);
        return;
    case RECOVER_HEARTBEAT:
        recover_heartbeat(p);
        return;
    case RECOVER_NEWEST:
        recover_newest(p, r);
        return;
    case RECOVER_TRIES:
        recover_tries(p, r);
        return;
    case RECOVER_MOVED:
        recover_moved(p, r);
        return;
    case RECOVER_LETTER:
        recover_letter(p, r);
        return;
    case RECOVER_REMOVED:
        recover_removed(p, r);
        return;
    case RECOVER_TAKEN_BACK:
        recover_taken_back(p, r);
        return;
    case RECOVER_UNCOUNTED:
        plain_end_with(p, r->wrong);
        return;
    case RECOVER_FORGOTTEN:
        recover_forgotten(p, r);
        return;
    case RECOVER_REMEMBERED:
        end_recovered(p, r->moved, r->dead);
    }
}

/* --- return --- */

enum { RETURN_BEGIN, RETURN_LENGTH, RETURN_MOVES, RETURN_LEFT };

static void ask_length(struct plain *p)
{
    PLAIN_ASK(p, SLICE("LLEN"), p->keys[1]);
    p->state = RETURN_LENGTH;
}

static void return_length(struct plain *p)
{
    int64_t left = plain_int(plain_reply(p, 0));

    for (int64_t i = 0; i < left && i < MOVES_MAX; i++)
        list_ask_move(p, p->keys[1], p->keys[0], !list_is_head(p->args[1]));
    p->state = RETURN_MOVES;
    if (left > 0)
        return;
    PLAIN_ASK(p, SLICE("EXPIRE"), p->keys[3], TRIES_KEPT_S);
    if (!slice_eq(p->args[2], SLICE("1")))
        PLAIN_ASK(p, SLICE("ZREM"), p->keys[2], p->args[0]);
    p->state = RETURN_LEFT;
}

void list_plain_return(struct plain *p)
{
    switch (p->state) {
    case RETURN_BEGIN:
        if (list_can_move(p))
            ask_length(p);
        return;
    case RETURN_LENGTH:
        return_length(p);
        return;
    case RETURN_MOVES:
        plain_forget(p);
        ask_length(p);
        return;
    case RETURN_LEFT:
        plain_end(p, 0);
    }
}
