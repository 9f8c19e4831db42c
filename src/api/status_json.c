#include "api/status_json.h"

#include "api/answer.h"

void status_json(struct buf *out, const struct function_status *status)
{
    member_text(out, "name", slice_of(status->name));
    member_text(out, "app", slice_of(status->app));
    member_text(out, "language", slice_of(status->language));
    member_text(out, "trigger", slice_of(status->trigger));
    member_text(out, "source", slice_of(status->source));
    member_text(out, "server", slice_of(status->server));
    member_text(out, "state", slice_of(status->state));
    member_text(out, "error", slice_of(status->error));
    member_u64(out, "succeeded", status->succeeded);
    member_u64(out, "failed", status->failed);
    member_u64(out, "retried", status->retried);
    member_u64(out, "deadLettered", status->dead_lettered);
    member_u64(out, "dropped", status->dropped);
    member_u64(out, "inFlight", status->in_flight);
    member_u64(out, "pending", status->pending);
    member_u64(out, "backlog", status->backlog);
    member_u64(out, "oldestAgeMs", status->oldest_age_ms);
    member_f64(out, "averageMs", status->average_ms);
    member_u64(out, "targetWorkers", status->target_workers);
    member_u64(out, "workers", status->workers);
    member_i64(out, "vote", status->vote);
    buf_add_byte(out, '}');
}

/* By which the scalers of the extension for Redis know a trigger; a channel has no backlog. */
static void add_monitor(struct buf *out, const struct function_status *status)
{
    bool is_list = slice_eq(slice_of(status->trigger), SLICE("list"));
    struct buf id;

    buf_init(&id, ANSWER_MAX_BYTES);
    if (is_list || slice_eq(slice_of(status->trigger), SLICE("stream")))
        buf_addf(&id, "%s-Redis%sTrigger-%s", status->name, is_list ? "List" : "Stream",
                 status->source);
    member_text(out, "monitor", buf_slice(&id));
    buf_done(&id);
}

void status_scale_json(struct buf *out, const struct function_status *status)
{
    add_monitor(out, status);
    member_text(out, "function", slice_of(status->name));
    member_text(out, "app", slice_of(status->app));
    member_u64(out, "backlog", status->backlog);
    member_u64(out, "target", status->target_workers);
    member_u64(out, "current", status->workers);
    member_u64(out, "divisor", status->divisor);
    member_i64(out, "vote", status->vote);
    buf_add_byte(out, '}');
}

struct listing {
    struct buf *out;
    size_t count;
};

static void add_one(void *ctx, const struct function_status *status)
{
    struct listing *listing = ctx;

    if (listing->count++ > 0)
        buf_add_byte(listing->out, ',');
    status_json(listing->out, status);
}

void status_list_json(struct buf *out, struct host *host)
{
    struct listing listing = {.out = out};

    buf_add_byte(out, '[');
    if (host != NULL)
        host_each(host, add_one, &listing);
    buf_add_byte(out, ']');
}
