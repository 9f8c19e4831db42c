#include "base/mem.h"
#include "cmd/cache_body.h"
#include "cmd/commands.h"
#include "cmd/fields.h"
#include "cmd/screen.h"
#include "cmd/table.h"
#include "json/member.h"

#define BODY_MAX_BYTES (256 * 1024)

/* ---- what is shown ---- */

static void add_size(struct table *table, const json_t *properties)
{
    const json_t *sku = json_object_get(properties, "sku");
    json_int_t shards = field_int(properties, "shardCount");
    char text[64];

    if (shards > 0)
        snprintf(text, sizeof text, "%s%d, %d shards", field_text(sku, "family", "?"),
                 (int)field_int(sku, "capacity"), (int)shards);
    else
        snprintf(text, sizeof text, "%s%d", field_text(sku, "family", "?"),
                 (int)field_int(sku, "capacity"));
    table_text(table, field_text(sku, "name", "-"));
    table_text(table, text);
}

static void write_list(struct buf *out, const json_t *answer)
{
    const json_t *all = json_object_get(answer, "value");
    struct table table;

    table_init(&table, "NAME|STATE|TIER|SIZE|1VERSION|HOST|>PORT|>TLS PORT");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        const json_t *properties = json_object_get(one, "properties");
        table_text(&table, field_text(one, "name", "-"));
        table_text(&table, field_text(properties, "provisioningState", "-"));
        add_size(&table, properties);
        table_text(&table, field_text(properties, "redisVersion", "-"));
        table_text(&table, field_text(properties, "hostName", "-"));
        table_int(&table, field_int(properties, "port"));
        table_int(&table, field_int(properties, "sslPort"));
    }
    table_write(&table, screen_now().columns, out);
    table_done(&table);
}

static int list(const struct cmdline *line)
{
    struct buf path;

    buf_init(&path, ARM_PATH_MAX_BYTES);
    arm_add_caches(&path, line);
    int code =
        client_show(line, &(struct question){.method = "GET", .path = buf_text(&path)}, write_list);
    buf_done(&path);
    return code;
}

static int show_at(const struct cmdline *line, struct buf *path)
{
    return client_show(line, &(struct question){.method = "GET", .path = buf_text(path)},
                       fields_write);
}

static int show(const struct cmdline *line)
{
    struct buf path;

    buf_init(&path, ARM_PATH_MAX_BYTES);
    int code = arm_add_cache(&path, line, "");
    if (code == EXIT_OK)
        code = show_at(line, &path);
    buf_done(&path);
    return code;
}

/* ---- what is changed ---- */

/* Asks for it, waits, and shows the cache as it then is. */
static int change(const struct cmdline *line, const char *method, struct buf *path,
                  const char *location)
{
    struct answer answer;
    struct buf body;

    buf_init(&body, BODY_MAX_BYTES);
    int code = cache_body_write(&body, line, location);
    if (code == EXIT_OK)
        code = arm_run(
            line,
            &(struct question){.method = method, .path = buf_text(path), .body = buf_slice(&body)},
            &answer);
    buf_done(&body);
    if (code != EXIT_OK)
        return code;
    answer_done(&answer);
    return show_at(line, path);
}

static int create(const struct cmdline *line)
{
    const char *location = cmdline_value(line, "--location");
    struct buf path;

    if (cmdline_value(line, "--sku") == NULL || cmdline_value(line, "--vm-size") == NULL)
        return complain(EXIT_USAGE, "needs --sku and --vm-size: --sku Basic --vm-size C0");
    buf_init(&path, ARM_PATH_MAX_BYTES);
    arm_add_group(&path, line, "/providers/Microsoft.Cache/redis/");
    url_add_escaped(&path, slice_of(line->words[0]));
    buf_add(&path, SLICE("?api-version=2024-11-01"));
    int code = change(line, "PUT", &path, location != NULL ? location : "local");
    buf_done(&path);
    return code;
}

static int update(const struct cmdline *line)
{
    struct buf path;

    buf_init(&path, ARM_PATH_MAX_BYTES);
    int code = arm_add_cache(&path, line, "");
    if (code == EXIT_OK)
        code = change(line, "PATCH", &path, NULL);
    buf_done(&path);
    return code;
}

static int scale(const struct cmdline *line)
{
    if (cmdline_value(line, "--sku") == NULL && cmdline_value(line, "--vm-size") == NULL &&
        cmdline_value(line, "--shard-count") == NULL &&
        cmdline_value(line, "--replicas-per-master") == NULL)
        return complain(EXIT_USAGE,
                        "needs --sku, --vm-size, --shard-count or --replicas-per-master");
    return update(line);
}

