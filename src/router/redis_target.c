/* READY --connected--> SENT --all answered, well or badly--> done
 *   |                    `---too late, or stopped---> aborted --> done
 *   `---too late, or stopped---> done */
#include "router/redis_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "event/write.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "redis/client.h"

#define PARCEL_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define FIELDS_MAX (4 + ATTRIBUTES_MAX)
#define ARGS_MAX (6 + 2 * FIELDS_MAX)
#define LENGTH_MAX_BYTES 20

struct redis_target {
    struct target target;
    const struct targets *with;
    const struct subscription *subscription;
    struct redis *redis; /* NULL: its connection means nothing here */
    uint32_t connect_ms, answer_ms;
};

/* One command. Its arguments point into `texts`, which stays where it is. */
struct command {
    struct redis_call call;
    struct sending *sending;
    struct buf texts;
};

/* One attempt. */
struct sending {
    struct redis_target *target;
    const struct parcel *parcel;
    struct parcel_result *ret;
    struct op *op; /* the router's */
    struct op ready;
    struct timer *timer;
    struct command *commands; /* one per event */
    size_t unanswered;
    enum outcome outcome; /* the first that is not well */
    struct cause why;
    bool is_aborted;
};

/* ---- what comes of it ---- */

static void end(struct sending *sending)
{
    struct op *op = sending->op;
    bool is_canceled = sending->is_aborted && sending->outcome != OUTCOME_DELIVERED;

    op->why = sending->why;
    if (!is_canceled)
        *sending->ret = (struct parcel_result){.outcome = sending->outcome};
    for (size_t i = 0; i < sending->parcel->count; i++)
        buf_done(&sending->commands[i].texts);
    free(sending->commands);
    timer_free(sending->timer);
    free(sending);
    op_end(op, is_canceled ? E_CANCELED : E_OK);
}

static bool begins_with_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (slice_has_prefix(slice_of(text), slice_of(*words)))
            return true;
    return false;
}

static enum outcome outcome_of_error(const char *error)
{
    static const char *const denials[] = {"NOAUTH", "WRONGPASS", "NOPERM", NULL};

    if (begins_with_one_of(error, denials))
        return OUTCOME_UNAUTHORIZED;
    return redis_is_outage(error) ? OUTCOME_BUSY : OUTCOME_OTHER;
}

static enum outcome outcome_of_call(enum err err, const struct cause *why)
{
    switch (err) {
    case E_OK:
        return OUTCOME_DELIVERED;
    case E_TIMEOUT:
        return OUTCOME_TIMED_OUT;
    case E_REDIS:
        return outcome_of_error(why->text);
    case E_CLOSED:
        return OUTCOME_SOCKET_ERROR;
    default:
        return OUTCOME_OTHER;
    }
}

static void note(struct sending *sending, enum outcome outcome, const struct cause *why)
{
    if (sending->outcome != OUTCOME_DELIVERED || outcome == OUTCOME_DELIVERED)
        return;
    sending->outcome = outcome;
    sending->why = *why;
}

/* ---- commands ---- */

struct arguments {
    struct slice items[ARGS_MAX];
    size_t count;
};

static void add(struct arguments *args, struct slice arg)
{
    args->items[args->count++] = arg;
}

/* What was written to `texts` since `start`. */
static void add_since(struct arguments *args, const struct buf *texts, size_t start)
{
    add(args, slice_from(buf_slice(texts), start));
}

static void add_field(struct arguments *args, struct buf *texts, const struct event *event,
                      const char *name, enum event_field field)
{
    size_t start = texts->len;

    event_write_field(texts, event, field);
    if (texts->len == start)
        return;
    add(args, slice_of(name));
    add_since(args, texts, start);
}

/* "About" costs the server next to nothing: it drops whole nodes of the stream. */
static void add_limit(struct arguments *args, struct buf *texts, uint32_t max_length)
{
    size_t start = texts->len;

    if (max_length == 0)
        return;
    add(args, SLICE("MAXLEN"));
    add(args, SLICE("~"));
    buf_add_u64(texts, max_length);
    add_since(args, texts, start);
}

