/* Processing lists: ours stays ours as long as our heartbeat is fresh; those of the dead go back to
 * their keys.
 *
 *   IDLE --timer--> BEAT --> (next key) --> LOOK --> (next key) --> FIND --> RECOVER (next dead
 * consumer, next key) --> IDLE
 *   any  --stop---> TRIES (the rest of them) --> RETURN --> TRIES (next key) --> OVER
 *
 * LOOK is left out unless there can be strays. */
#include "functions/listener_list.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/sha1.h"
#include "functions/deadletter.h"
#include "functions/list_plain.h"
#include "loop/timer.h"

#define TRIES_PAGE 1000 /* elements in one command */

enum state { IDLE, BEAT, LOOK, FIND, RECOVER, TRIES, RETURN, OVER };

struct list_tender {
    struct list_listener *l;
    enum state state;
    struct timer *timer;
    struct redis_call call;
    size_t source;
    size_t told; /* elements of this source whose tries have been written */
    bool again;
    struct op *register_op, *leave_op;
    struct slice *dead;  /* consumers to empty; owned copies */
    bool *is_known_dead; /* by a heartbeat elsewhere: no need for this one to be old */
    size_t dead_count, dead_at;
};

/* KEYS: consumers. ARGV: consumer. The ZREM is for servers that are full, as the HDEL of
 * fetch_script; so are the HDELs below. */
static const struct script beat_script = {
    .lua = "local now = redis.call('TIME')\n"
           "redis.call('ZREM', KEYS[1], '')\n"
           "redis.call('ZADD', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])\n"
           "return 1\n",
    .plain = list_plain_beat,
};

/* Answers consumer, age in ms, ... */
static const struct script find_script = {
    .lua = "local now = redis.call('TIME')\n"
           "now = now[1] * 1000 + math.floor(now[2] / 1000)\n"
           "local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')\n"
           "for i = 2, #all, 2 do all[i] = tostring(now - all[i]) end\n"
           "return all\n",
    .plain = list_plain_find,
};

/* Moves a dead consumer's elements back to the pop end, counts one delivery for each, dead-letters
 * what has had its share. Checks again that the heartbeat is old, unless the death is known: the
 * consumer may have come back. An element leaves the processing list after it was written
 * elsewhere: a write that is refused (WRONGTYPE) ends a script, and takes nothing back. KEYS:
 * key, its processing list, consumers, tries, dead-letter stream. ARGV: consumer, side, limit of
 * deliveries, how old in ms ("0": known), number of deliveries' place, fixed fields. */
static const struct script recover_script = {
    .lua = "local now = redis.call('TIME')\n"
           "now = now[1] * 1000 + math.floor(now[2] / 1000)\n"
           "local beat = redis.call('ZSCORE', KEYS[3], ARGV[1])\n"
           "if beat and now - beat < tonumber(ARGV[4]) then return {-1, 0} end\n"
           "local limit, moved, dead = tonumber(ARGV[3]), 0, 0\n"
           "redis.call('LLEN', KEYS[1])\n"
           "redis.call('HDEL', KEYS[4], '')\n"
           "while true do\n"
           "  local e = redis.call('LINDEX', KEYS[2], ARGV[2] == '1' and -1 or 0)\n"
           "  if not e then break end\n"
           "  local digest, done = redis.sha1hex(e), nil\n"
           "  local n = redis.call('HINCRBY', KEYS[4], digest, 1)\n"
           "  if limit >= 0 and n >= limit then\n"
           "    local f = {}\n"
           "    for i = 6, #ARGV do f[#f + 1] = ARGV[i] end\n"
           "    f[tonumber(ARGV[5])] = tostring(n)\n"
           "    f[#f + 1] = 'element'\n"
           "    f[#f + 1] = e\n"
           "    done = redis.pcall('XADD', KEYS[5], '*', unpack(f))\n"
           "    dead = dead + 1\n"
           "  else\n"
           "    done = redis.pcall(ARGV[2] == '1' and 'LPUSH' or 'RPUSH', KEYS[1], e)\n"
           "    moved = moved + 1\n"
           "  end\n"
           "  if type(done) == 'table' and done.err then\n"
           "    redis.call('HINCRBY', KEYS[4], digest, -1)\n"
           "    return done\n"
           "  end\n"
           "  redis.call(ARGV[2] == '1' and 'RPOP' or 'LPOP', KEYS[2])\n"
           "  if limit >= 0 and n >= limit then redis.call('HDEL', KEYS[4], digest) end\n"
           "end\n"
           "redis.call('ZREM', KEYS[3], ARGV[1])\n"
           "if moved > 0 then redis.call('EXPIRE', KEYS[4], 604800) end\n"
           "return {moved, dead}\n",
    .plain = list_plain_recover,
};

