#include "functions/arrivals.h"

#include <stdlib.h>

#include "loop/loop.h"
#include "loop/timer.h"

#define SITES "/providers/microsoft.web/sites/"
#define FUNCTIONS "/functions/"
#define NAMES_MAX_BYTES 300

/* One attempt. */
struct attempt_run {
    struct arrival arrival; /* its node is in `waiting` while no listener has it */
    struct arrivals *arrivals;
    struct parcel_result *ret;
    struct op *op;     /* the router's */
    uint64_t until_ms; /* how long it may wait; monotonic */
    struct op ending;  /* of what waits no longer, for the next turn */
    enum err result;   /* E_OK: *ret is set */
    bool is_aborted;   /* the router does not want to know any more */
};

struct arrivals {
    struct target target;
    struct arrivals_options options;
    struct list waiting;
    struct turn turn;
    struct timer *timer;
    bool has_ended;
};

/* ---- the id of a function ---- */

/* What stands behind the last `what` (in lower case), in any case; SLICE_NONE if it is nowhere. */
static struct slice behind(struct slice text, struct slice what)
{
    for (size_t at = text.len; at-- > 0;)
        if (slice_has_prefix_nocase(slice_from(text, at), what))
            return slice_from(text, at + what.len);
    return SLICE_NONE;
}

bool function_id_parse(struct slice id, struct slice *ret_app, struct slice *ret_function)
{
    struct slice site = behind(id, SLICE(SITES));
    struct slice function = behind(site, SLICE(FUNCTIONS));

    if (function.len == 0 || slice_find_byte(function, '/') < function.len)
        return false;
    struct slice app = slice_first(site, site.len - function.len - sizeof FUNCTIONS + 1);
    if (app.len == 0 || slice_find_byte(app, '/') < app.len)
        return false;
    *ret_app = app;
    *ret_function = function;
    return true;
}

/* ---- endings ---- */

static void on_ending(struct op *ending, enum err err)
{
    struct attempt_run *run = container_of(ending, struct attempt_run, ending);
    struct op *op = run->op;
    enum err result = run->result;

    (void)err;
    free(run);
    op_end(op, result);
}

/* It is in no list, and no listener has it. */
static void end(struct attempt_run *run, enum err result, enum outcome outcome)
{
    if (result == E_OK)
        *run->ret = (struct parcel_result){.outcome = outcome};
    run->result = result;
    run->ending.done = on_ending;
    loop_later(run->arrivals->options.loop, &run->ending, E_OK);
}

static void on_abort(struct op *op)
{
    struct attempt_run *run = op->runner;

    op->abort = NULL;
    run->is_aborted = true;
    if (run->arrival.listener != NULL) {
        event_listener_drop(&run->arrival);
    } else if (list_holds(&run->arrival.node)) {
        list_remove(&run->arrival.node);
        end(run, E_CANCELED, OUTCOME_ABORTED);
    }
}

static void await_place(struct attempt_run *run)
{
    struct arrivals *arrivals = run->arrivals;

    run->until_ms = loop_now_ms(arrivals->options.loop) + arrivals->options.patience_ms;
    list_push(&arrivals->waiting, &run->arrival.node);
    arrivals_look(arrivals);
}

static void on_arrival_ended(struct arrival *arrival, enum err err, const struct cause *why)
{
    struct attempt_run *run = container_of(arrival, struct attempt_run, arrival);

    if (err == E_CANCELED && !run->is_aborted) {
        await_place(run); /* its app stopped before it could run */
        return;
    }
    if (err != E_OK && err != E_CANCELED)
        run->op->why = *why;
    end(run, err == E_CANCELED ? E_CANCELED : E_OK,
        err == E_OK        ? OUTCOME_DELIVERED
        : err == E_TIMEOUT ? OUTCOME_TIMED_OUT
                           : OUTCOME_OTHER);
}

/* ---- placing ---- */

static enum arrival_place find(const struct arrivals *arrivals, const struct subscription *sub,
                               struct listener **ret)
{
    struct slice app, function;

    if (!function_id_parse(slice_of(sub->destination.resource_id), &app, &function))
        return ARRIVAL_NOWHERE;
    return arrivals->options.find(arrivals->options.ctx, app, function, ret);
}

