#include "functions/listener.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "loop/loop.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 10000
#define BLOCK_MIN_MS 1000
#define BLOCK_MAX_MS 30000
#define MESSAGE_MAX_BYTES                                                                          \
    ((size_t)1536 * 1024 * 1024) /* a value of 512 MiB, once as payload and twice as metadata */
#define PREFIX_MAX_BYTES 4096

static const struct listener_kind *const listener_kinds[] = {
    &listener_list_kind,
    &listener_stream_kind,
    &listener_pubsub_kind,
    &listener_event_kind,
};

const struct listener_kind *listener_kind_of(enum trigger_type type)
{
    for (size_t i = 0; i < COUNT_OF(listener_kinds); i++)
        if (listener_kinds[i]->type == type)
            return listener_kinds[i];
    return NULL;
}

static void write_prefix(struct listener *listener)
{
    const struct trigger *trigger = listener->trigger;
    struct buf out;

    buf_init(&out, PREFIX_MAX_BYTES);
    buf_addf(&out, "[Name:%s][Trigger:%s]", listener->options.dispatcher->function->name,
             listener->kind->name);
    if (trigger->type == TRIGGER_PUBSUB)
        buf_addf(&out, "[Channel:%s]", trigger->channel);
    if (trigger->type == TRIGGER_STREAM)
        buf_addf(&out, "[ConsumerGroup:%s]", trigger->consumer_group);
    for (size_t i = 0; i < trigger->key_count; i++)
        buf_addf(&out, "%s%s%s", i == 0 ? "[Key:" : " ", trigger->keys[i],
                 i + 1 == trigger->key_count ? "]" : "");
    if (trigger->type == TRIGGER_STREAM)
        buf_addf(&out, "[Consumer:%s]", listener->options.node_id);
    const char *text = buf_text(&out); /* even if not all did fit */
    listener->prefix = mem_dup(text, strlen(text));
    buf_done(&out);
}

void listener_init(struct listener *listener, const struct listener_kind *kind,
                   const struct listener_options *options)
{
    const struct function *function = options->dispatcher->function;

    listener->kind = kind;
    listener->message_max_bytes = MESSAGE_MAX_BYTES;
    listener->options = *options;
    listener->trigger = &function->trigger;
    if (options->redis != NULL) {
        listener->options.redis = redis_options_ref(options->redis);
        listener->commands = redis_open(options->hub, options->redis, REDIS_SHARED, "redgrid");
    }
    write_prefix(listener);
    const struct {
        struct series **series;
        const char *outcome;
    } outcomes[] = {
        {&listener->acknowledged_series, "acknowledged"}, {&listener->failed_series, "failed"},
        {&listener->dead_series, "deadlettered"},         {&listener->dropped_series, "dropped"},
        {&listener->redelivered_series, "redelivered"},
    };
    for (size_t i = 0; i < COUNT_OF(outcomes); i++)
        *outcomes[i].series = metrics_series(
            options->metrics, METRIC_ID_DELIVERIES,
            (const char *[]){function->app->name, function->name, outcomes[i].outcome, NULL});
}

void listener_done(struct listener *listener)
{
    redis_close(listener->commands);
    redis_options_unref(listener->options.redis);
    free(listener->prefix);
}

void listener_answered(struct listener *listener)
{
    if (listener->has_answered)
        return;
    listener->has_answered = true;
    if (listener->options.answered != NULL)
        listener->options.answered(listener->options.ctx);
}

void listener_complain(struct listener *listener, enum err err, const struct cause *why)
{
    const char *text = cause_text(why, err);
    if (redis_is_outage(text))
        return;
    if (strncmp(listener->complaint, text, sizeof listener->complaint - 1) == 0)
        return;
    snprintf(listener->complaint, sizeof listener->complaint, "%s", text);
    log_error("TRIGGER-ERROR", "%s %s; trying again until it works", listener->prefix, text);
}

enum err listener_too_large(const struct listener *listener, const char *what, struct slice source,
                            struct cause *why)
{
    enum err err = cause_set(why, E_LIMIT, "it does not fit into %zu bytes in all its forms",
                             listener->message_max_bytes);
    log_error("MESSAGE-TOO-LARGE", "%s %s of '%.*s' cannot be run: %s", listener->prefix, what,
              SLICE_ARG(source), why->text);
    return err;
}

void listener_recovered(struct listener *listener)
{
    listener->misses = 0;
    if (listener->complaint[0] == '\0')
        return;
    listener->complaint[0] = '\0';
    log_info("TRIGGER-RECOVERED", "%s works again", listener->prefix);
}

void listener_ack_ended(struct listener *listener, enum err err, const struct cause *why)
{
    if (err == E_REDIS && !listener->is_ack_refused && !redis_is_outage(cause_text(why, err)))
        log_error("ACK-REFUSED", "%s cannot acknowledge: %s; trying again until it works",
                  listener->prefix, cause_text(why, err));
    listener->is_ack_refused = err == E_REDIS || (listener->is_ack_refused && err != E_OK);
}

uint64_t listener_backoff_ms(struct listener *listener)
{
    uint64_t wait_ms =
        listener->misses < 7 ? (uint64_t)BACKOFF_FIRST_MS << listener->misses : BACKOFF_LAST_MS;
    listener->misses++;
    if (wait_ms > BACKOFF_LAST_MS)
        wait_ms = BACKOFF_LAST_MS;
    return wait_ms / 2 + (uint64_t)((double)wait_ms / 2 * rand_unit());
}

uint32_t listener_block_ms(const struct listener *listener)
{
    uint32_t ms = listener->trigger->polling_interval_ms;
    return ms < BLOCK_MIN_MS ? BLOCK_MIN_MS : ms > BLOCK_MAX_MS ? BLOCK_MAX_MS : ms;
}

void listener_count(struct series *series, uint64_t *counter)
{
    (*counter)++;
    series_add(series, 1);
}
