/* metrics/metrics.h - counters, gauges and histograms, and the text that Prometheus reads.
 * Source: Prometheus text exposition format 0.0.4.
 * Rules: every metric is a row of metric_rows[] (metrics.c): name, kind, help, label names; docs
 * and the man page come from the rows. A series is looked up once and then counted through its
 * pointer. Series per metric are limited (METRIC_SERIES_MAX); what is beyond lands in one series
 * whose labels are METRIC_OTHER, until others are released. One thread. */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include "base/buf.h"

#define METRIC_SERIES_MAX 2000
#define METRIC_OTHER "_other" /* no name of an app, a topic or a subscription */

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRICS(X)                                                                                 \
    X(INVOCATIONS, COUNTER, "redgrid_invocations_total", "app,function,result",                    \
      "Attempts to run a function: succeeded, failed, timeout, crashed, canceled.")                \
    X(INVOCATION_SECONDS, HISTOGRAM, "redgrid_invocation_duration_seconds", "app,function",        \
      "How long one attempt took.")                                                                \
    X(RETRIES, COUNTER, "redgrid_retries_total", "app,function",                                   \
      "Attempts after the first of a delivery, by a retry policy.")                                \
    X(DELIVERIES, COUNTER, "redgrid_deliveries_total", "app,function,outcome",                     \
      "Messages taken: acknowledged, failed, deadlettered, dropped, redelivered.")                 \
    X(BACKLOG, GAUGE, "redgrid_backlog", "app,function",                                           \
      "Messages that wait in the list, or that the consumer group has not read.")                  \
    X(PENDING, GAUGE, "redgrid_pending", "app,function",                                           \
      "Messages read but not acknowledged, by any node.")                                          \
    X(IN_FLIGHT, GAUGE, "redgrid_in_flight", "app,function",                                       \
      "Messages that run now on this node.")                                                       \
    X(LAG_SECONDS, HISTOGRAM, "redgrid_lag_seconds", "app,function",                               \
      "Time from XADD (stream id) to the start of the function.")                                  \
    X(OLDEST_SECONDS, GAUGE, "redgrid_oldest_age_seconds", "app,function",                         \
      "Age of the oldest message that is not acknowledged (streams).")                             \
    X(TARGET_WORKERS, GAUGE, "redgrid_target_workers", "app,function",                             \
      "Workers that the backlog asks for.")                                                        \
    X(RECONNECTS, COUNTER, "redgrid_redis_reconnects_total", "server",                             \
      "Connections to a Redis server that had to be made again.")                                  \
    X(REDIS_UP, GAUGE, "redgrid_redis_up", "server", "1 while a Redis server answers.")            \
    X(WORKER_RESTARTS, COUNTER, "redgrid_worker_restarts_total", "app",                            \
      "Worker processes started again after they ended on their own.")                             \
    X(WORKERS, GAUGE, "redgrid_workers", "app", "Worker processes that run.")                      \
    X(FUNCTION_ERRORS, GAUGE, "redgrid_functions_in_error", "app",                                 \
      "Functions that cannot run because of a mistake in their files.")                            \
    X(EVENTS_PUBLISHED, COUNTER, "redgrid_events_published_total", "topic",                        \
      "Events that were taken from publishers, who were answered 200.")                            \
    X(EVENTS_MATCHED, COUNTER, "redgrid_events_matched_total", "topic",                            \
      "Those of them that at least one subscription wanted.")                                      \
    X(EVENTS_UNMATCHED, COUNTER, "redgrid_events_unmatched_total", "topic",                        \
      "Those of them that no subscription wanted.")                                                \
    X(PUBLISH_REFUSED, COUNTER, "redgrid_publish_refused_total", "topic,reason",                   \
      "Requests of publishers that were refused, by the code that they were told; without a "      \
      "topic if there is none of that name.")                                                      \
    X(EVENTS_QUEUED, COUNTER, "redgrid_events_queued_total", "topic,subscription",                 \
      "Events that were stored in a subscription's queue.")                                        \
    X(EVENTS_DELIVERED, COUNTER, "redgrid_events_delivered_total", "topic,subscription",           \
      "Events that their destination took, or that a pull client acknowledged.")                   \
    X(EVENT_ATTEMPTS_FAILED, COUNTER, "redgrid_event_attempts_failed_total",                       \
      "topic,subscription,outcome",                                                                \
      "Attempts to deliver an event that failed, by outcome as in dead letters; each event of a "  \
      "batch counts.")                                                                             \
    X(EVENTS_RETRIED, COUNTER, "redgrid_events_retried_total", "topic,subscription",               \
      "Attempts that failed and will be followed by another.")                                     \
    X(EVENTS_DEAD, COUNTER, "redgrid_events_dead_lettered_total", "topic,subscription,reason",     \
      "Events that became dead letters, by reason as in dead letters.")                            \
    X(EVENTS_DROPPED, COUNTER, "redgrid_events_dropped_total", "topic,subscription",               \
      "Events that are gone without having been delivered: dead letters that somebody purged; 0 "  \
      "otherwise.")                                                                                \
    X(EVENTS_PULLED, COUNTER, "redgrid_events_pulled_total", "topic,subscription,result",          \
      "Events of pull clients: received, acknowledged, released, rejected, renewed; lost: the "    \
      "lock was no longer theirs.")                                                                \
    X(EVENT_SECONDS, HISTOGRAM, "redgrid_event_delivery_seconds", "topic,subscription",            \
      "Time from accepting an event to its delivery, waits between attempts included.")            \
    X(EVENTS_IN_FLIGHT, GAUGE, "redgrid_events_in_flight", "topic,subscription",                   \
      "Events of push subscriptions that are under way on this node.")                             \
    X(ENDPOINT_RESTS, GAUGE, "redgrid_endpoint_rests", "topic,subscription",                       \
      "1 while an endpoint is left alone by this node, since it failed many times in a row.")      \
    X(QUEUE_EVENTS, GAUGE, "redgrid_queue_events", "topic,subscription",                           \
      "Events in a subscription's queue, those under way and those that wait for a retry too.")    \
    X(QUEUE_OLDEST_SECONDS, GAUGE, "redgrid_queue_oldest_age_seconds", "topic,subscription",       \
      "Age of the oldest of them; 0 = the queue is empty.")                                        \
    X(DEAD_LETTERS, GAUGE, "redgrid_dead_letters", "topic,subscription",                           \
      "Dead letters of a subscription that are kept in the store; not those in blob storage.")     \
    X(BUILD_INFO, GAUGE, "redgrid_build_info", "version", "Always 1.")                             \
    X(UPTIME, GAUGE, "redgrid_uptime_seconds", "", "Seconds since the start.")

