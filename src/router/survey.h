/* router/survey.h - how much stands in the queues, which only the store knows, and the gauges of
 * it.
 * Rules: it is asked only when somebody looks; all queues at once, SURVEY_CALLS at a time in one
 * pipeline, and not again before SURVEY_AGE_MS, or before the store has been left alone ten times
 * as long as the last survey took, SURVEY_REST_MAX_MS at most: one that hung for a minute is asked
 * again soon. Who looks waits SURVEY_WAIT_MS at most, then takes what was found before. What was
 * found is in the tallies. */
#ifndef ROUTER_SURVEY_H
#define ROUTER_SURVEY_H

#include "loop/op.h"
#include "router/catalog.h"

#define SURVEY_CALLS 32
#define SURVEY_AGE_MS 1000
#define SURVEY_WAIT_MS 1000
#define SURVEY_REST_MAX_MS 10000

struct survey;

struct survey *survey_new(struct loop *loop, struct catalog *catalog);
/* survey_ask: the op ends with E_OK as soon as the tallies are as fresh as the rules promise, which
 * takes SURVEY_WAIT_MS at most; E_CANCELED: the router stops. It cannot be aborted. */
void survey_ask(struct survey *survey, struct op *op);
/* survey_set_gauges sets those of all subscriptions to what is known now. */
void survey_set_gauges(struct survey *survey);
void survey_stop(struct survey *survey); /* what is under way ends soon, before the catalog stops */
void survey_free(struct survey *survey); /* after the catalog has stopped */

/* survey_rest_ms: how long the store is left alone after a survey that took so long. Pure. */
uint64_t survey_rest_ms(uint64_t took_ms);

/* What is known of a subscription now. */
struct survey_row {
    struct tally_counts counts;
    struct queue_stats stats;
    uint64_t oldest_age_ms; /* 0 = its queue is empty */
    uint64_t in_flight;
    uint64_t rests_for_ms; /* 0 = its endpoint is not left alone */
};
/* survey_row: all zero if the member was never active. */
struct survey_row survey_row(const struct member *member);

#endif