static void set_timer(struct arrivals *arrivals)
{
    uint64_t now_ms = loop_now_ms(arrivals->options.loop), first_ms = UINT64_MAX;
    struct arrival *arrival;

    list_each (&arrivals->waiting, struct arrival, node, arrival) {
        const struct attempt_run *run = container_of(arrival, struct attempt_run, arrival);
        first_ms = run->until_ms < first_ms ? run->until_ms : first_ms;
    }
    if (first_ms == UINT64_MAX)
        timer_clear(arrivals->timer);
    else
        timer_set(arrivals->timer, first_ms > now_ms ? first_ms - now_ms : 0);
}

static void place(struct arrivals *arrivals, struct attempt_run *run)
{
    struct listener *listener = NULL;

    if (arrivals->has_ended) {
        end(run, E_CANCELED, OUTCOME_ABORTED);
        return;
    }
    switch (find(arrivals, run->arrival.parcel->subscription, &listener)) {
    case ARRIVAL_NOW:
        event_listener_take(listener, &run->arrival);
        break;
    case ARRIVAL_LATER:
        if (loop_now_ms(arrivals->options.loop) < run->until_ms)
            list_push(&arrivals->waiting, &run->arrival.node);
        else
            end(run, E_OK, OUTCOME_BUSY);
        break;
    case ARRIVAL_NOWHERE:
    case ARRIVAL_UNFIT:
        end(run, E_OK, OUTCOME_NO_FUNCTION);
        break;
    }
}

static void on_turn(struct turn *turn)
{
    struct arrivals *arrivals = container_of(turn, struct arrivals, turn);
    struct list_node *node;
    struct list all;

    list_move(&all, &arrivals->waiting);
    while ((node = list_shift(&all)) != NULL)
        place(arrivals, container_of(node, struct attempt_run, arrival.node));
    set_timer(arrivals);
}

static void on_timer(void *ctx)
{
    arrivals_look(ctx);
}

static enum err deliver(struct target *target, const struct parcel *parcel,
                        struct parcel_result *ret, struct op *op)
{
    struct arrivals *arrivals = container_of(target, struct arrivals, target);
    struct attempt_run *run = mem_new(struct attempt_run);

    op_begin(op, on_abort, run);
    run->arrival.parcel = parcel;
    run->arrival.ended = on_arrival_ended;
    run->arrivals = arrivals;
    run->ret = ret;
    run->op = op;
    await_place(run);
    return E_OK;
}

static enum err check(struct target *target, const struct subscription *subscription,
                      struct cause *why)
{
    const struct arrivals *arrivals = container_of(target, struct arrivals, target);
    struct slice app, function;
    struct listener *listener;
    struct buf names;

    if (!function_id_parse(slice_of(subscription->destination.resource_id), &app, &function))
        return cause_set(why, E_BAD_INPUT,
                         "destination.properties.resourceId: is not the id of a function: "
                         "/subscriptions/../providers/Microsoft.Web/sites/APP/functions/NAME");
    if (find(arrivals, subscription, &listener) != ARRIVAL_NOWHERE)
        return E_OK;
    buf_init(&names, NAMES_MAX_BYTES);
    arrivals->options.write_names(arrivals->options.ctx, &names);
    enum err err =
        cause_set(why, E_BAD_INPUT,
                  "destination.properties.resourceId: there is no function '%.*s' with an "
                  "eventGridTrigger in an app '%.*s'; there is %s",
                  SLICE_ARG(slice_first(function, 64)), SLICE_ARG(slice_first(app, 64)),
                  names.len > 0 ? buf_text(&names) : "none at all: start redgrid with --app DIR");
    buf_done(&names);
    return err;
}

/* ---- life ---- */

struct arrivals *arrivals_new(const struct arrivals_options *options)
{
    struct arrivals *arrivals = mem_new(struct arrivals);

    arrivals->options = *options;
    if (options->patience_ms == 0)
        arrivals->options.patience_ms = ARRIVALS_PATIENCE_MS;
    arrivals->target = (struct target){.deliver = deliver, .check = check};
    arrivals->turn.run = on_turn;
    arrivals->timer = timer_new(options->loop, on_timer, arrivals);
    list_init(&arrivals->waiting);
    return arrivals;
}

struct target *arrivals_target(struct arrivals *arrivals)
{
    return &arrivals->target;
}

void arrivals_look(struct arrivals *arrivals)
{
    loop_at_turn_end(arrivals->options.loop, &arrivals->turn);
}

void arrivals_end(struct arrivals *arrivals)
{
    arrivals->has_ended = true;
    arrivals_look(arrivals);
}

void arrivals_free(struct arrivals *arrivals)
{
    if (arrivals == NULL)
        return;
    turn_cancel(&arrivals->turn);
    timer_free(arrivals->timer);
    free(arrivals);
}
