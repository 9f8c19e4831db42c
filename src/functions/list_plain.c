/* What the scripts for elements do, in plain commands; script.h says when, and by which rule
 * nothing is lost. Each program has KEYS, ARGV and answer of the script of its name, and states
 * named after what they await. */
#include "functions/list_plain.h"

#define LOOK_MAX_BYTES ((size_t)1 << 28)
#define LOOK_LARGE_BYTES (1024 * 1024)
#define LOOK_PAGE_MAX 1000

static const struct resp nil = {.type = RESP_NIL, .span = 1};

bool list_is_head(struct slice side)
{
    return slice_eq(side, SLICE("1"));
}

bool list_can_move(struct plain *p)
{
    if (redis_can(p->redis, REDIS_LMOVE))
        return true;
    plain_fail(p, E_UNSUPPORTED,
               "a list trigger needs scripts (EVAL) or LMOVE (Redis 6.2), and the server has "
               "neither for us; with \"reliable\": false it needs none of them");
    return false;
}

void list_ask_move(struct plain *p, struct slice from, struct slice to, bool from_left)
{
    PLAIN_ASK(p, SLICE("LMOVE"), from, to, from_left ? SLICE("LEFT") : SLICE("RIGHT"),
              from_left ? SLICE("RIGHT") : SLICE("LEFT"));
}

/* --- fetch and pop --- */

struct fetch {
    size_t source, wanted;
    const struct resp **elements;
    size_t count;
};

enum { FETCH_BEGIN, FETCH_LENGTHS, FETCH_MOVES, FETCH_TRIES };

/* Finds the first key that has something; one of the wrong type does not stop the others. The
 * lengths are the last round's replies from `skip` on. */
static struct fetch *pick(struct plain *p, size_t skip, size_t sources)
{
    struct fetch *f = p->own = plain_memory(p, 1, sizeof *f);
    const struct resp *wrong = &nil;
    int64_t limit = plain_int_of_text(p->args[0]);

    for (size_t i = 0; i < sources; i++) {
        const struct resp *len = plain_reply(p, skip + i);
        if (len->type == RESP_ERROR)
            wrong = len;
        if (len->type == RESP_ERROR || plain_int(len) <= 0)
            continue;
        f->source = i;
        f->wanted = (size_t)(plain_int(len) < limit ? plain_int(len) : limit);
        return f;
    }
    plain_end_with(p, wrong);
    return NULL;
}

/* What came of so many moves; an error ends it only if nothing came. */
static bool gather(struct plain *p, struct fetch *f, size_t skip)
{
    const struct resp *wrong = &nil;

    f->elements = plain_memory(p, f->wanted, sizeof(const struct resp *));
    for (size_t i = 0; i < f->wanted; i++) {
        const struct resp *element = plain_reply(p, skip + i);
        if (element->type == RESP_BULK)
            f->elements[f->count++] = element;
        else if (element->type == RESP_ERROR)
            wrong = element;
    }
    if (f->count == 0)
        plain_end_with(p, wrong);
    return f->count > 0;
}

/* {source, {elements}, {tries}, nothing was cut} */
static void end_fetched(struct plain *p, const struct fetch *f, const struct resp *tries)
{
    uint32_t tries_count = tries == NULL ? 0 : tries->count;
    size_t total = 5 + f->count + tries_count;
    struct resp *root = plain_memory(p, total, sizeof *root), *node = root;

    *node = plain_array_node(4);
    node++->span = (uint32_t)total;
    *node++ = plain_int_node((int64_t)f->source);
    *node++ = plain_array_node(f->count);
    for (size_t i = 0; i < f->count; i++)
        *node++ = *f->elements[i];
    *node++ = plain_array_node(tries_count);
    for (uint32_t i = 0; i < tries_count; i++)
        *node++ = *resp_child(tries, i);
    *node = plain_int_node(0);
    plain_end_with(p, root);
}

/* Our name is written before the first move, as the script does, and once more behind the last:
 * who takes us for dead meanwhile removes it, and looks at our list after that. */
static void fetch_moves(struct plain *p)
{
    struct fetch *f = pick(p, 1, p->key_count / 4);

    if (f == NULL)
        return;
    if (plain_reply(p, 0)->type == RESP_ERROR) {
        plain_end_with(p, plain_reply(p, 0));
        return;
    }
    const struct slice *keys = &p->keys[f->source * 4];
    struct slice now = plain_number(p, plain_now_ms(plain_reply(p, 0)));
    PLAIN_ASK(p, SLICE("ZADD"), keys[2], now, p->args[1]);
    for (size_t i = 0; i < f->wanted; i++)
        list_ask_move(p, keys[0], keys[1], list_is_head(p->args[2]));
    PLAIN_ASK(p, SLICE("ZADD"), keys[2], now, p->args[1]);
    PLAIN_ASK(p, SLICE("EXISTS"), keys[3]);
    p->takes_errors = true;
    p->state = FETCH_MOVES;
}

