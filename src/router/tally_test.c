#include "router/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define TEXT_MAX_BYTES (8 * 1024 * 1024)

static struct tallies tallies;
static struct buf text;
static struct event *event;
static char seen[4096]; /* "sight subscription attempt count reason\n" of all that was told */

static void see(void *ctx, const struct sighting *s)
{
#define NAME(sight, name) [sight] = name,
    static const char *const names[] = {SIGHTS(NAME)};
    size_t at = strlen(seen);

    assert_ptr_equal(ctx, &tallies);
    snprintf(seen + at, sizeof seen - at, "%s %s/%s %u %u %s\n", names[s->sight], s->topic,
             s->subscription != NULL ? s->subscription : "-", s->attempt, (unsigned)s->count,
             s->reason != NULL ? s->reason : "-");
}

static int begin(void **state)
{
    const struct event_rules rules = {.schema = SCHEMA_EVENT_GRID, .topic = SLICE("/t")};
    const struct event_stamp stamp = {.published_unix_us = clock_unix_us() - 3000};

    (void)state;
    tallies = (struct tallies){.metrics = metrics_new()};
    buf_init(&text, TEXT_MAX_BYTES);
    seen[0] = '\0';
    return event_read(&rules,
                      SLICE("{\"id\":\"1\",\"subject\":\"s\",\"eventType\":\"t\","
                            "\"eventTime\":\"2026-01-01T00:00:00Z\"}"),
                      &stamp, &event, NULL) != E_OK;
}

static int end(void **state)
{
    (void)state;
    event = event_unref(event);
    metrics_free(tallies.metrics);
    buf_done(&text);
    return 0;
}

static const char *written(void)
{
    buf_clear(&text);
    metrics_write(tallies.metrics, &text);
    assert_int_equal(buf_err(&text), E_OK);
    return buf_text(&text);
}

static void assert_holds(const char *line)
{
    if (strstr(written(), line) == NULL)
        fail_msg("no '%s' in:\n%s", line, buf_text(&text));
}

#define S "{topic=\"t\",subscription=\"s\""

static void what_becomes_of_events_is_counted(void **state)
{
    struct tally *tally = tally_new(&tallies, "t", "s");
    struct delivery_note note = {.event = event,
                                 .attempt = 1,
                                 .outcome = OUTCOME_BUSY,
                                 .accepted_unix_ms = clock_unix_ms() - 2};

    (void)state;
    assert_holds("redgrid_events_delivered_total" S "} 0\n");
    assert_holds("redgrid_events_dropped_total" S "} 0\n");
    tally_queued(tally);
    tally_failed(tally, &note);
    tally_parked(tally, &note, 5);
    tally_delivered(tally, &note);
    note.event = NULL; /* one that cannot be read */
    tally_dead(tally, &note, "Unreadable");
    tally_dead(tally, &note, "Unreadable");
    tally_dropped(tally, 7);
    tally_dropped(tally, 0);
    assert_holds("redgrid_events_queued_total" S "} 1\n");
    assert_holds("redgrid_event_attempts_failed_total" S ",outcome=\"Busy\"} 1\n");
    assert_holds("redgrid_events_retried_total" S "} 1\n");
    assert_holds("redgrid_events_delivered_total" S "} 1\n");
    assert_holds("redgrid_event_delivery_seconds_count" S "} 1\n");
    assert_holds("redgrid_event_delivery_seconds_bucket" S ",le=\"0.001\"} 0\n");
    assert_holds("redgrid_events_dead_lettered_total" S ",reason=\"Unreadable\"} 2\n");
    assert_holds("redgrid_events_dropped_total" S "} 7\n");
    assert_int_equal(tally->counts.delivered, 1);
    assert_int_equal(tally->counts.dead, 2);
    tally_unref(tally);
    assert_string_equal(written(), ""); /* its series go with it */
    assert_string_equal(seen, "");
}

static void a_dead_letter_that_is_sent_again_is_young(void **state)
{
    struct tally *tally = tally_new(&tallies, "t", "s");
    const struct delivery_note note = {.event = event,
                                       .accepted_unix_ms = clock_unix_ms() + 3600000};

    (void)state;
    tally_delivered(tally, &note);
    assert_holds("redgrid_event_delivery_seconds_bucket" S ",le=\"0.00005\"} 1\n");
    tally_unref(tally);
}

static void pull_clients_are_counted(void **state)
{
    struct tally *tally = tally_new(&tallies, "t", "s");

    (void)state;
    tally_pulled(tally, PULL_RECEIVED, 5);
    tally_pulled(tally, PULL_RECEIVED, 1);
    tally_pulled(tally, PULL_ACKNOWLEDGED, 3);
    tally_pulled(tally, PULL_REJECTED, 2);
    tally_pulled(tally, PULL_LOST, 0);
    tally_buried(tally, &(struct queue_burials){.expired = 4});
    assert_holds("redgrid_events_pulled_total" S ",result=\"received\"} 6\n");
    assert_holds("redgrid_events_pulled_total" S ",result=\"acknowledged\"} 3\n");
    assert_holds("redgrid_events_delivered_total" S "} 3\n");
    assert_holds("redgrid_events_dead_lettered_total" S ",reason=\"Rejected\"} 2\n");
    assert_null(strstr(written(), "\"lost\""));
    assert_holds("redgrid_events_dead_lettered_total" S ",reason=\"TimeToLiveExceeded\"} 4\n");
    assert_null(strstr(written(), "MaxDelivery"));
    assert_int_equal(tally->counts.delivered, 3);
    assert_int_equal(tally->counts.dead, 6);
    tally_unref(tally);
}

