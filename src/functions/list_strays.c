/* Elements that stand in our processing list without our knowing. The server moves an element and
 * then tells us; when the connection breaks in between, the element is ours, nobody runs it, and
 * our heartbeat keeps the others away. So after a lost answer we look at what the list holds.
 *
 * A look races with an answer that is under way on another connection: what we do not know is a
 * stray when the look before has found it too. A server that has not noticed that a connection is
 * gone may serve its last command late, hence the looks go on for as long as one may block. */
#include "functions/listener_list.h"

#include "base/map.h"
#include "functions/list_plain.h"

#define LOOK_MS 1000
#define APART_MS 250  /* an answer that is under way has arrived by then */
#define LATE_MS 60000 /* longer than any command of ours blocks */

/* The newest elements, where strays are: as many as one answer may hold, read in pieces so that a
 * few large ones do not fill the server. KEYS: processing list. ARGV: side. */
static const struct script look_script = {
    .lua = "local head, len, at, k, left, r = ARGV[1] == '1', redis.call('LLEN', KEYS[1]), 0, 1, "
           "2^28, "
           "{}\n"
           "while at < len and left > 0 do\n"
           "  local e = head and redis.call('LRANGE', KEYS[1], -at - k, -at - 1)\n"
           "    or redis.call('LRANGE', KEYS[1], at, at + k - 1)\n"
           "  local bytes = 0\n"
           "  for j = 1, #e do\n"
           "    local v = e[head and #e + 1 - j or j]\n"
           "    bytes = bytes + #v\n"
           "    if bytes > left and #r > 0 then return r end\n"
           "    r[#r + 1] = v\n"
           "  end\n"
           "  at, left = at + #e, left - bytes\n"
           "  k = bytes > 1048576 and 1 or math.min(k * 2, 1000)\n"
           "end\n"
           "return r\n",
    .plain = list_plain_look,
};

/* --- a bag counts elements by their hash --- */

static void bag_add(struct map *bag, struct slice element)
{
    uint64_t hash = slice_hash(element);
    struct slice key = {(const char *)&hash, sizeof hash};

    map_set(bag, key, (void *)((uintptr_t)map_get(bag, key) + 1));
}

static bool bag_take(struct map *bag, struct slice element)
{
    uint64_t hash = slice_hash(element);
    struct slice key = {(const char *)&hash, sizeof hash};
    uintptr_t count = (uintptr_t)map_get(bag, key);

    if (count > 1)
        map_set(bag, key, (void *)(count - 1));
    else if (count == 1)
        map_remove(bag, key);
    return count > 0;
}

/* --- the looks --- */

void list_answer_lost(struct list_listener *l)
{
    if (!l->base.trigger->is_reliable)
        return;
    l->look_until_ms = loop_now_ms(l->base.options.loop) + LATE_MS;
    list_tender_hurry(l->tender);
}

uint64_t list_look_ms(const struct list_listener *l)
{
    return loop_now_ms(l->base.options.loop) < l->look_until_ms ? LOOK_MS : 0;
}

static void fill_held(struct list_listener *l, size_t source, struct map *held)
{
    struct list_entry *e;

    list_each (&l->held, struct list_entry, held, e)
        for (size_t i = 0; e->job.source == source && i < e->job.count; i++)
            bag_add(held, list_entry_element(e, i));
}

enum err list_look(struct list_source *source, struct redis_call *call)
{
    struct slice side = list_side(source->listener);

    return script_call(source->listener->base.commands, &look_script, &source->processing, 1, &side,
                       1, call);
}

void list_looked(struct list_source *source, const struct resp *root)
{
    struct list_listener *l = source->listener;
    struct map held = {0}, unknown = {0};
    uint64_t now = loop_now_ms(l->base.options.loop);
    size_t taken = 0;

    if (root->type != RESP_ARRAY || now < source->looked_at_ms + APART_MS)
        return;
    source->looked_at_ms = now;
    fill_held(l, (size_t)(source - l->sources), &held);
    const struct resp *element = root + 1;
    for (uint32_t i = 0; i < root->count; i++, element += element->span) {
        if (bag_take(&held, element->text))
            continue;
        if (!bag_take(&source->unknown, element->text)) {
            bag_add(&unknown, element->text);
            continue;
        }
        list_take_one(l, (size_t)(source - l->sources), element->text);
        listener_count(l->base.redelivered_series, &l->base.stats.redelivered);
        taken++;
    }
    map_done(&held);
    map_done(&source->unknown);
    source->unknown = unknown;
    if (taken > 0)
        log_info("ENTRIES-FOUND", "%s took up %zu elements whose arrival a lost connection hid",
                 l->base.prefix, taken);
    list_turn(l);
}
