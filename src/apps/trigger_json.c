#include "apps/trigger_json.h"

#include <stdlib.h>
#include <string.h>

#include "apps/command.h"
#include "apps/settings.h"
#include "base/mem.h"
#include "redis/options.h"

#define ANY_POSITIVE ((struct jx_range){1, INT32_MAX})
#define COUNT_RANGE ((struct jx_range){1, 100000})
#define COUNT_DEFAULT 10
#define COUNT_DEFAULT_GA 16
#define EVENTS_DEFAULT 16 /* that run at once */

/* One property under all its names. A name of the general release decides over the defaults. */
struct alias {
    const char *name;
    bool is_ga;
    bool is_old; /* of the earlier releases alone: beside a GA name it is a mixture */
};
#define ALIASES_MAX 3

static const struct alias connection_names[ALIASES_MAX] = {{"connectionStringSetting", false, true},
                                                           {"connectionString", false, true},
                                                           {"connection", true, false}};
static const struct alias key_names[ALIASES_MAX] = {{"key", false, false}, {"keys", false, true}};
static const struct alias count_names[ALIASES_MAX] = {
    {"count", false, true}, {"batchSize", false, true}, {"maxBatchSize", true, false}};
static const struct alias direction_names[ALIASES_MAX] = {{"listPopFromBeginning", false, true},
                                                          {"listDirection", true, false}};
static const struct alias pattern_names[ALIASES_MAX] = {{"pattern", true, false}};
static const struct alias *const alias_sets[] = {connection_names, key_names, count_names,
                                                 direction_names, pattern_names};

enum trigger_type trigger_type_of(struct slice type)
{
    static const struct {
        const char *name;
        enum trigger_type type;
    } types[] = {
        {"redisPubSubTrigger", TRIGGER_PUBSUB},  {"redisListTrigger", TRIGGER_LIST},
        {"redisListsTrigger", TRIGGER_LIST},     {"redisStreamTrigger", TRIGGER_STREAM},
        {"redisStreamsTrigger", TRIGGER_STREAM}, {"eventGridTrigger", TRIGGER_EVENT},
    };

    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (slice_eq_nocase(type, slice_of(types[i].name)))
            return types[i].type;
    return TRIGGER_NONE;
}

/* "16" and 16 are the same value, and so are "Left" and "left". */
static bool same_value(const json_t *a, const json_t *b)
{
    struct buf x, y;

    buf_init(&x, JX_TEXT_MAX_BYTES);
    buf_init(&y, JX_TEXT_MAX_BYTES);
    if (json_is_string(a))
        buf_add(&x, slice_trim(jx_slice(a)));
    else
        jx_dump(&x, a);
    if (json_is_string(b))
        buf_add(&y, slice_trim(jx_slice(b)));
    else
        jx_dump(&y, b);
    bool is_same = slice_eq(buf_slice(&x), buf_slice(&y));
    buf_done(&x);
    buf_done(&y);
    return is_same;
}

/* Which of its names a property goes by here: the first that is there, else the usual one. */
static const char *pick(struct function *function, struct jx_view *view, const struct alias *names)
{
    const char *found = NULL;

    for (size_t i = 0; i < ALIASES_MAX && names[i].name != NULL; i++) {
        const json_t *value = jx_member(view->json, names[i].name);
        if (value == NULL)
            continue;
        if (found == NULL) {
            found = names[i].name;
        } else if (same_value(jx_member(view->json, found), value)) {
            strings_addf(&function->warnings, "%s.%s and %s say the same; one is enough",
                         view->path, found, names[i].name);
        } else {
            jx_view_error(view, names[i].name, "differs from '%s', which means the same", found);
        }
    }
    return found != NULL ? found : names[0].name;
}

static bool uses_ga_names(struct function *function, const struct jx_view *view)
{
    const char *ga = NULL, *old = NULL;

    for (size_t set = 0; set < COUNT_OF(alias_sets); set++)
        for (size_t i = 0; i < ALIASES_MAX && alias_sets[set][i].name != NULL; i++) {
            const struct alias *alias = &alias_sets[set][i];
            if (jx_member(view->json, alias->name) == NULL)
                continue;
            if (alias->is_ga)
                ga = alias->name;
            else if (alias->is_old)
                old = alias->name;
        }
    if (ga != NULL && old != NULL)
        strings_addf(&function->warnings,
                     "%s mixes '%s' with the older '%s'; the defaults of the newer names hold",
                     view->path, ga, old);
    return ga != NULL;
}

/* A text that must be there, %names% replaced; NULL after a mistake. The caller's to free. */
static char *required_text(struct function *function, struct jx_view *view, const char *field)
{
    const char *text = NULL;
    char *ret = NULL;

    if (!jx_text(view, field, &text))
        jx_view_error(view, field, "is missing");
    if (text == NULL)
        return NULL;
    if (!settings_expand(function->app, text, &ret))
        strings_addf(&function->warnings,
                     "%s.%s: '%s' names a setting that is not there, or has a single '%%'; "
                     "taken as it is",
                     view->path, field, text);
    if (slice_is_blank(slice_of(ret)))
        jx_view_error(view, field, "is empty");
    return ret;
}

