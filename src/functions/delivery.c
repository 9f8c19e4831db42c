#include "functions/delivery.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/rand.h"
#include "functions/retry.h"
#include "loop/loop.h"
#include "loop/timer.h"

/* NEW --> READ --> RUN --> WRITE --> DONE        READ and WRITE only where the function has redis
 * bindings |        |        |
 *          +--------+--------+--try again--> WAIT --> READ or RUN
 *                   +---------gave up------> DONE
 * Stopped anywhere: DONE; a run or a wait is aborted first. */
enum state { NEW, READ, RUN, WRITE, WAIT, DONE };

#define TO(state) (1u << (state))
#define BYSTANDER_RUNS_MAX 10 /* innocent runs are repeated for free, but not for ever */
#define RUN_LINE_MAX_BYTES 2048

static void go(struct delivery *d, enum state next);

static void add_inputs(struct delivery *d)
{
    const struct rpc_named *read = NULL;
    size_t count = d->binding_call == NULL ? 0 : binding_inputs(d->binding_call, &read);
    if (count == 0) {
        d->run.inputs = &d->message.input;
        d->run.input_count = 1;
        return;
    }
    free(d->message.inputs);
    d->message.inputs = mem_new_array(count + 1, struct rpc_named);
    d->message.inputs[0] = d->message.input;
    for (size_t i = 0; i < count; i++)
        d->message.inputs[i + 1] = read[i];
    d->run.inputs = d->message.inputs;
    d->run.input_count = count + 1;
}

static struct log_record run_record(const struct delivery *d, struct buf *text)
{
    return (struct log_record){
        .level = LOG_INFO,
        .category = d->dispatcher->category,
        .function = slice_of(d->dispatcher->function->name),
        .invocation = id_slice(&d->run.id),
        .text = buf_slice(text),
    };
}

static void log_executing(struct delivery *d)
{
    char room[RUN_LINE_MAX_BYTES];
    struct buf line = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    buf_add(&line, SLICE("Executing 'Functions."));
    buf_add(&line, slice_of(d->dispatcher->function->name));
    buf_add(&line, SLICE("' (Reason='"));
    message_add_reason(&d->message, &line);
    buf_add(&line, SLICE("', Id="));
    buf_add(&line, id_slice(&d->run.id));
    buf_add_byte(&line, ')');
    struct log_record record = run_record(d, &line);
    log_write(&record);
}

static void log_executed(struct delivery *d, enum err err, uint64_t took_us)
{
    char room[RUN_LINE_MAX_BYTES];
    struct buf line = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    buf_add(&line, SLICE("Executed 'Functions."));
    buf_add(&line, slice_of(d->dispatcher->function->name));
    buf_add(&line, err == E_OK ? SLICE("' (Succeeded, Id=") : SLICE("' (Failed, Id="));
    buf_add(&line, id_slice(&d->run.id));
    buf_add(&line, SLICE(", Duration="));
    buf_add_u64(&line, took_us / 1000);
    buf_add(&line, SLICE("ms)"));
    struct log_record record = run_record(d, &line);
    record.level = err == E_OK ? LOG_INFO : LOG_ERROR;
    log_write(&record);
    if (err != E_OK) {
        record.id = SLICE("FUNCTION-FAILED");
        record.text = slice_of(d->last_why.text);
        log_write(&record);
    }
}

static void count_attempt(struct dispatcher *dp, enum err err, uint64_t took_us)
{
    struct series *by_result = err == E_OK         ? dp->succeeded_series
                               : err == E_TIMEOUT  ? dp->timeout_series
                               : err == E_CRASHED  ? dp->crashed_series
                               : err == E_CANCELED ? dp->canceled_series
                                                   : dp->failed_series;
    series_add(by_result, 1);
    series_observe(dp->duration_series, (double)took_us / 1e6);
    dp->average_us += ((double)took_us - dp->average_us) / 16;
}

/* One attempt ended, in READ, RUN or WRITE. */
static void end_attempt(struct delivery *d, enum err err, const struct cause *why)
{
    uint64_t took_us = clock_now_us() - d->attempt_began_us;
    if (err != E_OK)
        (void)cause_set(&d->last_why, err, "%s", cause_text(why, err));
    count_attempt(d->dispatcher, err, took_us);
    if (d->dispatcher->logs_runs)
        log_executed(d, err, took_us);
}

static enum state first_step(const struct delivery *d)
{
    return d->binding_call != NULL && binding_set_has_inputs(d->dispatcher->bindings) ? READ : RUN;
}

static void observe_lag(const struct delivery *d)
{
    uint64_t now_ms = d->message.added_unix_ms == 0 ? 0 : clock_unix_ms();
    uint64_t lag_ms = now_ms > d->message.added_unix_ms ? now_ms - d->message.added_unix_ms : 0;

    if (now_ms != 0)
        series_observe(d->dispatcher->lag_series, (double)lag_ms / 1000);
}