/* What we give back may wake a waiter of ours that was cut off, so then our name stays, for others
 * to look. KEYS: key, processing list, consumers, tries. ARGV: consumer, side, "1" to keep the
 * name. */
static const struct script return_script = {
    .lua = "local moved = 0\n"
           "redis.call('HDEL', KEYS[4], '')\n"
           "while true do\n"
           "  local e = redis.call('LINDEX', KEYS[2], ARGV[2] == '1' and -1 or 0)\n"
           "  if not e then break end\n"
           "  redis.call(ARGV[2] == '1' and 'LPUSH' or 'RPUSH', KEYS[1], e)\n"
           "  redis.call(ARGV[2] == '1' and 'RPOP' or 'LPOP', KEYS[2])\n"
           "  moved = moved + 1\n"
           "end\n"
           "if moved > 0 then redis.call('EXPIRE', KEYS[4], 604800) end\n"
           "if ARGV[3] ~= '1' then redis.call('ZREM', KEYS[3], ARGV[1]) end\n"
           "return moved\n",
    .plain = list_plain_return,
};

static uint64_t period_ms(const struct list_tender *t)
{
    uint64_t ms = t->l->base.trigger->claim_idle_ms / 3, look_ms = list_look_ms(t->l);

    if (look_ms != 0 && ms > look_ms)
        ms = look_ms;
    return ms < 10 ? 10 : ms;
}

static struct list_source *source_of(struct list_tender *t)
{
    return &t->l->sources[t->source];
}

static void forget_dead(struct list_tender *t)
{
    for (size_t i = 0; i < t->dead_count; i++)
        free((char *)(uintptr_t)t->dead[i].data);
    free(t->dead);
    free(t->is_known_dead);
    t->dead = NULL;
    t->is_known_dead = NULL;
    t->dead_count = t->dead_at = 0;
}

static void keep_dead(struct list_tender *t, const struct resp *root)
{
    const struct host_peers *peers = &t->l->base.options.peers;

    forget_dead(t);
    if (root->type != RESP_ARRAY || root->count < 2)
        return;
    t->dead = mem_new_array(root->count / 2, struct slice);
    t->is_known_dead = mem_new_array(root->count / 2, bool);
    for (uint32_t i = 0; i + 1 < root->count; i += 2) {
        struct slice consumer = resp_child(root, i)->text;
        int64_t age_ms = 0;
        resp_int(resp_child(root, i + 1), &age_ms);
        if (slice_eq(consumer, t->l->consumer))
            continue;
        bool is_known = peers->is_dead != NULL && peers->is_dead(peers->ctx, consumer);
        if (!is_known && age_ms < (int64_t)t->l->base.trigger->claim_idle_ms)
            continue;
        t->is_known_dead[t->dead_count] = is_known;
        t->dead[t->dead_count++] = (struct slice){slice_dup(consumer), consumer.len};
    }
}

