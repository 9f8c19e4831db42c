/* Entries of one lane, one after the other.
 *
 * The sorted set `order` has a member "lane:id" for each entry that has entered its lane: from the
 * moment at which it is taken until it has left the queue. All scores are 0 and the ids have full
 * width, so the members of a lane stand together, by id, and the first of them is its head. What
 * holds at any time:
 *
 *   - Only the head of a lane is held or parked. So no two nodes ever have entries of one lane, one
 *     that waits for its retry keeps the others back, and what a dead node leaves is at most one
 *     entry of each lane.
 *   - The others are blocked: in the stream and in `order`, nowhere else. They cost nobody memory
 *     but the store, and no place in a window.
 *   - A head leaves by finish or bury, which make the next one due in the same script.
 *
 * That entries enter in the order of their ids is the doing of this script: to read the stream and
 * to enter is one step. Who gets the next one is whoever asks for what is due, most likely the node
 * that finished the one before.
 *
 * What it does not stop is a node that was thought dead, and delivers on: it may repeat a head
 * while others have gone on to the next. */
#include "store/queue_internal.h"

#include <assert.h>

/* Bound the time for which the store does nothing else, and what the script has in memory. */
#define LOOK_MAX 512
#define LOOK_MAX_BYTES (1024 * 1024)

static const char take_script[] = QUEUE_LUA_LANES
    "local there, looked, bytes, most, more = {}, 0, 0, tonumber(ARGV[3]), '" QUEUE_MORE "' "
    "while #there < most and looked < tonumber(ARGV[4]) and bytes < tonumber(ARGV[5]) do "
    "local got = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', most - #there, "
    "'STREAMS', KEYS[1], '>') "
    "if not got then more = '' break end "
    "for _, e in ipairs(got[1][2]) do "
    "looked = looked + 1 "
    "bytes = bytes + #e[2][4] "
    "local mine = place(e) "
    "if mine then redis.call('ZADD', KEYS[5], 0, mine) end "
    "if not mine or first_in(mine) == mine then there[#there + 1] = e "
    "else redis.call('XACK', KEYS[1], ARGV[1], e[1]) end end end "
    "return {more, there, {}}";

enum err queue_take_in_order(struct queue *queue, struct slice node, size_t count,
                             struct redis_call *call)
{
    struct queue_number most, look, bytes;
    const struct slice args[] = {node, queue_number(&most, count), queue_number(&look, LOOK_MAX),
                                 queue_number(&bytes, LOOK_MAX_BYTES)};

    assert(count > 0 && count <= QUEUE_BATCH_MAX);
    return queue_run(queue, take_script, args, COUNT_OF(args), call);
}
