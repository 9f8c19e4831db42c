#include "router/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define LABELS_MAX 4

struct kind {
    struct list_node node;
    char *name;
    struct series *series;
};

static void kinds_init(struct kinds *kinds, enum metric_id id)
{
    kinds->id = id;
    list_init(&kinds->all);
}

/* `labels` without the last one, ended by NULL. */
static void count_kind(struct tallies *tallies, struct kinds *kinds, const char *const *labels,
                       const char *name, uint64_t count)
{
    const char *all[LABELS_MAX + 1] = {NULL};
    struct kind *kind;
    size_t at = 0;

    list_each (&kinds->all, struct kind, node, kind)
        if (strcmp(kind->name, name) == 0) {
            series_add(kind->series, (double)count);
            return;
        }
    for (; labels[at] != NULL; at++)
        all[at] = labels[at];
    all[at] = name;
    kind = mem_new(struct kind);
    kind->name = slice_dup(slice_of(name));
    kind->series = metrics_series(tallies->metrics, kinds->id, all);
    list_push(&kinds->all, &kind->node);
    series_add(kind->series, (double)count);
}

static void kinds_done(struct tallies *tallies, struct kinds *kinds)
{
    struct kind *kind;

    list_each (&kinds->all, struct kind, node, kind) {
        list_remove(&kind->node);
        metrics_release(tallies->metrics, kind->series);
        free(kind->name);
        free(kind);
    }
}

static void tell(const struct tallies *tallies, const struct sighting *sighting)
{
    tallies->watch.see(tallies->watch.ctx, sighting);
}

/* ---- topics ---- */

struct topic_tally *topic_tally_new(struct tallies *tallies, const char *topic)
{
    struct topic_tally *tally = mem_new(struct topic_tally);
    const char *const labels[] = {topic, NULL};

    tally->refs = 1;
    tally->tallies = tallies;
    tally->topic = slice_dup(slice_of(topic));
    kinds_init(&tally->refused, METRIC_ID_PUBLISH_REFUSED);
    if (topic[0] == '\0')
        return tally; /* nothing is published there */
    tally->published = metrics_series(tallies->metrics, METRIC_ID_EVENTS_PUBLISHED, labels);
    tally->matched = metrics_series(tallies->metrics, METRIC_ID_EVENTS_MATCHED, labels);
    tally->unmatched = metrics_series(tallies->metrics, METRIC_ID_EVENTS_UNMATCHED, labels);
    return tally;
}

struct topic_tally *topic_tally_ref(struct topic_tally *tally)
{
    tally->refs++;
    return tally;
}

struct topic_tally *topic_tally_unref(struct topic_tally *tally)
{
    if (tally == NULL || --tally->refs > 0)
        return NULL;
    metrics_release(tally->tallies->metrics, tally->published);
    metrics_release(tally->tallies->metrics, tally->matched);
    metrics_release(tally->tallies->metrics, tally->unmatched);
    kinds_done(tally->tallies, &tally->refused);
    free(tally->topic);
    free(tally);
    return NULL;
}

void topic_tally_published(struct topic_tally *tally, const struct published *published)
{
    const struct event_batch *batch = published->batch;

    tally->counts.published += batch->count;
    tally->counts.matched += published->matched;
    tally->counts.unmatched += published->unmatched;
    series_add(tally->published, (double)batch->count);
    series_add(tally->matched, (double)published->matched);
    series_add(tally->unmatched, (double)published->unmatched);
    if (tally->tallies->watch.see == NULL || published->wanted == NULL)
        return;
    for (size_t i = 0; i < batch->count; i++)
        tell(tally->tallies, &(struct sighting){.sight = SIGHT_PUBLISHED,
                                                .topic = tally->topic,
                                                .event = batch->events[i],
                                                .count = published->wanted[i]});
}

