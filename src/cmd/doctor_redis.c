/* CONNECT --> (needs events) ASK --> ended; the timer ends both. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cmd/doctor.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "redis/client.h"

#define TIMEOUT_MS 3000
#define LOOK_MS 50 /* between looks for trouble */
#define NAME_BYTES_MAX 256

struct visit {
    struct loop *loop;
    struct redis *redis; /* NULL: closed */
    struct op connected;
    struct redis_call call;
    struct timer *timer;
    uint64_t until_ms; /* it must answer until then */
    bool needs_events, is_up;
    struct cause trouble; /* why it is not up; empty = there was no answer at all */
    enum err err;         /* of the question */
    char events[64];      /* what notify-keyspace-events says */
};

static void on_look(void *ctx)
{
    struct visit *visit = ctx;
    const char *trouble = visit->redis == NULL ? NULL : redis_trouble(visit->redis);

    if (visit->redis != NULL && trouble == NULL && clock_now_ms() < visit->until_ms) {
        timer_set(visit->timer, LOOK_MS);
        return;
    }
    if (trouble != NULL)
        (void)cause_set(&visit->trouble, E_CLOSED, "%s", trouble);
    loop_stop(visit->loop);
}

static void on_answer(struct op *op, enum err err)
{
    struct visit *visit = container_of(op, struct visit, call.op);

    visit->err = err;
    if (err == E_OK) {
        const struct resp *value =
            resp_find(visit->call.reply->root, SLICE("notify-keyspace-events"));
        if (value != NULL)
            snprintf(visit->events, sizeof visit->events, "%.*s", SLICE_ARG(value->text));
    }
    loop_stop(visit->loop);
}

static void on_connected(struct op *op, enum err err)
{
    struct visit *visit = container_of(op, struct visit, connected);
    const struct slice args[] = {SLICE("CONFIG"), SLICE("GET"), SLICE("notify-keyspace-events")};

    visit->is_up = err == E_OK;
    if (err == E_OK && visit->needs_events) {
        visit->call.op.done = on_answer;
        visit->err = redis_call(visit->redis, args, COUNT_OF(args), &visit->call);
        if (visit->err == E_OK)
            return;
    }
    loop_stop(visit->loop);
}

static void visit_run(struct visit *visit, struct redis_options *options)
{
    visit->loop = loop_new();
    struct redis_hub *hub = redis_hub_new(visit->loop);
    visit->timer = timer_new(visit->loop, on_look, visit);
    visit->redis = redis_open(hub, options, REDIS_SHARED, "redgrid-doctor");
    visit->connected.done = on_connected;
    redis_ready(visit->redis, &visit->connected);
    visit->until_ms = clock_now_ms() + TIMEOUT_MS;
    timer_set(visit->timer, LOOK_MS);
    loop_run(visit->loop);
    op_abort(&visit->connected);
    redis_close(visit->redis);
    visit->redis = NULL;
    timer_set(visit->timer, 0); /* one more turn, in which what was aborted ends */
    loop_run(visit->loop);
    timer_free(visit->timer);
    redis_hub_free(hub);
    loop_free(visit->loop);
}

static void note_events(struct doctor *doctor, const struct visit *visit, const char *name)
{
    if (visit->err)
        note(doctor, FINDING_HINT, "redis-cli CONFIG SET notify-keyspace-events KEA",
             "%s: cannot tell whether it publishes keyspace events (CONFIG is refused)", name);
    else if (visit->events[0] == '\0')
        note(doctor, FINDING_BAD, "redis-cli CONFIG SET notify-keyspace-events KEA",
             "%s: publishes no keyspace events: notify-keyspace-events is off", name);
    else
        note(doctor, FINDING_OK, NULL, "Redis %s: notify-keyspace-events is %s", name,
             visit->events);
}

void check_redis(struct doctor *doctor, const struct redis_question *question)
{
    struct visit visit = {.needs_events = question->needs_events};
    struct redis_options *options;
    struct cause why = {0};
    char name[NAME_BYTES_MAX];
    enum err err = redis_options_parse(slice_of(question->connection), &options, &why);

    if (err) {
        note(doctor, FINDING_BAD, NULL, "connection of %s: %s", question->functions,
             cause_text(&why, err));
        return;
    }
    redis_options_name(options, name, sizeof name);
    visit_run(&visit, options);
    redis_options_unref(options);
    if (!visit.is_up) {
        note(doctor, FINDING_BAD,
             "start that server, or correct the address, user and password in the app's settings",
             "Redis %s of %s: %s", name, question->functions,
             visit.trouble.text[0] != '\0' ? visit.trouble.text : "no answer");
        return;
    }
    note(doctor, FINDING_OK, NULL, "Redis %s answers (%s)", name, question->functions);
    if (question->needs_events)
        note_events(doctor, &visit, name);
}