static void fetch_tries(struct plain *p)
{
    struct fetch *f = p->own;

    if (!gather(p, f, 1))
        return;
    if (plain_int(plain_reply(p, f->wanted + 2)) == 0) {
        end_fetched(p, f, NULL);
        return;
    }
    struct slice *args = plain_memory(p, f->count + 2, sizeof *args);
    args[0] = SLICE("HMGET");
    args[1] = p->keys[f->source * 4 + 3];
    for (size_t i = 0; i < f->count; i++)
        args[i + 2] = plain_digest(p, f->elements[i]->text);
    plain_ask(p, args, f->count + 2);
    p->takes_errors = true;
    p->state = FETCH_TRIES;
}

void list_plain_fetch(struct plain *p)
{
    switch (p->state) {
    case FETCH_BEGIN:
        if (!list_can_move(p))
            return;
        PLAIN_ASK(p, SLICE("TIME"));
        for (size_t i = 0; i < p->key_count; i += 4)
            PLAIN_ASK(p, SLICE("LLEN"), p->keys[i]);
        p->takes_errors = true;
        p->state = FETCH_LENGTHS;
        return;
    case FETCH_LENGTHS:
        fetch_moves(p);
        return;
    case FETCH_MOVES:
        fetch_tries(p);
        return;
    case FETCH_TRIES:
        end_fetched(p, p->own, plain_reply(p, 0));
    }
}

static void pop_moves(struct plain *p)
{
    struct fetch *f = pick(p, 0, p->key_count);

    for (size_t i = 0; f != NULL && i < f->wanted; i++)
        PLAIN_ASK(p, list_is_head(p->args[1]) ? SLICE("LPOP") : SLICE("RPOP"), p->keys[f->source]);
    p->takes_errors = true;
    p->state = FETCH_MOVES;
}

void list_plain_pop(struct plain *p)
{
    switch (p->state) {
    case FETCH_BEGIN:
        for (size_t i = 0; i < p->key_count; i++)
            PLAIN_ASK(p, SLICE("LLEN"), p->keys[i]);
        p->takes_errors = true;
        p->state = FETCH_LENGTHS;
        return;
    case FETCH_LENGTHS:
        pop_moves(p);
        return;
    case FETCH_MOVES:
        if (gather(p, p->own, 0))
            end_fetched(p, p->own, NULL);
    }
}

/* --- ack --- */

enum { ACK_BEGIN, ACK_TRIES, ACK_DIGESTS, ACK_REMOVALS };

static struct slice oldest_first(struct slice side)
{
    return list_is_head(side) ? SLICE("1") : SLICE("-1");
}

static void ack_digests(struct plain *p)
{
    struct slice *args = plain_memory(p, p->arg_count + 1, sizeof *args);

    args[0] = SLICE("HDEL");
    args[1] = p->keys[1];
    for (size_t i = 1; i < p->arg_count; i++)
        args[i + 1] = plain_digest(p, p->args[i]);
    plain_ask(p, args, p->arg_count + 1);
    p->state = ACK_DIGESTS;
}

static void ack_removals(struct plain *p)
{
    for (size_t i = 1; i < p->arg_count; i++)
        PLAIN_ASK(p, SLICE("LREM"), p->keys[0], oldest_first(p->args[0]), p->args[i]);
    p->takes_errors = true;
    p->state = ACK_REMOVALS;
}

/* A removal may not be asked for again unless it is certain that none was done. */
static void ack_end(struct plain *p)
{
    int64_t gone = 0;
    const struct resp *wrong = NULL;

    for (size_t i = 1; i < p->arg_count; i++) {
        const struct resp *reply = plain_reply(p, i - 1);
        if (reply->type == RESP_ERROR)
            wrong = reply;
        gone += plain_int(reply);
    }
    if (wrong == NULL)
        plain_end(p, gone);
    else if (gone == 0)
        plain_end_with(p, wrong);
    else
        plain_fail(p, E_CLOSED, "some of the elements could not be removed");
}

void list_plain_ack(struct plain *p)
{
    switch (p->state) {
    case ACK_BEGIN:
        PLAIN_ASK(p, SLICE("EXISTS"), p->keys[1]);
        p->state = ACK_TRIES;
        return;
    case ACK_TRIES:
        if (plain_int(plain_reply(p, 0)) > 0)
            ack_digests(p);
        else
            ack_removals(p);
        return;
    case ACK_DIGESTS:
        ack_removals(p);
        return;
    case ACK_REMOVALS:
        ack_end(p);
    }
}

