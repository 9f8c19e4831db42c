/* IDLE --ask--> ASKING: a call for each queue, the next when one ends --the last has ended--> IDLE
 * The subscriptions are held while they are asked about, so that their queues stay. */
#include "router/survey.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define REST_FACTOR 10

struct probe {
    struct survey *survey;
    struct active *active;
    struct redis_call call;
};

struct survey {
    struct loop *loop;
    struct catalog *catalog;
    struct active **all; /* of the survey under way; counted */
    size_t count, next;  /* asked about so far */
    size_t under_way;    /* probes */
    struct probe probes[SURVEY_CALLS];
    struct list waiting; /* ops, by their nodes */
    struct timer *timer; /* how long they wait */
    uint64_t began_at_ms, fresh_until_ms;
    bool is_stopping;
};

/* ---- asking ---- */

static void end_waits(struct survey *s, enum err err)
{
    struct list ended;
    struct list_node *node;

    timer_clear(s->timer);
    list_move(&ended, &s->waiting); /* who is told may ask again */
    while ((node = list_shift(&ended)) != NULL)
        op_end(container_of(node, struct op, node), err);
}

uint64_t survey_rest_ms(uint64_t took_ms)
{
    uint64_t rest_ms = took_ms * REST_FACTOR;

    if (rest_ms < SURVEY_AGE_MS)
        return SURVEY_AGE_MS;
    return rest_ms < SURVEY_REST_MAX_MS ? rest_ms : SURVEY_REST_MAX_MS;
}

static void end_survey(struct survey *s)
{
    uint64_t now_ms = loop_now_ms(s->loop);

    s->fresh_until_ms = now_ms + survey_rest_ms(now_ms - s->began_at_ms);
    free(s->all);
    s->all = NULL;
    end_waits(s, s->is_stopping ? E_CANCELED : E_OK);
}

static void probe_next(struct probe *probe)
{
    struct survey *s = probe->survey;

    probe->active = s->all[s->next++];
    s->under_way++;
    enum err err = queue_stats(probe->active->queue, &probe->call);
    if (err != E_OK)
        loop_later(s->loop, &probe->call.op, err);
}

static void on_probed(struct op *op, enum err err)
{
    struct probe *probe = container_of(op, struct probe, call.op);
    struct survey *s = probe->survey;

    if (err == E_OK)
        (void)queue_stats_read(probe->call.reply, &probe->active->tally->stats);
    probe->active = active_unref(probe->active);
    s->under_way--;
    while (s->is_stopping && s->next < s->count)
        (void)active_unref(s->all[s->next++]);
    if (s->next < s->count)
        probe_next(probe);
    else if (s->under_way == 0)
        end_survey(s);
}

static size_t count_active(const struct catalog *catalog, struct active **ret)
{
    struct scope *scope;
    struct member *member;
    size_t count = 0;

    for (size_t at = 0; catalog_next_scope(catalog, &at, &scope);)
        list_each (&scope->members, struct member, node, member) {
            if (member->active == NULL)
                continue;
            if (ret != NULL)
                ret[count] = active_ref(member->active);
            count++;
        }
    return count;
}

static void begin_survey(struct survey *s)
{
    s->count = count_active(s->catalog, NULL);
    s->all = mem_new_array(s->count + 1, struct active *);
    (void)count_active(s->catalog, s->all);
    s->next = 0;
    s->began_at_ms = loop_now_ms(s->loop);
    for (size_t i = 0; i < COUNT_OF(s->probes) && s->next < s->count; i++)
        probe_next(&s->probes[i]);
}

static void on_late(void *ctx)
{
    end_waits(ctx, E_OK);
}

/* ---- gauges ---- */

struct survey_row survey_row(const struct member *member)
{
    const struct subscriber *subscriber =
        member->active != NULL ? member->active->subscriber : NULL;
    const struct tally *tally = member->tally;
    uint64_t now_unix_ms = clock_unix_ms();
    struct survey_row row = {.counts = {0}};

    if (tally == NULL)
        return row;
    row.counts = tally->counts;
    row.stats = tally->stats;
    if (row.stats.entries > 0 && row.stats.oldest_unix_ms < now_unix_ms)
        row.oldest_age_ms = now_unix_ms - row.stats.oldest_unix_ms;
    if (subscriber == NULL)
        return row;
    row.in_flight = subscriber_in_flight(subscriber);
    uint64_t now_ms = loop_now_ms(active_loop(member->active));
    if (subscriber_rests_until_ms(subscriber) > now_ms)
        row.rests_for_ms = subscriber_rests_until_ms(subscriber) - now_ms;
    return row;
}

static void each_tally(const struct survey *s, void (*each)(const struct member *member))
{
    struct scope *scope;
    struct member *member;

    for (size_t at = 0; catalog_next_scope(s->catalog, &at, &scope);)
        list_each (&scope->members, struct member, node, member)
            if (member->tally != NULL)
                each(member);
}

static void clear_gauges(const struct member *member)
{
    const struct tally *tally = member->tally;

    series_set(tally->in_flight, 0);
    series_set(tally->rests, 0);
    series_set(tally->depth, 0);
    series_set(tally->oldest, 0);
    series_set(tally->dead_letters, 0);
}

static void add_gauges(const struct member *member)
{
    const struct tally *tally = member->tally;
    const struct survey_row row = survey_row(member);

    series_add(tally->in_flight, (double)row.in_flight);
    series_add(tally->rests, row.rests_for_ms > 0);
    series_add(tally->depth, (double)row.stats.entries);
    series_raise(tally->oldest, (double)row.oldest_age_ms / 1000);
    series_add(tally->dead_letters, (double)row.stats.dead);
}

void survey_set_gauges(struct survey *survey)
{
    each_tally(survey, clear_gauges); /* some share theirs: these have the sum */
    each_tally(survey, add_gauges);
}

/* ---- life ---- */

void survey_ask(struct survey *survey, struct op *op)
{
    struct survey *s = survey;

    if (s->is_stopping || (s->all == NULL && loop_now_ms(s->loop) < s->fresh_until_ms)) {
        loop_later(s->loop, op, s->is_stopping ? E_CANCELED : E_OK);
        return;
    }
    if (s->all == NULL)
        begin_survey(s);
    if (s->under_way == 0) { /* nothing to ask about */
        end_survey(s);
        loop_later(s->loop, op, E_OK);
        return;
    }
    op_begin(op, NULL, s);
    list_push(&s->waiting, &op->node);
    if (!timer_is_set(s->timer))
        timer_set(s->timer, SURVEY_WAIT_MS);
}

struct survey *survey_new(struct loop *loop, struct catalog *catalog)
{
    struct survey *s = mem_new(struct survey);

    s->loop = loop;
    s->catalog = catalog;
    list_init(&s->waiting);
    s->timer = timer_new(loop, on_late, s);
    for (size_t i = 0; i < COUNT_OF(s->probes); i++)
        s->probes[i] = (struct probe){.survey = s, .call.op.done = on_probed};
    return s;
}

void survey_stop(struct survey *survey)
{
    survey->is_stopping = true;
    for (size_t i = 0; i < COUNT_OF(survey->probes); i++)
        if (survey->probes[i].call.op.is_busy)
            op_abort(&survey->probes[i].call.op);
}

void survey_free(struct survey *survey)
{
    if (survey == NULL)
        return;
    assert(survey->under_way == 0);
    timer_free(survey->timer);
    free(survey);
}