static void topics_count_what_publishers_sent(void **state)
{
    struct topic_tally *tally = topic_tally_new(&tallies, "t");
    struct topic_tally *nowhere = topic_tally_new(&tallies, "");
    const struct event_batch batch = {.events = &event, .count = 1};
    struct refusal why;

    (void)state;
    topic_tally_published(tally, &(struct published){.batch = &batch, .unmatched = 1});
    (void)refuse(&why, REFUSAL_JSON, "bad");
    topic_tally_refused(tally, &why);
    topic_tally_refused(tally, &why);
    topic_tally_refused(nowhere, &why);
    assert_holds("redgrid_events_published_total{topic=\"t\"} 1\n");
    assert_holds("redgrid_events_matched_total{topic=\"t\"} 0\n");
    assert_holds("redgrid_events_unmatched_total{topic=\"t\"} 1\n");
    assert_holds("redgrid_publish_refused_total{topic=\"t\",reason=\"InputJsonInvalid\"} 2\n");
    assert_holds("redgrid_publish_refused_total{topic=\"\",reason=\"InputJsonInvalid\"} 1\n");
    assert_null(strstr(written(), "published_total{topic=\"\"}"));
    assert_int_equal(tally->counts.refused, 2);
    topic_tally_unref(tally);
    topic_tally_unref(nowhere);
}

static void who_watches_is_told(void **state)
{
    struct tally *tally = tally_new(&tallies, "t", "s");
    struct topic_tally *topic = topic_tally_new(&tallies, "t");
    const struct delivery_note note = {.event = event, .attempt = 2};
    const struct event_batch batch = {.events = &event, .count = 1};
    const uint32_t wanted[] = {3};
    struct refusal why;

    (void)state;
    tallies.watch = (struct watch){see, &tallies};
    (void)refuse(&why, REFUSAL_JSON, "bad");
    topic_tally_published(topic, &(struct published){.batch = &batch}); /* it began unwatched */
    topic_tally_published(topic, &(struct published){.batch = &batch, .wanted = wanted});
    topic_tally_refused(topic, &why);
    tally_delivered(tally, &note);
    tally_failed(tally, &note);
    tally_parked(tally, &note, 5);
    tally_dead(tally, &note, "Unreadable");
    tally_pulled(tally, PULL_RELEASED, 4);
    tally_dropped(tally, 6);
    tally_buried(tally, &(struct queue_burials){.locked_out = 5});
    assert_string_equal(seen, "published t/- 0 3 -\n"
                              "refused t/- 0 0 InputJsonInvalid\n"
                              "delivered t/s 2 0 -\n"
                              "failed t/s 2 0 -\n"
                              "parked t/s 2 0 -\n"
                              "dead t/s 2 0 Unreadable\n"
                              "pulled t/s 0 4 released\n"
                              "dropped t/s 0 6 -\n"
                              "dead t/s 0 5 MaxDeliveryAttemptsExceeded\n");
    topic_tally_unref(topic);
    tally_unref(tally);
}

static void beyond_the_limit_they_share_series_but_not_counts(void **state)
{
    struct tally *all[METRIC_SERIES_MAX + 3];
    const struct delivery_note note = {.event = event};
    char name[16];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        snprintf(name, sizeof name, "s%zu", i);
        all[i] = tally_new(&tallies, "t", name);
        tally_delivered(all[i], &note);
        tally_dead(all[i], &note, "Unreadable");
    }
    assert_holds("redgrid_events_delivered_total{topic=\"t\",subscription=\"s1999\"} 1\n");
    assert_holds("redgrid_events_delivered_total{topic=\"_other\",subscription=\"_other\"} 3\n");
    assert_holds("redgrid_events_dead_lettered_total{topic=\"_other\",subscription=\"_other\","
                 "reason=\"_other\"} 3\n");
    assert_int_equal(all[COUNT_OF(all) - 1]->counts.delivered, 1);
    for (size_t i = 0; i < COUNT_OF(all); i++)
        tally_unref(all[i]);
    assert_holds("redgrid_events_delivered_total{topic=\"_other\",subscription=\"_other\"} 3\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(what_becomes_of_events_is_counted),
        CASE(a_dead_letter_that_is_sent_again_is_young),
        CASE(pull_clients_are_counted),
        CASE(topics_count_what_publishers_sent),
        CASE(who_watches_is_told),
        CASE(beyond_the_limit_they_share_series_but_not_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