static enum err recover_start(struct list_tender *t)
{
    const struct list_source *source = source_of(t);
    const struct function *function = t->l->base.options.dispatcher->function;
    const struct dead_letter letter = {
        .function = function,
        .key = source->key,
        .error = SLICE(
            "it was delivered as often as maxDeliveryCount allows; each time its process ended"),
        .unix_us = clock_unix_us(),
    };
    struct slice args[5 + DEAD_LETTER_FIELDS_MAX];
    char limit[24], age[24], place[24];
    struct buf theirs, text;

    buf_init(&theirs, 1024 * 1024);
    buf_init(&text, 16384);
    own_key(&theirs, source->key, "list", slice_of(function->name), t->dead[t->dead_at]);
    size_t count = dead_letter_fields(&letter, &text, args + 5), at = 0;
    while (at + 1 < count && !slice_eq(args[5 + at], SLICE("deliveries")))
        at += 2;
    uint32_t old_ms = t->is_known_dead[t->dead_at] ? 0 : t->l->base.trigger->claim_idle_ms;
    args[0] = t->dead[t->dead_at];
    args[1] = list_side(t->l);
    args[2] = (struct slice){
        limit, (size_t)snprintf(limit, sizeof limit, "%d", t->l->base.trigger->max_deliveries)};
    args[3] = (struct slice){age, (size_t)snprintf(age, sizeof age, "%u", old_ms)};
    args[4] = (struct slice){place, (size_t)snprintf(place, sizeof place, "%zu", at + 2)};
    const struct slice keys[] = {source->key, buf_slice(&theirs), source->consumers, source->tries,
                                 source->dead};
    enum err err = script_call(t->l->base.commands, &recover_script, keys, COUNT_OF(keys), args,
                               5 + count, &t->call);
    buf_done(&theirs);
    buf_done(&text);
    return err;
}

static void count_moved(struct list_tender *t, const struct resp *root)
{
    struct listener *base = &t->l->base;
    int64_t moved = 0, dead = 0;

    if (root->type != RESP_ARRAY || root->count != 2 || !resp_int(resp_child(root, 0), &moved) ||
        !resp_int(resp_child(root, 1), &dead) || moved + dead <= 0)
        return;
    log_info("ENTRIES-CLAIMED",
             "%s took back %" PRId64 " elements of consumer %.*s, %" PRId64
             " of them to the dead letters",
             base->prefix, moved + dead, SLICE_ARG(t->dead[t->dead_at]), dead);
    for (int64_t i = 0; i < moved; i++)
        listener_count(base->redelivered_series, &base->stats.redelivered);
    for (int64_t i = 0; i < dead; i++)
        listener_count(base->dead_series, &base->stats.dead_lettered);
    t->l->is_drained = false;
    list_turn(t->l);
}

struct number {
    char text[24];
};

/* How often an element that goes back has been delivered without success. */
static uint64_t failures_of(const struct list_entry *e, bool has_ended)
{
    return has_ended ? e->deliveries : e->deliveries - 1;
}

/* Pairs of a digest and a number, behind the first two arguments. */
struct tries {
    struct slice args[2 + 2 * TRIES_PAGE];
    char digests[TRIES_PAGE][SHA1_HEX_BYTES];
    struct number numbers[TRIES_PAGE];
    size_t count;
    size_t skip; /* these were in an earlier page */
};

static void add_failed(const struct list_tender *t, const struct list *entries, bool has_ended,
                       struct tries *tries)
{
    struct list_entry *e;

    list_each (entries, struct list_entry, job.node, e) {
        if (e->job.source != t->source || e->lengths != NULL || failures_of(e, has_ended) == 0)
            continue;
        if (tries->skip > 0) {
            tries->skip--;
            continue;
        }
        if (tries->count == TRIES_PAGE)
            return;
        size_t at = tries->count++;
        char *number = tries->numbers[at].text;
        int len = snprintf(number, sizeof(struct number), "%" PRIu64, failures_of(e, has_ended));
        sha1_hex(buf_slice(&e->element), tries->digests[at]);
        tries->args[2 + 2 * at] = (struct slice){tries->digests[at], SHA1_HEX_BYTES};
        tries->args[3 + 2 * at] = (struct slice){number, (size_t)len};
    }
}