#define METRIC_ENUM(id, kind, name, labels, help) METRIC_ID_##id,
enum metric_id { METRICS(METRIC_ENUM) METRIC_ID_COUNT };
#undef METRIC_ENUM

struct metrics;
struct series; /* one metric with one set of label values */

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* metrics_series finds or makes a series; label values in the order of the row's names,
 * NULL-terminated. Never NULL. It lives as long as the metrics, or until everybody who asked for it
 * has released it. */
struct series *metrics_series(struct metrics *metrics, enum metric_id id,
                              const char *const *labels);
/* metrics_release: who asked for it once needs it no longer. NULL is fine. */
void metrics_release(struct metrics *metrics, struct series *series);
void series_add(struct series *series, double amount);    /* counter, gauge */
void series_set(struct series *series, double value);     /* gauge */
void series_raise(struct series *series, double value);   /* gauge: to this, if it is less */
void series_observe(struct series *series, double value); /* histogram; seconds */
double series_value(const struct series *series);         /* a histogram's: the sum */
uint64_t series_count(const struct series *series);       /* a histogram's */
/* metrics_drop forgets the series whose label `name` has `value` (an app that was removed). */
void metrics_drop(struct metrics *metrics, const char *name, const char *value);

void metrics_write(const struct metrics *metrics, struct buf *out);
/* metrics_write_docs writes a Markdown table of the rows. */
void metrics_write_docs(struct buf *out);

#endif
