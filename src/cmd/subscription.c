#include "base/mem.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/destination_body.h"
#include "cmd/fields.h"
#include "cmd/screen.h"
#include "cmd/subscription_body.h"
#include "cmd/subscription_path.h"
#include "cmd/table.h"

#define PATH_BYTES_MAX 8192
#define BODY_BYTES_MAX (1024 * 1024)
#define HANDSHAKE_MS 90000 /* an endpoint may take its time, twice */

static int ask(const struct cmdline *line, const char *method, struct slice body,
               void (*write)(struct buf *out, const json_t *answer))
{
    struct buf path;

    buf_init(&path, PATH_BYTES_MAX);
    int code = line->word_count > 0 ? subscription_path_add(&path, line, line->words[0], "")
                                    : subscription_path_add_all(&path, line);
    if (code == EXIT_OK)
        code = client_show(line,
                           &(struct question){.method = method,
                                              .path = buf_text(&path),
                                              .body = body,
                                              .timeout_ms = HANDSHAKE_MS},
                           write);
    buf_done(&path);
    return code;
}

/* What somebody must do who reads the answer. */
static void write_made(struct buf *out, const json_t *answer)
{
    const json_t *properties = json_object_get(answer, "properties");
    struct slice state = slice_of(field_text(properties, "provisioningState", ""));

    fields_write(out, answer);
    if (slice_eq(state, SLICE("AwaitingManualAction")))
        buf_add(out, SLICE("\nThe endpoint did not confirm itself: open the validation URL that it "
                           "was sent, before the\ntime is over (setting "
                           "delivery.validation_ms).\n"));
}

static int change(const struct cmdline *line, const char *method)
{
    struct buf body;

    buf_init(&body, BODY_BYTES_MAX);
    int code = subscription_body_write(&body, line);
    if (code == EXIT_OK)
        code = ask(line, method, buf_slice(&body), write_made);
    buf_done(&body);
    return code;
}

static int create(const struct cmdline *line)
{
    if (!destination_is_named(line) && cmdline_value(line, "--delivery-mode") == NULL)
        return complain(EXIT_USAGE, "needs --endpoint, --function, --stream, --list or --channel, "
                                    "or --delivery-mode queue");
    return change(line, "PUT");
}

static int update(const struct cmdline *line)
{
    return change(line, "PATCH");
}

static int show(const struct cmdline *line)
{
    return ask(line, "GET", SLICE_NONE, fields_write);
}

static int remove_subscription(const struct cmdline *line)
{
    return ask(line, "DELETE", SLICE_NONE, NULL);
}

/* Of a function's id APP/functions/NAME, which alone counts. */
static const char *short_id(const char *id)
{
    static const char before[] = "/sites/";
    size_t at = slice_find(slice_of(id), slice_of(before));

    return id[at] != '\0' ? id + at + sizeof before - 1 : id;
}

/* What is special about it, else its kind. */
static const char *destination_text(const json_t *properties)
{
    static const char *const members[] = {"endpointBaseUrl", "stream", "list", "channel"};
    const json_t *destination = json_object_get(properties, "destination");
    const json_t *inner = json_object_get(destination, "properties");

    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (json_object_get(inner, members[i]) != NULL)
            return field_text(inner, members[i], "-");
    if (json_object_get(inner, "resourceId") != NULL)
        return short_id(field_text(inner, "resourceId", "-"));
    return field_text(destination, "endpointType", "queue");
}

static const char *last_part(const char *id)
{
    const char *last = id;

    for (; *id != '\0'; id++)
        if (*id == '/')
            last = id + 1;
    return last;
}

static void write_list(struct buf *out, const json_t *answer)
{
    const json_t *all = json_object_get(answer, "value");
    struct table table;

    table_init(&table, "NAME|TOPIC|STATE|1SCHEMA|>QUEUED|>DEAD|DESTINATION");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        const json_t *properties = json_object_get(one, "properties");
        table_text(&table, field_text(one, "name", "-"));
        table_text(&table, last_part(field_text(properties, "topic", "-")));
        table_text(&table, field_text(properties, "provisioningState", "-"));
        table_text(&table, field_text(properties, "eventDeliverySchema", "-"));
        table_int(&table, field_int(json_object_get(one, "counts"), "queued"));
        table_int(&table, field_int(json_object_get(one, "counts"), "deadLetters"));
        table_text(&table, destination_text(properties));
    }
    table_write(&table, screen_now().columns, out);
    table_done(&table);
}

static int list(const struct cmdline *line)
{
    return ask(line, "GET", SLICE_NONE, write_list);
}

#define NAMED                                                                                      \
    .takes = "NAME", .words_min = 1, .words_max = 1, .asks_server = true,                          \
    .options = subscription_options

const struct command subscription_create_command = {
    NAMED,
    .name = "subscription create",
    .summary = "Have events of a topic delivered.",
    .details =
        "An endpoint is asked first whether it wants them, and must answer within 30 "
        "seconds; it is\nasked once more when it fails. Functions and Redis are not asked.\n",
    .option_count = SUBSCRIPTION_OPTION_COUNT,
    .run = create,
};

const struct command subscription_update_command = {
    NAMED,
    .name = "subscription update",
    .summary = "Change a subscription; what is not given stays.",
    .details = "Another endpoint is asked first; until it has agreed, events go to the old one. "
               "Options of\nfilters make the whole filter anew.\n",
    .option_count = SUBSCRIPTION_OPTION_COUNT,
    .run = update,
};

const struct command subscription_list_command = {
    .name = "subscription list",
    .takes = "",
    .summary = "List the event subscriptions, all or those of one topic.",
    .options = subscription_options,
    .option_count = SUBSCRIPTION_SCOPE_COUNT,
    .asks_server = true,
    .run = list,
};

const struct command subscription_show_command = {
    NAMED,
    .name = "subscription show",
    .summary = "Show all settings of a subscription.",
    .option_count = SUBSCRIPTION_SCOPE_COUNT,
    .run = show,
};

const struct command subscription_delete_command = {
    NAMED,
    .name = "subscription delete",
    .summary = "Remove a subscription, its dead letters, and all that it still had to deliver.",
    .option_count = SUBSCRIPTION_SCOPE_COUNT,
    .run = remove_subscription,
};