/* HSET tries digest number .. */
static enum err tries_start(struct list_tender *t)
{
    struct tries *tries = mem_new(struct tries);
    enum err err = E_EMPTY;

    tries->skip = t->told;
    tries->args[0] = SLICE("HSET");
    tries->args[1] = source_of(t)->tries;
    add_failed(t, &t->l->failed, true, tries);
    add_failed(t, &t->l->slots.waiting, false, tries);
    t->told += tries->count;
    if (tries->count > 0)
        err = redis_call(t->l->base.commands, tries->args, 2 + 2 * tries->count, &t->call);
    free(tries);
    return err;
}

static enum err return_start(struct list_tender *t)
{
    const struct list_source *source = source_of(t);
    const struct slice keys[] = {source->key, source->processing, source->consumers, source->tries};
    const struct slice args[] = {t->l->consumer, list_side(t->l),
                                 t->l->has_cut_waiter ? SLICE("1") : SLICE("0")};

    return script_call(t->l->base.commands, &return_script, keys, COUNT_OF(keys), args,
                       COUNT_OF(args), &t->call);
}

static enum err idle_start(struct list_tender *t)
{
    forget_dead(t);
    timer_set(t->timer, t->again ? 0 : period_ms(t));
    t->again = false;
    return E_OK;
}

static void end_register(struct list_tender *t, enum err err)
{
    struct op *op = t->register_op;

    t->register_op = NULL;
    if (op == NULL)
        return;
    op->why = t->call.op.why;
    loop_later(t->l->base.options.loop, op, err);
}

static enum err over_start(struct list_tender *t)
{
    struct op *op = t->leave_op;

    t->leave_op = NULL;
    if (op != NULL)
        loop_later(t->l->base.options.loop, op, E_OK);
    return E_OK;
}

static enum state next_source(struct list_tender *t, enum state same, enum state then)
{
    if (++t->source < t->l->source_count)
        return same;
    t->source = 0;
    return then;
}

static enum err beat_start(struct list_tender *t)
{
    return script_call(t->l->base.commands, &beat_script, &source_of(t)->consumers, 1,
                       &t->l->consumer, 1, &t->call);
}

static enum state beat_judge(struct list_tender *t, enum err err)
{
    if (err != E_OK) {
        end_register(t, err);
        return IDLE;
    }
    if (t->source + 1 == t->l->source_count)
        end_register(t, E_OK);
    return next_source(t, BEAT, list_look_ms(t->l) != 0 ? LOOK : FIND);
}

static enum err look_start(struct list_tender *t)
{
    return list_look(source_of(t), &t->call);
}

static enum state look_judge(struct list_tender *t, enum err err)
{
    if (err == E_OK)
        list_looked(source_of(t), t->call.reply->root);
    return next_source(t, LOOK, FIND);
}

static enum err find_start(struct list_tender *t)
{
    return script_call(t->l->base.commands, &find_script, &source_of(t)->consumers, 1, NULL, 0,
                       &t->call);
}

static enum state find_judge(struct list_tender *t, enum err err)
{
    if (err == E_OK)
        keep_dead(t, t->call.reply->root);
    return t->dead_count > 0 ? RECOVER : next_source(t, FIND, IDLE);
}

static enum state recover_judge(struct list_tender *t, enum err err)
{
    if (err == E_OK)
        count_moved(t, t->call.reply->root);
    else if (err == E_REDIS)
        listener_complain(&t->l->base, err, &t->call.op.why);
    if (++t->dead_at < t->dead_count)
        return RECOVER;
    forget_dead(t);
    return next_source(t, FIND, IDLE);
}

static enum state tries_judge(struct list_tender *t, enum err err)
{
    if (err == E_OK && t->told % TRIES_PAGE == 0)
        return TRIES;
    return err == E_OK || err == E_EMPTY || err == E_REDIS ? RETURN : OVER;
}

