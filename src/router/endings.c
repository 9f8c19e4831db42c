#include "router/endings.h"

#include <assert.h>

#include "base/log.h"
#include "loop/timer.h"

#define AGAIN_MS 200

static void send_kind(struct endings *endings, enum ending_kind kind);

static void end_one(struct endings *endings, struct ending *ending)
{
    list_remove(&ending->node);
    endings->owed--;
    endings->told(endings, ending);
}

static void say_refused(struct endings *endings, enum err err, const struct cause *why)
{
    if (err != E_REDIS || endings->is_refused)
        return; /* an outage is told by the client */
    endings->is_refused = true;
    log_error("STORE-REFUSES", "the store does not take what became of deliveries: %s; they wait",
              cause_text(why, err));
}

/* Dead letters are few, and for them it is not told. */
static bool has_freed(const struct endings_call *call, enum ending_kind kind)
{
    int64_t freed;
    return kind == ENDING_BURY ||
           (kind == ENDING_FINISH && resp_int(call->call.reply->root, &freed) && freed > 0);
}

static void on_told(struct op *op, enum err err)
{
    struct endings_call *call = container_of(op, struct endings_call, call.op);
    struct endings *endings = call->endings;
    enum ending_kind kind = (enum ending_kind)(call - endings->calls);
    struct ending *ending;
    struct list told;

    list_move(&told, &call->told);
    if (err != E_OK) {
        say_refused(endings, err, &op->why);
        list_each (&told, struct ending, node, ending) {
            list_remove(&ending->node);
            list_push(&endings->waiting[kind], &ending->node);
        }
        if (endings->is_dropped)
            endings_drop(endings);
        else
            timer_set(endings->timer, AGAIN_MS);
        return;
    }
    endings->is_refused = false;
    endings->has_freed = has_freed(call, kind);
    if (!list_is_empty(&endings->waiting[kind]))
        send_kind(endings, kind);
    list_each (&told, struct ending, node, ending)
        end_one(endings, ending);
}

static enum err send_finish(struct endings *endings, struct endings_call *call)
{
    struct slice ids[QUEUE_BATCH_MAX];
    size_t count = 0;
    struct ending *ending;

    list_each (&call->told, struct ending, node, ending)
        ids[count++] = ending_id(ending);
    return queue_finish(endings->queue, ids, count, &call->call);
}

static enum err send_park(struct endings *endings, struct endings_call *call)
{
    struct queue_parking parkings[QUEUE_BATCH_MAX];
    size_t count = 0;
    struct ending *ending;

    list_each (&call->told, struct ending, node, ending)
        parkings[count++] = (struct queue_parking){
            ending_id(ending), ending->due_unix_ms, {ending->state, ending->state_len}};
    return queue_park(endings->queue, parkings, count, &call->call);
}

static enum err send_bury(struct endings *endings, struct endings_call *call)
{
    const struct ending *ending = container_of(call->told.head.next, struct ending, node);
    return queue_bury(endings->queue, ending_id(ending), ending->fields, ending->field_count,
                      &call->call);
}

static void send_kind(struct endings *endings, enum ending_kind kind)
{
    static const struct {
        enum err (*send)(struct endings *endings, struct endings_call *call);
        size_t most;
    } rows[ENDING_KINDS] = {
        [ENDING_FINISH] = {send_finish, QUEUE_BATCH_MAX},
        [ENDING_PARK] = {send_park, QUEUE_BATCH_MAX},
        [ENDING_BURY] = {send_bury, 1},
    };
    struct endings_call *call = &endings->calls[kind];
    struct ending *ending;
    size_t count = 0;

    if (call->call.op.is_busy || list_is_empty(&endings->waiting[kind]))
        return;
    list_each (&endings->waiting[kind], struct ending, node, ending) {
        if (count++ == rows[kind].most)
            break;
        list_remove(&ending->node);
        list_push(&call->told, &ending->node);
    }
    enum err err = rows[kind].send(endings, call);
    if (err != E_OK)
        loop_later(endings->loop, &call->call.op, err);
}

static void send_all(struct endings *endings)
{
    for (enum ending_kind kind = 0; kind < ENDING_KINDS; kind++)
        send_kind(endings, kind);
}

static void on_turn(struct turn *turn)
{
    struct endings *endings = container_of(turn, struct endings, turn);

    if (!timer_is_set(endings->timer))
        send_all(endings);
}

static void on_timer(void *ctx)
{
    send_all(ctx);
}

void endings_init(struct endings *endings, struct loop *loop, struct queue *queue,
                  void (*told)(struct endings *endings, struct ending *ending))
{
    *endings = (struct endings){.loop = loop, .queue = queue, .told = told, .turn.run = on_turn};
    endings->timer = timer_new(loop, on_timer, endings);
    for (enum ending_kind kind = 0; kind < ENDING_KINDS; kind++) {
        list_init(&endings->waiting[kind]);
        list_init(&endings->calls[kind].told);
        endings->calls[kind].endings = endings;
        endings->calls[kind].call.op.done = on_told;
    }
}

void endings_add(struct endings *endings, struct ending *ending)
{
    list_push(&endings->waiting[ending->kind], &ending->node);
    endings->owed++;
    loop_at_turn_end(endings->loop, &endings->turn);
}

void endings_drop(struct endings *endings)
{
    struct ending *ending;

    endings->is_dropped = true;
    timer_clear(endings->timer);
    for (enum ending_kind kind = 0; kind < ENDING_KINDS; kind++)
        list_each (&endings->waiting[kind], struct ending, node, ending)
            end_one(endings, ending);
}

void endings_done(struct endings *endings)
{
    assert(endings->owed == 0);
    timer_free(endings->timer);
    turn_cancel(&endings->turn);
}