static void begin_attempt(struct delivery *d)
{
    d->attempt++;
    d->run.id = id_next();
    d->run.is_bystander = false;
    d->attempt_began_us = clock_now_us();
    if (d->attempt == 1)
        observe_lag(d);
    if (d->dispatcher->logs_runs)
        log_executing(d);
}

static enum state attempt_failed(struct delivery *d, enum err err, const struct cause *why)
{
    struct dispatcher *dp = d->dispatcher;

    end_attempt(d, err, why);
    if (d->has_stopped || dp->is_stopping)
        return DONE;
    if (err == E_CANCELED && d->run.is_bystander && d->bystander_runs++ < BYSTANDER_RUNS_MAX) {
        d->attempt--; /* it was another run's fault */
        return WAIT;
    }
    return !d->is_once && retry_allows(&dp->function->retry, d->attempt) ? WAIT : DONE;
}

static enum err read_start(struct delivery *d)
{
    begin_attempt(d);
    return binding_read(d->binding_call, d->message.metadata, d->message.metadata_count, &d->op);
}

static enum state read_judge(struct delivery *d, enum err err, const struct cause *why)
{
    return err == E_OK ? RUN : attempt_failed(d, err, why);
}

static enum err run_start(struct delivery *d)
{
    const struct retry_policy *retry = &d->dispatcher->function->retry;

    if (first_step(d) == RUN)
        begin_attempt(d);
    add_inputs(d);
    d->run.metadata = d->message.metadata;
    d->run.metadata_count = d->message.metadata_count;
    d->run.has_retry = retry->strategy != RETRY_NONE;
    d->run.retry_count = d->attempt - 1;
    d->run.max_retry_count = retry->max_retries;
    d->run.retry_error = d->attempt > 1 ? slice_of(d->last_why.text) : SLICE_NONE;
    return d->dispatcher->invoker->kind->invoke(d->dispatcher->invoker, &d->run);
}

static enum state run_judge(struct delivery *d, enum err err, const struct cause *why)
{
    if (err != E_OK)
        return attempt_failed(d, err, why);
    if (d->binding_call != NULL && binding_set_has_outputs(d->dispatcher->bindings))
        return WRITE;
    end_attempt(d, E_OK, NULL);
    return DONE;
}

static enum err write_start(struct delivery *d)
{
    return binding_write(d->binding_call, d->run.outputs, d->run.output_count, &d->run.return_value,
                         &d->op);
}

static enum state write_judge(struct delivery *d, enum err err, const struct cause *why)
{
    if (err != E_OK && err != E_EMPTY)
        return attempt_failed(d, err, why);
    end_attempt(d, E_OK, NULL);
    return DONE;
}

static void log_waiting(struct delivery *d, int64_t wait_ms)
{
    char room[RUN_LINE_MAX_BYTES];
    struct buf line = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    buf_add(&line, SLICE("Waiting for `"));
    clock_add_span(&line, wait_ms);
    buf_addf(&line,
             "` before retrying function execution. Next attempt: '%d'. Max retry count: '%d'.",
             d->attempt, d->dispatcher->function->retry.max_retries);
    struct log_record record = run_record(d, &line);
    log_write(&record);
}

static enum err wait_start(struct delivery *d)
{
    struct dispatcher *dp = d->dispatcher;
    int64_t wait_ms = 0;

    if (!d->run.is_bystander) {
        wait_ms = retry_delay_ms(&dp->function->retry, d->attempt, rand_unit());
        dp->retried++;
        series_add(dp->retries_series, 1);
        if (dp->logs_runs)
            log_waiting(d, wait_ms);
    }
    if (d->timer == NULL)
        d->timer = timer_new(dp->loop, NULL, NULL);
    timer_wait(d->timer, (uint64_t)wait_ms, &d->op);
    return E_OK;
}

static enum state wait_judge(struct delivery *d, enum err err, const struct cause *why)
{
    (void)err;
    (void)why;
    if (d->has_stopped || d->dispatcher->is_stopping) {
        d->run.op.why = (struct cause){0};
        return DONE;
    }
    return first_step(d);
}

static const struct step {
    const char *name;
    enum err (*start)(struct delivery *d);
    enum state (*judge)(struct delivery *d, enum err err, const struct cause *why);
    unsigned to; /* all that may follow */
} steps[] = {
    [NEW] = {"new", NULL, NULL, TO(READ) | TO(RUN)},
    [READ] = {"read", read_start, read_judge, TO(RUN) | TO(WAIT) | TO(DONE)},
    [RUN] = {"run", run_start, run_judge, TO(WRITE) | TO(WAIT) | TO(DONE)},
    [WRITE] = {"write", write_start, write_judge, TO(WAIT) | TO(DONE)},
    [WAIT] = {"wait", wait_start, wait_judge, TO(READ) | TO(RUN) | TO(DONE)},
    [DONE] = {"done", NULL, NULL, 0},
};

