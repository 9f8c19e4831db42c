#include <string.h>

#include "base/mem.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/fields.h"
#include "cmd/table.h"
#include "json/member.h"

#define PATH_BYTES_MAX 4096
#define BODY_BYTES_MAX (1024 * 1024)
#define SCHEMAS_TEXT "EventGridSchema CloudEventSchemaV1_0 CustomEventSchema"

static const struct option create_options[] = {
    {.flag = "--input-schema",
     .takes = "SCHEMA",
     .description = "EventGridSchema, CloudEventSchemaV1_0 or CustomEventSchema [EventGridSchema].",
     .choices = SCHEMAS_TEXT},
    {.flag = "--input-mapping-fields",
     .takes = "FIELD=PATH...",
     .description = "Where custom events have id, topic, eventTime, eventType, subject, "
                    "dataVersion."},
    {.flag = "--input-mapping-default-values",
     .takes = "FIELD=TEXT...",
     .description = "Of eventType, subject, dataVersion, for custom events that have none."},
    {.flag = "--disable-local-auth",
     .takes = "YES|NO",
     .description = "Refuse keys and SAS tokens [no].",
     .choices = "yes no"},
};
static const struct option keys_options[] = {
    {.flag = "--regenerate",
     .takes = "KEY",
     .description = "Make key1 or key2 anew; the old one is refused from then on.",
     .choices = "key1 key2"},
};

static void add_path(struct buf *path, const struct cmdline *line, const char *tail)
{
    buf_add(path, SLICE("/api/topics/"));
    url_add_escaped(path, slice_of(line->words[0]));
    buf_addf(path, "%s", tail);
}

static int ask(const struct cmdline *line, const char *method, const char *tail, struct slice body,
               void (*write)(struct buf *out, const json_t *answer))
{
    struct buf path;

    buf_init(&path, PATH_BYTES_MAX);
    add_path(&path, line, tail);
    int code = client_show(
        line, &(struct question){.method = method, .path = buf_text(&path), .body = body}, write);
    buf_done(&path);
    return code;
}

/* ---- create ---- */

static const char *const fields[] = {"id",      "topic",     "eventTime",
                                     "subject", "eventType", "dataVersion"};

static bool is_field(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (slice_eq_nocase(name, slice_of(fields[i])))
            return true;
    return false;
}

/* Are all words FIELD=TEXT? */
static int check_mapping(const struct cmdline *line, const char *flag)
{
    const struct word_list *list;

    if (cmdline_value(line, flag) != NULL)
        return complain(EXIT_USAGE, "%s: write FIELD=.. behind a space", flag);
    for (size_t at = 0; (list = cmdline_list(line, flag, &at)) != NULL;)
        for (size_t i = 0; i < list->count; i++) {
            struct slice word = slice_of(list->words[i]);
            size_t equals = slice_find_byte(word, '=');
            if (equals == word.len || !is_field(slice_first(word, equals)))
                return complain(EXIT_USAGE,
                                "%s: '%s' does not begin with id=, topic=, eventTime=, eventType=, "
                                "subject= or dataVersion=",
                                flag, list->words[i]);
        }
    return EXIT_OK;
}

/* One side of a mapping: fields with their paths, or with their default values. */
static void add_mapping(struct buf *body, const struct cmdline *line, const char *flag,
                        const char *member, const char *field)
{
    const struct word_list *list;

    for (size_t at = 0; (list = cmdline_list(line, flag, &at)) != NULL;)
        for (size_t i = 0; i < list->count; i++) {
            struct slice word = slice_of(list->words[i]);
            size_t equals = slice_find_byte(word, '=');
            if (!slice_eq_nocase(slice_first(word, equals), slice_of(field)))
                continue;
            member_text(body, member, slice_from(word, equals + 1));
            return;
        }
}

static void add_mappings(struct buf *body, const struct cmdline *line)
{
    member_open(body, "inputSchemaMapping");
    member_text(body, "inputSchemaMappingType", SLICE("Json"));
    member_open(body, "properties");
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        member_open(body, fields[i]);
        buf_add_byte(body, '{'); /* it may be empty */
        add_mapping(body, line, "--input-mapping-fields", "sourceField", fields[i]);
        add_mapping(body, line, "--input-mapping-default-values", "defaultValue", fields[i]);
        buf_add_byte(body, '}');
    }
    buf_add(body, SLICE("}}"));
}

