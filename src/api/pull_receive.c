#include "api/pull_receive.h"

#include <stdlib.h>

#include "api/answer.h"
#include "api/parameter.h"
#include "base/mem.h"
#include "event/write.h"
#include "router/entry.h"
#include "router/reception.h"

#define EVENTS_MAX 100 /* in one answer */
#define WAIT_MIN_S 10
#define WAIT_MAX_S 120
#define WAIT_S 60

/* One request, until it is answered. */
struct receiving {
    struct reception reception;
    struct exchange exchange;
    struct catalog *catalog;
    char *scope; /* id of the topic, which may change or go meanwhile */
};

static void write_token(struct buf *out, const struct queue_entry *entry, struct slice token)
{
    member_open(out, "lockToken");
    buf_addf(out, "\"%.*s:%.*s\"", SLICE_ARG(entry->id), SLICE_ARG(token));
}

/* One that is no event any more is left out (false), and is a dead letter after some locks. */
static bool write_entry(struct buf *out, const struct receiving *r, const struct event_rules *rules,
                        const struct queue_entry *entry)
{
    const char *name = r->reception.active->subscription.name;
    struct event *event = entry_event(rules, entry, name);
    struct slice token;
    uint32_t locks;
    bool is_written = false;

    if (event != NULL && queue_lock_read(entry->state, &locks, &token)) {
        if (out->data[out->len - 1] != '[')
            buf_add_byte(out, ',');
        member_open(out, "brokerProperties");
        write_token(out, entry, token);
        member_u64(out, "deliveryCount", locks);
        buf_add_byte(out, '}');
        member_open(out, "event");
        event_write(out, event, SCHEMA_CLOUD_EVENT, NULL);
        buf_add_byte(out, '}');
        is_written = true;
    }
    event_unref(event);
    return is_written;
}

static void write_entries(struct buf *out, const struct receiving *r)
{
    const struct scope *scope = catalog_scope(r->catalog, slice_of(r->scope));
    struct queue_cursor cursor;
    struct queue_entry entry;
    uint64_t count = 0;

    if (scope == NULL || scope->topic == NULL)
        return; /* it was deleted meanwhile */
    const struct event_rules rules = topic_rules(scope->topic);
    queue_cursor_init(&cursor, r->reception.call.reply);
    while (queue_cursor_next(&cursor, &entry))
        count += write_entry(out, r, &rules, &entry);
    tally_pulled(r->reception.active->tally, PULL_RECEIVED, count);
}

/* Canceled: there is nothing now, and the client may ask again; whether there still is something to
 * ask, it will be told then. */
static void on_received(struct op *op, enum err err)
{
    struct receiving *r = container_of(op, struct receiving, reception.op);
    struct refusal why;
    struct buf body;

    if (err != E_OK && err != E_CANCELED) {
        (void)refuse(&why, REFUSAL_UNAVAILABLE, "The events could not be fetched: %s. Try again.",
                     cause_text(&op->why, err));
        exchange_refuse(&r->exchange, &why);
    } else {
        buf_init(&body, ANSWER_MAX_BYTES);
        buf_add(&body, SLICE("{\"value\":["));
        if (err == E_OK)
            write_entries(&body, r);
        buf_add(&body, SLICE("]}"));
        exchange_answer(&r->exchange, &body);
    }
    free(r->scope);
    free(r);
}

static void on_gone(void *ctx)
{
    struct receiving *r = ctx;
    reception_cancel(&r->reception);
}

enum err pull_receive(struct scope *scope, struct active *active, const struct exchange *exchange,
                      struct refusal *why)
{
    static const struct parameter events = {"maxEvents", 1, 1, EVENTS_MAX};
    static const struct parameter wait = {"maxWaitTime", WAIT_S, WAIT_MIN_S, WAIT_MAX_S};
    uint64_t count, seconds;
    enum err err = parameter_read(exchange->request, &events, &count, why);

    if (err == E_OK)
        err = parameter_read(exchange->request, &wait, &seconds, why);
    if (err != E_OK)
        return err;
    struct receiving *r = mem_new(struct receiving);
    r->exchange = *exchange;
    r->catalog = scope->catalog;
    r->reception.op.done = on_received;
    if (reception_start(&r->reception, active, count, seconds * 1000) != E_OK) {
        free(r);
        return refuse(why, REFUSAL_THROTTLED, "Too many clients wait for events here. Try again.");
    }
    r->scope = slice_dup(slice_of(scope->id));
    http_request_watch(exchange->request, on_gone, r);
    return E_OK;
}