static void add_fields(struct arguments *args, struct buf *texts,
                       const struct destination *destination, const struct event *event)
{
    add_field(args, texts, event, "id", EVENT_ID);
    add_field(args, texts, event, "type", EVENT_TYPE);
    add_field(args, texts, event, "subject", EVENT_SUBJECT);
    for (size_t i = 0; i < destination->attribute_count; i++) {
        size_t start = texts->len;
        if (!attribute_write(texts, &destination->attributes[i], event))
            continue;
        add(args, slice_of(destination->attributes[i].name));
        add_since(args, texts, start);
    }
}

/* The event's JSON, and room for all else that is written. */
static enum err write_event(struct buf *texts, const struct sending *sending,
                            const struct event *event)
{
    const struct destination *destination = &sending->target->subscription->destination;
    const char *prefix = redis_opts(sending->target->redis)->channel_prefix;
    size_t room = slice_of(prefix).len + strlen(destination->key) +
                  destination->attribute_count * ATTRIBUTE_VALUE_MAX_BYTES + LENGTH_MAX_BYTES;

    for (int i = 0; i < EVENT_FIELDS; i++)
        room += i != EVENT_DATA ? event->fields[i].len : 0;
    buf_init(texts, PARCEL_MAX_BYTES);
    event_write(texts, event, sending->target->subscription->delivery, NULL);
    (void)buf_reserve(texts, room + 1);
    return buf_err(texts);
}

static void write_command(struct arguments *args, struct buf *texts, struct sending *sending,
                          const struct event *event)
{
    const struct destination *destination = &sending->target->subscription->destination;
    const char *prefix = redis_opts(sending->target->redis)->channel_prefix;
    struct slice json = buf_slice(texts), key = slice_of(destination->key);

    if (destination->kind == DESTINATION_STREAM) {
        add(args, SLICE("XADD"));
        add(args, key);
        add_limit(args, texts, destination->max_length);
        add(args, SLICE("*"));
        add(args, SLICE("event"));
        add(args, json);
        add_fields(args, texts, destination, event);
        return;
    }
    if (destination->kind == DESTINATION_CHANNEL && slice_of(prefix).len > 0) {
        buf_add(texts, slice_of(prefix));
        buf_add(texts, key);
        key = slice_from(buf_slice(texts), json.len);
    }
    add(args, destination->kind == DESTINATION_LIST ? SLICE("LPUSH") : SLICE("PUBLISH"));
    add(args, key);
    add(args, json);
}

static void on_answered(struct op *op, enum err err)
{
    struct command *command = container_of(op, struct command, call.op);
    struct sending *sending = command->sending;

    note(sending, outcome_of_call(err, &op->why), &op->why);
    if (--sending->unanswered == 0)
        end(sending);
}

static enum err send_one(struct sending *sending, size_t at)
{
    struct command *command = &sending->commands[at];
    const struct event *event = sending->parcel->events[at];
    struct arguments args = {.count = 0};
    enum err err = write_event(&command->texts, sending, event);

    if (err == E_OK)
        write_command(&args, &command->texts, sending, event);
    if (err == E_OK)
        err = buf_err(&command->texts);
    if (err != E_OK)
        return err;
    command->sending = sending;
    command->call.op.done = on_answered;
    command->call.timeout_ms = sending->target->answer_ms;
    return redis_call(sending->target->redis, args.items, args.count, &command->call);
}

/* ---- one attempt ---- */

static void on_ready(struct op *op, enum err err)
{
    struct sending *sending = container_of(op, struct sending, ready);
    const struct redis *redis = sending->target->redis;
    struct cause why = {0};

    if (err != E_OK) { /* aborted, or late */
        const char *trouble = redis_trouble(redis);
        (void)cause_set(&why, E_TIMEOUT, "%s: %s", redis_name(redis),
                        trouble != NULL ? trouble : "no answer");
        enum outcome outcome = trouble != NULL ? outcome_of_error(trouble) : OUTCOME_TIMED_OUT;
        note(sending, outcome == OUTCOME_OTHER ? OUTCOME_SOCKET_ERROR : outcome, &why);
        end(sending);
        return;
    }
    timer_set(sending->timer, sending->target->answer_ms);
    for (size_t i = 0; i < sending->parcel->count && sending->outcome == OUTCOME_DELIVERED; i++) {
        err = send_one(sending, i);
        if (err == E_OK)
            sending->unanswered++;
        else
            note(sending, outcome_of_call(err, &why), &why);
    }
    if (sending->unanswered == 0)
        end(sending);
}