/* --- bury --- */

enum { BURY_BEGIN, BURY_LETTER, BURY_REMOVAL, BURY_TAKEN_BACK };

struct bury {
    struct slice id;
    const struct resp *removed;
};

/* XADD letters * fields.. element <element>; the fields are args from `first` on. */
struct slice *list_letter(struct plain *p, struct slice letters, size_t first, struct slice element)
{
    size_t fields = p->arg_count - first;
    struct slice *args = plain_memory(p, fields + 5, sizeof *args);

    args[0] = SLICE("XADD");
    args[1] = letters;
    args[2] = SLICE("*");
    for (size_t i = 0; i < fields; i++)
        args[3 + i] = p->args[first + i];
    args[3 + fields] = SLICE("element");
    args[4 + fields] = element;
    return args;
}

/* The letter is taken back when the element could not be removed (it will be buried again), or was
 * not ours any more. */
static void bury_judge(struct plain *p)
{
    struct bury *b = p->own;

    b->removed = plain_reply(p, 0);
    if (plain_int(b->removed) > 0) {
        plain_end(p, 1);
        return;
    }
    PLAIN_ASK(p, SLICE("XDEL"), p->keys[2], b->id);
    p->takes_errors = true;
    p->state = BURY_TAKEN_BACK;
}

void list_plain_bury(struct plain *p)
{
    struct bury *b = p->own;

    switch (p->state) {
    case BURY_BEGIN:
        p->own = plain_memory(p, 1, sizeof *b);
        plain_ask(p, list_letter(p, p->keys[2], 2, p->args[1]), p->arg_count + 3);
        p->state = BURY_LETTER;
        return;
    case BURY_LETTER:
        b->id = plain_reply(p, 0)->text;
        PLAIN_ASK(p, SLICE("LREM"), p->keys[0], oldest_first(p->args[0]), p->args[1]);
        PLAIN_ASK(p, SLICE("HDEL"), p->keys[1], plain_digest(p, p->args[1]));
        p->takes_errors = true;
        p->state = BURY_REMOVAL;
        return;
    case BURY_REMOVAL:
        bury_judge(p);
        return;
    case BURY_TAKEN_BACK:
        plain_end_with(p, b->removed);
    }
}

/* --- look --- */

enum { LOOK_BEGIN, LOOK_PAGE };

struct page {
    const struct resp *elements;
    struct page *older;
};

struct look {
    struct page *pages;
    size_t count, bytes; /* of elements, so far */
    int64_t page;        /* elements asked for */
};

static void end_looked(struct plain *p, const struct look *look)
{
    struct resp *root = plain_memory(p, look->count + 1, sizeof *root), *node = root;

    *node++ = plain_array_node(look->count);
    for (const struct page *page = look->pages; page != NULL; page = page->older)
        for (uint32_t i = 0; i < page->elements->count; i++)
            *node++ = page->elements[1 + i];
    plain_end_with(p, root);
}

/* In pieces, so that a few large ones do not fill the server. Their places count from the oldest:
 * when one goes meanwhile another is not seen, but none is seen twice. */
static void look_on(struct plain *p, struct look *look, size_t bytes)
{
    look->bytes += bytes;
    look->page = bytes > LOOK_LARGE_BYTES         ? 1
                 : look->page * 2 < LOOK_PAGE_MAX ? look->page * 2
                                                  : LOOK_PAGE_MAX;
    bool is_head_popped = list_is_head(p->args[0]);
    int64_t from = (int64_t)look->count, to = from + look->page - 1;
    PLAIN_ASK(p, SLICE("LRANGE"), p->keys[0], plain_number(p, is_head_popped ? from : -to - 1),
              plain_number(p, is_head_popped ? to : -from - 1));
    p->state = LOOK_PAGE;
}

static void look_judge(struct plain *p, struct look *look)
{
    struct page *page = plain_memory(p, 1, sizeof *page);
    size_t bytes = 0;

    *page = (struct page){plain_reply(p, 0), look->pages};
    if (page->elements->type != RESP_ARRAY || page->elements->count == 0 ||
        look->bytes > LOOK_MAX_BYTES) {
        end_looked(p, look);
        return;
    }
    for (uint32_t i = 0; i < page->elements->count; i++)
        bytes += page->elements[1 + i].text.len;
    look->pages = page;
    look->count += page->elements->count;
    look_on(p, look, bytes);
}

void list_plain_look(struct plain *p)
{
    if (p->state == LOOK_PAGE) {
        look_judge(p, p->own);
        return;
    }
    p->own = plain_memory(p, 1, sizeof(struct look));
    look_on(p, p->own, LOOK_LARGE_BYTES + 1); /* one at first */
}