/* What one key refuses (it became another type) says nothing of the next. */
static enum state return_judge(struct list_tender *t, enum err err)
{
    t->told = 0;
    return err == E_OK || err == E_REDIS ? next_source(t, TRIES, OVER) : OVER;
}

#define TO(state) (1u << (state))
#define LEAVING (TO(TRIES) | TO(OVER)) /* may follow on every state */

/* IDLE waits for the timer and OVER for nothing: no call ends there. */
static const struct step {
    const char *name;
    enum err (*start)(struct list_tender *t);
    enum state (*judge)(struct list_tender *t, enum err err);
    unsigned to;
} steps[] = {
    [IDLE] = {"idle", idle_start, NULL, TO(IDLE) | TO(BEAT)},
    [BEAT] = {"beat", beat_start, beat_judge, TO(BEAT) | TO(LOOK) | TO(FIND) | TO(IDLE)},
    [LOOK] = {"look", look_start, look_judge, TO(LOOK) | TO(FIND)},
    [FIND] = {"find", find_start, find_judge, TO(FIND) | TO(RECOVER) | TO(IDLE)},
    [RECOVER] = {"recover", recover_start, recover_judge, TO(RECOVER) | TO(FIND) | TO(IDLE)},
    [TRIES] = {"tries", tries_start, tries_judge, TO(RETURN)},
    [RETURN] = {"return", return_start, return_judge, 0},
    [OVER] = {"over", over_start, NULL, 0},
};

static void go(struct list_tender *t, enum state next)
{
    if (t->leave_op != NULL && next < TRIES) {
        t->source = 0;
        next =
            t->l->base.trigger->is_reliable && redis_is_ready(t->l->base.commands) ? TRIES : OVER;
    }
    assert((steps[t->state].to | LEAVING) & TO(next));
    log_trace("%s: %s -> %s", t->l->base.prefix, steps[t->state].name, steps[next].name);
    t->state = next;
    enum err err = steps[next].start(t);
    if (err != E_OK)
        loop_later(t->l->base.options.loop, &t->call.op, err);
}

static void on_call_done(struct op *op, enum err err)
{
    struct list_tender *t = container_of(op, struct list_tender, call.op);
    enum state next = steps[t->state].judge(t, err);

    t->call.reply = NULL;
    go(t, next);
}

static void begin_round(struct list_tender *t)
{
    bool is_ready = redis_is_ready(t->l->base.commands);

    if (!is_ready)
        end_register(t, E_CLOSED);
    t->source = 0;
    go(t, is_ready && t->l->base.trigger->is_reliable ? BEAT : IDLE);
}

static void on_timer(void *ctx)
{
    struct list_tender *t = ctx;
    if (t->state == IDLE)
        begin_round(t);
}

struct list_tender *list_tender_new(struct list_listener *l)
{
    struct list_tender *t = mem_new(struct list_tender);

    t->l = l;
    t->state = IDLE;
    t->call.op.done = on_call_done;
    t->timer = timer_new(l->base.options.loop, on_timer, t);
    return t;
}

void list_tender_register(struct list_tender *t, struct op *op)
{
    t->register_op = op;
    if (t->state != IDLE) {
        t->again = true; /* the round after this one answers */
        return;
    }
    timer_clear(t->timer);
    t->source = 0;
    go(t, BEAT);
}

void list_tender_hurry(struct list_tender *t)
{
    if (t->state != IDLE)
        t->again = true;
    else
        timer_set(t->timer, 0);
}

void list_tender_leave(struct list_tender *t, struct op *op)
{
    t->leave_op = op;
    timer_clear(t->timer);
    if (t->state == IDLE)
        go(t, IDLE);
}

void list_tender_free(struct list_tender *t)
{
    forget_dead(t);
    timer_free(t->timer);
    free(t);
}