/* Ends all that is under way; each op then ends by its own path. */
static void cut(struct sending *sending)
{
    op_abort(&sending->ready);
    for (size_t i = 0; i < sending->parcel->count; i++)
        op_abort(&sending->commands[i].call.op);
}

static void on_late(void *ctx)
{
    struct sending *sending = ctx;
    struct cause why;

    if (!sending->ready.is_busy) {
        (void)cause_set(&why, E_TIMEOUT, "%s: no answer", redis_name(sending->target->redis));
        note(sending, OUTCOME_TIMED_OUT, &why);
    }
    cut(sending);
}

static void on_abort(struct op *op)
{
    struct sending *sending = op->runner;

    op->abort = NULL;
    sending->is_aborted = true;
    cut(sending);
}

static enum err deliver(struct target *target, const struct parcel *parcel,
                        struct parcel_result *ret, struct op *op)
{
    struct redis_target *t = container_of(target, struct redis_target, target);

    if (t->redis == NULL) {
        *ret = (struct parcel_result){.outcome = OUTCOME_RESOLUTION_ERROR};
        loop_later(t->with->loop, op, E_OK);
        return E_OK;
    }
    struct sending *sending = mem_new(struct sending);
    *sending = (struct sending){.target = t, .parcel = parcel, .ret = ret, .op = op};
    sending->commands = mem_new_array(parcel->count, struct command);
    sending->timer = timer_new(t->with->loop, on_late, sending);
    timer_set(sending->timer, t->connect_ms);
    op_begin(op, on_abort, sending);
    sending->ready.done = on_ready;
    redis_ready(t->redis, &sending->ready);
    return E_OK;
}

/* ---- what it connects to ---- */

static enum err find_options(const struct targets *targets, const struct destination *destination,
                             struct redis_options **ret, struct cause *why)
{
    char *text = NULL;

    if (destination->connection == NULL)
        return cause_set(why, E_UNSUPPORTED,
                         "destination.properties.cacheResourceId: there are no managed caches here "
                         "yet; name a connection instead");
    enum err err = targets->connection != NULL
                       ? targets->connection(targets->ctx, destination->connection, &text, why)
                       : cause_set(why, E_UNSUPPORTED, "there is no Redis to connect to");
    if (err == E_OK)
        err = redis_options_parse(slice_of(text), ret, why);
    free(text);
    return cause_wrap(why, err, "destination.properties.connection");
}

enum err redis_target_check(const struct targets *targets, const struct subscription *subscription,
                            struct cause *why)
{
    struct redis_options *options = NULL;
    enum err err = find_options(targets, &subscription->destination, &options, why);

    if (err == E_OK)
        redis_options_unref(options);
    return err;
}

struct target *redis_target_new(const struct targets *targets,
                                const struct subscription *subscription)
{
    struct redis_target *t = mem_new(struct redis_target);
    struct redis_options *options = NULL;
    struct cause why = {0};

    *t = (struct redis_target){.target.deliver = deliver,
                               .with = targets,
                               .subscription = subscription,
                               .connect_ms = REDIS_TARGET_CONNECT_MS,
                               .answer_ms = REDIS_TARGET_TIMEOUT_MS};
    enum err err = find_options(targets, &subscription->destination, &options, &why);
    if (err != E_OK) {
        log_error("DESTINATION-LOST", "%s: cannot deliver, and keeps its events: %s",
                  subscription->name, cause_text(&why, err));
        return &t->target;
    }
    t->redis = redis_open(targets->hub, options, REDIS_SHARED, "redgrid");
    redis_options_unref(options);
    return &t->target;
}

void redis_target_patience(struct target *target, uint32_t connect_ms, uint32_t answer_ms)
{
    struct redis_target *t = container_of(target, struct redis_target, target);

    t->connect_ms = connect_ms;
    t->answer_ms = answer_ms;
}

void redis_target_free(struct target *target)
{
    struct redis_target *t = container_of(target, struct redis_target, target);

    if (t->redis != NULL)
        redis_close(t->redis);
    free(t);
}