static char *read_connection(struct function *function, struct jx_view *view)
{
    const char *field = pick(function, view, connection_names);
    struct redis_options *options = NULL;
    struct cause why = {0};
    const char *text = NULL;
    bool is_literal = false;
    char *name = required_text(function, view, field);

    if (name == NULL || view->err)
        return name;
    enum err err = app_connection(function->app, name, &text, &is_literal, &why);
    if (err == E_OK)
        err = redis_options_parse(slice_of(text), &options, &why);
    if (err)
        jx_view_error(view, field, "%s", cause_text(&why, err));
    else
        redis_options_unref(options);
    return name;
}

static void read_keys(struct function *function, struct trigger *trigger, struct jx_view *view)
{
    char *text = required_text(function, view, pick(function, view, key_names));
    struct slice rest = slice_of(text), key;

    while (slice_cut(&rest, ' ', &key)) {
        if (key.len == 0)
            continue;
        strings_add(&trigger->keys, slice_dup(key));
        trigger->key_count++;
    }
    trigger->key_text = text;
}

void trigger_defaults(struct trigger *ret)
{
    *ret = (struct trigger){
        .polling_interval_ms = 1000,
        .messages_per_worker = 100,
        .count = COUNT_DEFAULT,
        .max_deliveries = 10,
        .claim_idle_ms = 30000,
        .pops_head = true,
        .is_reliable = true,
        .max_concurrency = 1,
        .queue_limit = 10000,
    };
}

static void read_max_deliveries(struct jx_view *view, struct trigger *ret)
{
    int64_t limit;

    if (!jx_i64(view, "maxDeliveryCount", (struct jx_range){-1, INT32_MAX}, &limit))
        return;
    if (limit == 0)
        jx_view_error(view, "maxDeliveryCount", "0 is neither -1 (no limit) nor above 0");
    ret->max_deliveries = (int32_t)limit;
}

void trigger_options_read(struct jx_view *view, struct trigger *ret, bool *ret_has_payload)
{
    static const char *const payloads[] = {"model", "ga", "value", NULL}; /* as payload_mode */
    static const char *const pollings[] = {"block", "fixed", NULL};
    static const char *const starts[] = {"0", "$", NULL};
    const char *key = NULL;
    size_t word;

    if (jx_word(view, "payload", payloads, &word)) {
        ret->payload = (enum payload_mode)word;
        *ret_has_payload = true;
    }
    if (jx_word(view, "polling", pollings, &word))
        ret->is_polling_fixed = word == 1;
    if (jx_word(view, "startFrom", starts, &word))
        ret->starts_at_end = word == 1;
    jx_bool(view, "reliable", &ret->is_reliable);
    jx_bool(view, "ackOnFailure", &ret->ack_on_failure);
    jx_bool(view, "everyNode", &ret->every_node);
    jx_u32(view, "maxConcurrency", COUNT_RANGE, &ret->max_concurrency);
    jx_u32(view, "claimIdleMs", ANY_POSITIVE, &ret->claim_idle_ms);
    jx_u32(view, "queueLimit", ANY_POSITIVE, &ret->queue_limit);
    read_max_deliveries(view, ret);
    if (jx_text(view, "deadLetterKey", &key) && !slice_is_blank(slice_of(key))) {
        free(ret->dead_letter_key);
        ret->dead_letter_key = mem_dup(key, strlen(key));
    }
}

/* How many at a time, and the divisor for scaling that follows from it. */
static void read_counts(struct function *function, struct trigger *t, struct jx_view *view)
{
    t->count = t->uses_ga_names ? COUNT_DEFAULT_GA : COUNT_DEFAULT;
    jx_u32(view, pick(function, view, count_names), COUNT_RANGE, &t->count);
    jx_u32(view, "pollingIntervalInMs", ANY_POSITIVE, &t->polling_interval_ms);
    if (!jx_u32(view, "messagesPerWorker", ANY_POSITIVE, &t->messages_per_worker) &&
        t->uses_ga_names)
        t->messages_per_worker = t->count;
}

/* listPopFromBeginning is a boolean, listDirection a word: one property all the same. */
static void read_pop_side(struct trigger *trigger, struct jx_view *view)
{
    static const char *const sides[] = {"left", "right", NULL};
    bool pops_head = true;
    size_t side = 0;
    bool has_old = jx_bool(view, "listPopFromBeginning", &pops_head);
    bool has_ga = jx_word(view, "listDirection", sides, &side);

    if (has_old && has_ga && pops_head != (side == 0))
        jx_view_error(view, "listDirection",
                      "differs from 'listPopFromBeginning', which means the same");
    trigger->pops_head = has_ga ? side == 0 : pops_head;
}