void topic_tally_refused(struct topic_tally *tally, const struct refusal *why)
{
    const char *labels[] = {tally->topic, NULL};

    tally->counts.refused++;
    count_kind(tally->tallies, &tally->refused, labels, refusal_reason(why), 1);
    if (tally->tallies->watch.see != NULL)
        tell(tally->tallies, &(struct sighting){.sight = SIGHT_REFUSED,
                                                .topic = tally->topic,
                                                .reason = refusal_reason(why)});
}

/* ---- subscriptions ---- */

/* The series that a subscription always has, and where. */
static const struct row {
    enum metric_id id;
    size_t at;
} rows[] = {
    {METRIC_ID_EVENTS_QUEUED, offsetof(struct tally, queued)},
    {METRIC_ID_EVENTS_DELIVERED, offsetof(struct tally, delivered)},
    {METRIC_ID_EVENTS_RETRIED, offsetof(struct tally, retried)},
    {METRIC_ID_EVENTS_DROPPED, offsetof(struct tally, dropped)},
    {METRIC_ID_EVENT_SECONDS, offsetof(struct tally, seconds)},
    {METRIC_ID_EVENTS_IN_FLIGHT, offsetof(struct tally, in_flight)},
    {METRIC_ID_ENDPOINT_RESTS, offsetof(struct tally, rests)},
    {METRIC_ID_QUEUE_EVENTS, offsetof(struct tally, depth)},
    {METRIC_ID_QUEUE_OLDEST_SECONDS, offsetof(struct tally, oldest)},
    {METRIC_ID_DEAD_LETTERS, offsetof(struct tally, dead_letters)},
};

static struct series **series_at(struct tally *tally, const struct row *row)
{
    return (struct series **)(void *)((char *)tally + row->at);
}

struct tally *tally_new(struct tallies *tallies, const char *topic, const char *subscription)
{
    struct tally *tally = mem_new(struct tally);
    const char *const labels[] = {topic, subscription, NULL};

    tally->refs = 1;
    tally->tallies = tallies;
    tally->topic = slice_dup(slice_of(topic));
    tally->subscription = slice_dup(slice_of(subscription));
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        *series_at(tally, &rows[i]) = metrics_series(tallies->metrics, rows[i].id, labels);
    kinds_init(&tally->failed, METRIC_ID_EVENT_ATTEMPTS_FAILED);
    kinds_init(&tally->dead, METRIC_ID_EVENTS_DEAD);
    kinds_init(&tally->pulled, METRIC_ID_EVENTS_PULLED);
    return tally;
}

struct tally *tally_ref(struct tally *tally)
{
    tally->refs++;
    return tally;
}

struct tally *tally_unref(struct tally *tally)
{
    if (tally == NULL || --tally->refs > 0)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        metrics_release(tally->tallies->metrics, *series_at(tally, &rows[i]));
    kinds_done(tally->tallies, &tally->failed);
    kinds_done(tally->tallies, &tally->dead);
    kinds_done(tally->tallies, &tally->pulled);
    free(tally->topic);
    free(tally->subscription);
    free(tally);
    return NULL;
}

static void count_kind_of(struct tally *tally, struct kinds *kinds, const char *name,
                          uint64_t count)
{
    const char *labels[] = {tally->topic, tally->subscription, NULL};
    count_kind(tally->tallies, kinds, labels, name, count);
}

static void count_dead(struct tally *tally, const char *reason, uint64_t count)
{
    tally->counts.dead += count;
    count_kind_of(tally, &tally->dead, reason, count);
}

static bool is_watched(const struct tally *tally)
{
    return tally->tallies->watch.see != NULL;
}

static struct sighting sighting_of(const struct tally *tally, enum sight sight,
                                   const struct delivery_note *note)
{
    return (struct sighting){.sight = sight,
                             .topic = tally->topic,
                             .subscription = tally->subscription,
                             .event = note->event,
                             .attempt = note->attempt,
                             .outcome = note->outcome,
                             .http_status = note->http_status};
}

