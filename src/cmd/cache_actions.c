/* What is done to a cache without changing what it is. */
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/arm.h"
#include "cmd/commands.h"
#include "cmd/fields.h"
#include "cmd/option_json.h"
#include "json/member.h"

#define BODY_MAX_BYTES (256 * 1024)

static void write_message(struct buf *out, const json_t *answer)
{
    buf_addf(out, "%s\n", field_text(answer, "message", ""));
}

/* Asks for it and waits. `body` is taken; empty = none. */
static int act(const struct cmdline *line, const char *action, struct buf *body)
{
    struct answer answer;
    struct buf path, out;

    buf_init(&path, ARM_PATH_MAX_BYTES);
    buf_init(&out, BODY_MAX_BYTES);
    int code = arm_add_cache(&path, line, action);
    if (code == EXIT_OK)
        code = arm_run(
            line,
            &(struct question){.method = "POST", .path = buf_text(&path), .body = buf_slice(body)},
            &answer);
    if (code == EXIT_OK && json_object_get(answer.json, "message") != NULL)
        write_message(&out, answer.json);
    if (code == EXIT_OK)
        answer_done(&answer);
    buf_done(&path);
    buf_done(body);
    return code == EXIT_OK ? print(&out) : (buf_done(&out), code);
}

static int act_on_shard(const struct cmdline *line, const char *action, const char *member,
                        const char *value)
{
    struct buf body;

    buf_init(&body, BODY_MAX_BYTES);
    buf_add_byte(&body, '{');
    member_text_if(&body, member, slice_of(value));
    int code = option_add_number(&body, line, "--shard-id", "shardId");
    buf_add_byte(&body, '}');
    if (code == EXIT_OK)
        return act(line, action, &body);
    buf_done(&body);
    return code;
}

static int patch(const struct cmdline *line)
{
    return act_on_shard(line, "/patch", "serverPath", cmdline_value(line, "--server-path"));
}

static int failover(const struct cmdline *line)
{
    return act_on_shard(line, "/failover", "", NULL);
}

static int reboot(const struct cmdline *line)
{
    const char *type = cmdline_value(line, "--reboot-type");

    return act_on_shard(line, "/forceReboot", "rebootType", type != NULL ? type : "AllNodes");
}

static int flush(const struct cmdline *line)
{
    struct buf none;

    buf_init(&none, BODY_MAX_BYTES);
    return act(line, "/flush", &none);
}

/* A directory of this machine may be named as a path. */
static void add_place(struct buf *out, struct slice place)
{
    struct buf text;

    if (place.len == 0 || place.data[0] != '/') {
        jx_write_string(out, place);
        return;
    }
    buf_init(&text, BODY_MAX_BYTES);
    buf_addf(&text, "file://%.*s", SLICE_ARG(place));
    jx_write_string(out, buf_slice(&text));
    buf_done(&text);
}

static int export_cache(const struct cmdline *line)
{
    const char *prefix = cmdline_value(line, "--prefix");
    const char *container = cmdline_value(line, "--container");
    struct buf body;

    if (prefix == NULL || container == NULL)
        return complain(EXIT_USAGE, "needs --prefix and --container");
    buf_init(&body, BODY_MAX_BYTES);
    member_text(&body, "prefix", slice_of(prefix));
    member_open(&body, "container");
    add_place(&body, slice_of(container));
    buf_add_byte(&body, '}');
    return act(line, "/export", &body);
}

static int import_cache(const struct cmdline *line)
{
    const struct word_list *list;
    size_t count = 0;
    struct buf body;

    buf_init(&body, BODY_MAX_BYTES);
    member_open(&body, "files");
    buf_add_byte(&body, '[');
    for (size_t at = 0; (list = cmdline_list(line, "--files", &at)) != NULL;)
        for (size_t i = 0; i < list->count; i++) {
            buf_add(&body, count++ > 0 ? SLICE(",") : SLICE(""));
            add_place(&body, slice_of(list->words[i]));
        }
    buf_add(&body, SLICE("]}"));
    if (count > 0)
        return act(line, "/import", &body);
    buf_done(&body);
    return complain(EXIT_USAGE, "needs --files: file:///backup/a.rdb, or a URL of a blob");
}