static int create(const struct cmdline *line)
{
    const char *schema = cmdline_value(line, "--input-schema");
    const char *disable = cmdline_value(line, "--disable-local-auth");
    bool is_disabled = false;
    struct buf body;

    if (disable != NULL && !slice_to_bool(slice_of(disable), &is_disabled))
        return complain(EXIT_USAGE, "--disable-local-auth: '%s' is not yes or no", disable);
    int code = check_mapping(line, "--input-mapping-fields");
    if (code == EXIT_OK)
        code = check_mapping(line, "--input-mapping-default-values");
    if (code != EXIT_OK)
        return code;
    buf_init(&body, BODY_BYTES_MAX);
    member_open(&body, "properties");
    member_bool(&body, "disableLocalAuth", is_disabled);
    member_text_if(&body, "inputSchema", slice_of(schema));
    if (line->list_count > 0)
        add_mappings(&body, line);
    buf_add(&body, SLICE("}}"));
    code = ask(line, "PUT", "", buf_slice(&body), fields_write);
    buf_done(&body);
    return code;
}

/* ---- the others ---- */

static void write_list(struct buf *out, const json_t *answer)
{
    const json_t *topics = json_object_get(answer, "value");
    struct table table;

    table_init(&table, "NAME|INPUT SCHEMA|ENDPOINT");
    for (size_t i = 0; i < json_array_size(topics); i++) {
        const json_t *topic = json_array_get(topics, i);
        const json_t *properties = json_object_get(topic, "properties");
        table_text(&table, field_text(topic, "name", "-"));
        table_text(&table, field_text(properties, "inputSchema", "-"));
        table_text(&table, field_text(properties, "endpoint", "-"));
    }
    table_write(&table, 0, out);
    table_done(&table);
}

static int list(const struct cmdline *line)
{
    return client_show(line, &(struct question){.method = "GET", .path = "/api/topics"},
                       write_list);
}

static int show(const struct cmdline *line)
{
    return ask(line, "GET", "", SLICE_NONE, fields_write);
}

static int keys(const struct cmdline *line)
{
    const char *key = cmdline_value(line, "--regenerate");
    struct buf body;

    if (key == NULL)
        return ask(line, "GET", "/keys", SLICE_NONE, fields_write);
    if (strcmp(key, "key1") != 0 && strcmp(key, "key2") != 0)
        return complain(EXIT_USAGE, "--regenerate: '%s' is not key1 or key2", key);
    buf_init(&body, BODY_BYTES_MAX);
    member_text(&body, "keyName", slice_of(key));
    buf_add_byte(&body, '}');
    int code = ask(line, "POST", "/regenerate", buf_slice(&body), fields_write);
    buf_done(&body);
    return code;
}

static int remove_topic(const struct cmdline *line)
{
    return ask(line, "DELETE", "", SLICE_NONE, NULL);
}

const struct command topic_create_command = {
    .name = "topic create",
    .takes = "NAME",
    .summary = "Make a topic that publishers send events to, or change its settings.",
    .options = create_options,
    .option_count = COUNT_OF(create_options),
    .words_min = 1,
    .words_max = 1,
    .asks_server = true,
    .run = create,
};

const struct command topic_list_command = {
    .name = "topic list",
    .takes = "",
    .summary = "List the topics.",
    .asks_server = true,
    .run = list,
};

const struct command topic_show_command = {
    .name = "topic show",
    .takes = "NAME",
    .summary = "Show all settings of a topic.",
    .words_min = 1,
    .words_max = 1,
    .asks_server = true,
    .run = show,
};

const struct command topic_keys_command = {
    .name = "topic keys",
    .takes = "NAME",
    .summary = "Show the two keys that publishers may use.",
    .options = keys_options,
    .option_count = COUNT_OF(keys_options),
    .words_min = 1,
    .words_max = 1,
    .asks_server = true,
    .run = keys,
};

const struct command topic_delete_command = {
    .name = "topic delete",
    .takes = "NAME",
    .summary = "Remove a topic, its subscriptions, and all that they still had to deliver.",
    .words_min = 1,
    .words_max = 1,
    .asks_server = true,
    .run = remove_topic,
};