static void finish(struct delivery *d, enum err err)
{
    struct dispatcher *dp = d->dispatcher;
    struct cause why = d->last_why; /* the listener may free the delivery */

    dp->running--;
    if (err == E_OK)
        dp->succeeded++;
    else if (err != E_CANCELED)
        dp->failed++;
    d->done(d, err, &why);
}

static void go(struct delivery *d, enum state next)
{
    assert(steps[d->state].to & TO(next));
    d->state = (int)next;
    enum err err = steps[next].start(d);
    if (err == E_OK)
        return;
    struct op *op = next == RUN ? &d->run.op : &d->op;
    loop_later(d->dispatcher->loop, op,
               err); /* a start that fails is judged like any failure, one turn later */
}

static void judge(struct delivery *d, struct op *op, enum err err)
{
    enum state next = steps[d->state].judge(d, err, &op->why);
    if (next != DONE) {
        go(d, next);
        return;
    }
    if (d->state == (int)WRITE && err == E_EMPTY)
        err = E_OK; /* the function gave out nothing */
    bool is_unknown = d->state == (int)WAIT ||
                      (err == E_CANCELED && (d->has_stopped || d->dispatcher->is_stopping));
    d->state = (int)DONE;
    finish(d, is_unknown ? E_CANCELED : err);
}

static void on_run_done(struct op *op, enum err err)
{
    judge(container_of(op, struct delivery, run.op), op, err);
}

static void on_op_done(struct op *op, enum err err)
{
    judge(container_of(op, struct delivery, op), op, err);
}

void delivery_start(struct delivery *d)
{
    struct dispatcher *dp = d->dispatcher;

    d->state = (int)NEW;
    d->run.function = dp->function;
    d->run.op.done = on_run_done;
    d->op.done = on_op_done;
    d->attempt = 0;
    d->bystander_runs = 0;
    d->run.is_suspect = false;
    d->run.crash = 0;
    d->has_stopped = false;
    d->last_why.text[0] = '\0';
    if (dp->bindings != NULL && d->binding_call == NULL)
        d->binding_call = binding_call_new(dp->bindings);
    dp->running++;
    go(d, first_step(d));
}

void delivery_stop(struct delivery *d)
{
    d->has_stopped = true;
    op_abort(&d->run.op);
    op_abort(&d->op);
}

bool delivery_is_waiting(const struct delivery *d)
{
    return d->state == (int)WAIT;
}

void delivery_release(struct delivery *d)
{
    binding_call_free(d->binding_call);
    d->binding_call = NULL;
    timer_free(d->timer);
    d->timer = NULL;
    free(d->message.inputs);
    d->message.inputs = NULL;
}

void dispatcher_init(struct dispatcher *dp, struct loop *loop, const struct function *function,
                     struct invoker *invoker, struct metrics *metrics)
{
    const char *app = function->app->name;
    struct buf category;

    *dp = (struct dispatcher){
        .loop = loop, .app = function->app, .function = function, .invoker = invoker};
    buf_init(&category, 256);
    buf_addf(&category, "Function.%s", function->name);
    dp->category.len = category.len;
    dp->category.data = buf_detach(&category);
    dp->logs_runs = app_log_level(function->app, dp->category) <= LOG_INFO && log_is_on(LOG_INFO);

    const struct {
        struct series **series;
        const char *result;
    } results[] = {
        {&dp->succeeded_series, "succeeded"}, {&dp->failed_series, "failed"},
        {&dp->timeout_series, "timeout"},     {&dp->crashed_series, "crashed"},
        {&dp->canceled_series, "canceled"},
    };
    for (size_t i = 0; i < COUNT_OF(results); i++)
        *results[i].series =
            metrics_series(metrics, METRIC_ID_INVOCATIONS,
                           (const char *[]){app, function->name, results[i].result, NULL});
    dp->retries_series =
        metrics_series(metrics, METRIC_ID_RETRIES, (const char *[]){app, function->name, NULL});
    if (function->trigger.type == TRIGGER_STREAM)
        dp->lag_series = metrics_series(metrics, METRIC_ID_LAG_SECONDS,
                                        (const char *[]){app, function->name, NULL});
    dp->duration_series = metrics_series(metrics, METRIC_ID_INVOCATION_SECONDS,
                                         (const char *[]){app, function->name, NULL});
}

void dispatcher_done(struct dispatcher *dp)
{
    assert(dp->running == 0);
    free((char *)(uintptr_t)dp->category.data);
    binding_set_free(dp->bindings);
    *dp = (struct dispatcher){0};
}