#define NAMED .takes = "NAME", .words_min = 1, .words_max = 1, .asks_server = true
#define SHARD_OPTION                                                                               \
    {                                                                                              \
        .flag = "--shard-id", .takes = "N",                                                        \
        .description = "Of a cache with shards: only this one."                                    \
    }

static const struct option patch_options[] = {
    {.flag = "--server-path",
     .takes = "PROGRAM",
     .description = "redis-server or valkey-server to go on with [the one in PATH]."},
    ARM_GROUP_OPTION,
    ARM_WAIT_OPTION,
};
const struct command cache_patch_command = {
    NAMED,
    .name = "cache patch",
    .summary = "Take a cache to another version of its server, one server after the other.",
    .details = "With the version that is there, all servers are replaced by fresh ones. Clients "
               "keep their\naddress; what was acknowledged stays.\n",
    .options = patch_options,
    .option_count = COUNT_OF(patch_options),
    .run = patch,
};

static const struct option failover_options[] = {SHARD_OPTION, ARM_GROUP_OPTION, ARM_WAIT_OPTION};
const struct command cache_failover_command = {
    NAMED,
    .name = "cache failover",
    .summary = "Make a replica the primary, without loss: the rehearsal of a patch.",
    .options = failover_options,
    .option_count = COUNT_OF(failover_options),
    .run = failover,
};

static const struct option reboot_options[] = {
    {.flag = "--reboot-type",
     .takes = "TYPE",
     .description = "PrimaryNode, SecondaryNode or AllNodes [AllNodes].",
     .choices = "PrimaryNode SecondaryNode AllNodes"},
    SHARD_OPTION,
    ARM_GROUP_OPTION,
    ARM_WAIT_OPTION,
};
const struct command cache_reboot_command = {
    NAMED,
    .name = "cache reboot",
    .summary = "Start the servers of a cache anew, one after the other; the data stays.",
    .options = reboot_options,
    .option_count = COUNT_OF(reboot_options),
    .run = reboot,
};

static const struct option flush_options[] = {ARM_GROUP_OPTION, ARM_WAIT_OPTION};
const struct command cache_flush_command = {
    NAMED,
    .name = "cache flush",
    .summary = "Remove all keys of a cache.",
    .options = flush_options,
    .option_count = COUNT_OF(flush_options),
    .run = flush,
};

static const struct option export_options[] = {
    {.flag = "--prefix", .takes = "NAME", .description = "The file is called NAME.rdb."},
    {.flag = "--container",
     .takes = "PLACE",
     .description = "A blob container's URL with its SAS, or a folder of the server (setting "
                    "caches.file_dirs)."},
    ARM_GROUP_OPTION,
    ARM_WAIT_OPTION,
};
const struct command cache_export_command = {
    NAMED,
    .name = "cache export",
    .summary = "Write the data of a cache into an RDB file, while it works.",
    .options = export_options,
    .option_count = COUNT_OF(export_options),
    .run = export_cache,
};

static const struct option import_options[] = {
    {.flag = "--files",
     .takes = "PLACE...",
     .description = "URLs of blobs with their SAS, or files of the server (setting "
                    "caches.file_dirs); later ones win."},
    ARM_GROUP_OPTION,
    ARM_WAIT_OPTION,
};
const struct command cache_import_command = {
    NAMED,
    .name = "cache import",
    .summary = "Replace the data of a cache by that of RDB files.",
    .details = "The old data is served until the new is there whole; if the files cannot be "
               "loaded, it stays.\n",
    .options = import_options,
    .option_count = COUNT_OF(import_options),
    .run = import_cache,
};