void tally_queued(struct tally *tally)
{
    tally->counts.queued++;
    series_add(tally->queued, 1);
}

/* The store's time is of whole milliseconds; what the publisher's node noted is finer, and earlier,
 * unless the event is a dead letter that was sent again. */
static uint64_t age_us(const struct delivery_note *note)
{
    uint64_t from_us = note->accepted_unix_ms * 1000, now_us = clock_unix_us();

    if (note->event->published_unix_us > from_us)
        from_us = note->event->published_unix_us;
    return now_us > from_us ? now_us - from_us : 0; /* clocks of nodes differ */
}

void tally_delivered(struct tally *tally, const struct delivery_note *note)
{
    uint64_t took_us = age_us(note);

    tally->counts.delivered++;
    series_add(tally->delivered, 1);
    series_observe(tally->seconds, (double)took_us / 1e6);
    if (!is_watched(tally))
        return;
    struct sighting sighting = sighting_of(tally, SIGHT_DELIVERED, note);
    sighting.took_us = took_us;
    tell(tally->tallies, &sighting);
}

void tally_failed(struct tally *tally, const struct delivery_note *note)
{
    tally->counts.failed++;
    count_kind_of(tally, &tally->failed, outcome_name(note->outcome), 1);
    if (!is_watched(tally))
        return;
    struct sighting sighting = sighting_of(tally, SIGHT_FAILED, note);
    tell(tally->tallies, &sighting);
}

void tally_parked(struct tally *tally, const struct delivery_note *note, uint64_t due_unix_ms)
{
    tally->counts.retried++;
    series_add(tally->retried, 1);
    if (!is_watched(tally))
        return;
    struct sighting sighting = sighting_of(tally, SIGHT_PARKED, note);
    sighting.due_unix_ms = due_unix_ms;
    tell(tally->tallies, &sighting);
}

void tally_dead(struct tally *tally, const struct delivery_note *note, const char *reason)
{
    count_dead(tally, reason, 1);
    if (!is_watched(tally))
        return;
    struct sighting sighting = sighting_of(tally, SIGHT_DEAD, note);
    sighting.reason = reason;
    tell(tally->tallies, &sighting);
}

static void tell_count(const struct tally *tally, enum sight sight, const char *reason,
                       uint64_t count)
{
    if (is_watched(tally))
        tell(tally->tallies, &(struct sighting){.sight = sight,
                                                .topic = tally->topic,
                                                .subscription = tally->subscription,
                                                .reason = reason,
                                                .count = count});
}

static void bury(struct tally *tally, const char *reason, uint64_t count)
{
    if (count == 0)
        return;
    count_dead(tally, reason, count);
    tell_count(tally, SIGHT_DEAD, reason, count);
}

void tally_buried(struct tally *tally, const struct queue_burials *burials)
{
    bury(tally, "MaxDeliveryAttemptsExceeded", burials->locked_out);
    bury(tally, "TimeToLiveExceeded", burials->expired);
}

void tally_pulled(struct tally *tally, enum pull_result result, uint64_t count)
{
#define PULL_NAME(result, name) [result] = (name),
    static const char *const names[] = {PULL_RESULTS(PULL_NAME)};
#undef PULL_NAME

    if (count == 0)
        return;
    count_kind_of(tally, &tally->pulled, names[result], count);
    if (result == PULL_ACKNOWLEDGED) {
        tally->counts.delivered += count;
        series_add(tally->delivered, (double)count);
    } else if (result == PULL_REJECTED) {
        count_dead(tally, "Rejected", count);
    }
    tell_count(tally, SIGHT_PULLED, names[result], count);
}

void tally_dropped(struct tally *tally, uint64_t count)
{
    if (count == 0)
        return;
    tally->counts.dropped += count;
    series_add(tally->dropped, (double)count);
    tell_count(tally, SIGHT_DROPPED, NULL, count);
}