static int remove_cache(const struct cmdline *line)
{
    struct answer answer;
    struct buf path;

    buf_init(&path, ARM_PATH_MAX_BYTES);
    int code = arm_add_cache(&path, line, "");
    if (code == EXIT_OK)
        code =
            arm_run(line, &(struct question){.method = "DELETE", .path = buf_text(&path)}, &answer);
    if (code == EXIT_OK)
        answer_done(&answer);
    buf_done(&path);
    return code;
}

static int keys(const struct cmdline *line)
{
    const char *key = cmdline_value(line, "--regenerate");
    struct buf path, body;

    buf_init(&path, ARM_PATH_MAX_BYTES);
    buf_init(&body, BODY_MAX_BYTES);
    if (key != NULL) {
        member_text(&body, "keyType", slice_of(key));
        if (cmdline_value(line, "--disconnect") != NULL)
            member_bool(&body, "disconnect", true);
        buf_add_byte(&body, '}');
    }
    int code = key == NULL && cmdline_value(line, "--disconnect") != NULL
                   ? complain(EXIT_USAGE, "--disconnect needs --regenerate")
                   : arm_add_cache(&path, line, key != NULL ? "/regenerateKey" : "/listKeys");
    if (code == EXIT_OK)
        code = client_show(
            line,
            &(struct question){.method = "POST", .path = buf_text(&path), .body = buf_slice(&body)},
            fields_write);
    buf_done(&body);
    buf_done(&path);
    return code;
}

#define NAMED .takes = "NAME", .words_min = 1, .words_max = 1, .asks_server = true

static const struct option create_options[] = {
    CACHE_SIZE_OPTIONS,
    CACHE_SETTING_OPTIONS,
    {.flag = "--port",
     .takes = "PORT",
     .description = "Port; that for TLS is the next one [6379 "
                    "or the next that is free]."},
    {.flag = "--location", .takes = "NAME", .description = "Stored and shown [local]."},
    {.flag = "--tags", .takes = "NAME=TEXT...", .description = "Stored and shown."},
    ARM_GROUP_OPTION,
    ARM_WAIT_OPTION,
};
const struct command cache_create_command = {
    NAMED,
    .name = "cache create",
    .summary = "Make a cache: Redis or Valkey servers that this server runs and watches.",
    .details = "With the name of a cache that is there, it becomes what is said.\n",
    .options = create_options,
    .option_count = COUNT_OF(create_options),
    .run = create,
};

static const struct option list_options[] = {
    {.flag = "--resource-group", .takes = "NAME", .description = "Only those of this group."}};
const struct command cache_list_command = {
    .name = "cache list",
    .takes = "",
    .summary = "List the caches.",
    .options = list_options,
    .option_count = COUNT_OF(list_options),
    .asks_server = true,
    .run = list,
};

static const struct option named_options[] = {ARM_GROUP_OPTION};
const struct command cache_show_command = {
    NAMED,
    .name = "cache show",
    .summary = "Show all settings of a cache, its servers and their roles.",
    .options = named_options,
    .option_count = COUNT_OF(named_options),
    .run = show,
};

static const struct option scale_options[] = {CACHE_SIZE_OPTIONS, ARM_GROUP_OPTION,
                                              ARM_WAIT_OPTION};
const struct command cache_scale_command = {
    NAMED,
    .name = "cache scale",
    .summary = "Give a cache another size, tier, or number of shards or replicas, while it works.",
    .options = scale_options,
    .option_count = COUNT_OF(scale_options),
    .run = scale,
};

static const struct option update_options[] = {
    CACHE_SETTING_OPTIONS,
    {.flag = "--tags", .takes = "NAME=TEXT...", .description = "All of them, anew."},
    ARM_GROUP_OPTION,
    ARM_WAIT_OPTION,
};
const struct command cache_update_command = {
    NAMED,
    .name = "cache update",
    .summary = "Change settings of a cache; what is not given stays.",
    .options = update_options,
    .option_count = COUNT_OF(update_options),
    .run = update,
};

static const struct option delete_options[] = {ARM_GROUP_OPTION, ARM_WAIT_OPTION};
const struct command cache_delete_command = {
    NAMED,
    .name = "cache delete",
    .summary = "Remove a cache, its data, and the event subscriptions on it.",
    .options = delete_options,
    .option_count = COUNT_OF(delete_options),
    .run = remove_cache,
};

static const struct option keys_options[] = {
    {.flag = "--regenerate",
     .takes = "KEY",
     .description = "Make Primary or Secondary anew; new connections need the new one.",
     .choices = "Primary Secondary"},
    {.flag = "--disconnect", .description = "And end the connections that there are."},
    ARM_GROUP_OPTION,
};
const struct command cache_keys_command = {
    NAMED,
    .name = "cache keys",
    .summary = "Show the two keys that clients may use as password.",
    .options = keys_options,
    .option_count = COUNT_OF(keys_options),
    .run = keys,
};