static void read_group(struct function *function, struct trigger *trigger, struct jx_view *view)
{
    const char *text = NULL;

    if (jx_text(view, "consumerGroup", &text) && !slice_is_blank(slice_of(text)))
        trigger->consumer_group = required_text(function, view, "consumerGroup");
    else
        trigger->consumer_group = mem_dup(function->name, strlen(function->name));
}

static void read_kind(struct function *function, struct trigger *trigger, struct jx_view *view)
{
    switch (trigger->type) {
    case TRIGGER_LIST:
        read_keys(function, trigger, view);
        read_counts(function, trigger, view);
        read_pop_side(trigger, view);
        break;
    case TRIGGER_STREAM:
        read_keys(function, trigger, view);
        read_counts(function, trigger, view);
        read_group(function, trigger, view);
        jx_bool(view, "deleteAfterProcess", &trigger->delete_after);
        break;
    case TRIGGER_PUBSUB:
        trigger->channel = required_text(function, view, "channel");
        trigger->is_pattern = !trigger->uses_ga_names;
        jx_bool(view, "pattern", &trigger->is_pattern);
        break;
    case TRIGGER_EVENT:
        trigger->max_concurrency = EVENTS_DEFAULT;
        jx_u32(view, "maxConcurrency", COUNT_RANGE, &trigger->max_concurrency);
        break;
    case TRIGGER_NONE:
        break;
    }
}

static enum data_type read_data_type(struct jx_view *view)
{
    static const char *const types[] = {"string", "binary", "stream", "undefined", NULL};
    size_t type = 0;

    (void)jx_word(view, "dataType", types, &type);
    return type == 1 || type == 2 ? DATA_BINARY : DATA_STRING;
}

static char *copy(const char *text)
{
    return text == NULL ? NULL : mem_dup(text, strlen(text));
}

static void read_redis_options(struct function *function, const struct host_json *host,
                               struct jx_view *view)
{
    struct trigger *trigger = &function->trigger;
    bool has_payload = host->has_payload;

    trigger->uses_ga_names = uses_ga_names(function, view);
    trigger->connection = read_connection(function, view);
    trigger_options_read(view, trigger, &has_payload);
    if (!has_payload)
        trigger->payload = trigger->uses_ga_names ? PAYLOAD_GA : PAYLOAD_MODEL;
}

void trigger_read(struct function *function, const struct host_json *host, enum trigger_type type,
                  struct jx_view *view)
{
    static const char *const cardinalities[] = {"one", "many", NULL};
    struct trigger *trigger = &function->trigger;
    const char *name = NULL;
    size_t cardinality = 0;

    *trigger = host->defaults;
    trigger->dead_letter_key = copy(host->defaults.dead_letter_key);
    trigger->type = type;
    (void)jx_text(view, "name", &name);
    trigger->name = copy(name);
    if (type != TRIGGER_EVENT)
        read_redis_options(function, host, view);
    trigger->data_type = read_data_type(view);
    if (jx_word(view, "cardinality", cardinalities, &cardinality))
        trigger->is_batch = cardinality == 1 && type != TRIGGER_PUBSUB;
    read_kind(function, trigger, view);
}

void trigger_done(struct trigger *trigger)
{
    free(trigger->name);
    free(trigger->connection);
    free(trigger->key_text);
    strings_free(trigger->keys);
    free(trigger->dead_letter_key);
    free(trigger->consumer_group);
    free(trigger->channel);
    *trigger = (struct trigger){0};
}

/* Known before any run unless the name itself comes from the metadata. */
static void check_input_command(struct jx_view *view, const char *command)
{
    struct slice rest = slice_of(command), word = SLICE_NONE;

    if (view->err || !slice_cut(&rest, ' ', &word))
        return;
    if (slice_find_byte(word, '{') == word.len && !command_is_input(word))
        jx_view_error(view, "command", "Command '%.*s' not supported for Redis Input Binding.",
                      SLICE_ARG(slice_first(word, 64)));
}

void redis_binding_read(struct function *function, struct jx_view *view, enum direction direction,
                        struct redis_binding *ret)
{
    const char *name = NULL;

    (void)jx_text(view, "name", &name);
    *ret = (struct redis_binding){.name = copy(name), .direction = direction};
    if (direction == DIRECTION_INOUT)
        jx_view_error(view, "direction",
                      "'inout' is not supported for redis: 'in' reads before the function runs, "
                      "'out' writes after it");
    ret->connection = read_connection(function, view);
    ret->command = required_text(function, view, "command");
    if (direction != DIRECTION_OUT)
        check_input_command(view, ret->command);
    ret->data_type = read_data_type(view);
}

void redis_binding_done(struct redis_binding *binding)
{
    free(binding->name);
    free(binding->connection);
    free(binding->command);
    *binding = (struct redis_binding){0};
}
