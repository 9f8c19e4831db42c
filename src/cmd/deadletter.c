/* A redrive or purge is asked for in parts of some seconds, each of which says where to go on: so
 * ^C stops it soon, and a server that restarts loses nothing but the part under way. */
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/fields.h"
#include "cmd/option_json.h"
#include "cmd/subscription_path.h"
#include "cmd/table.h"
#include "json/member.h"

#define PATH_BYTES_MAX 8192
#define BODY_BYTES_MAX (1024 * 1024)
#define PART_SECONDS 5
#define PART_MS 120000     /* a store may be slow */
#define SLOWLY_MS 86400000 /* ids come as one part, whatever the rate is */

#define SCOPE_OPTIONS                                                                              \
    {.flag = "--topic", .takes = "NAME", .description = "The topic of the subscription."},         \
        {.flag = "--source-resource-id",                                                           \
         .takes = "ID",                                                                            \
         .description = "The resource of the subscription, instead."},                             \
    {                                                                                              \
        .flag = "--subscription", .takes = "NAME", .description = "Whose dead letters."            \
    }

#define CONDITION_OPTIONS                                                                          \
    {.flag = "--id", .takes = "ID...", .description = "Only these."},                              \
        {.flag = "--after",                                                                        \
         .takes = "TIME",                                                                          \
         .description = "Only what died at this time or later, 2030-01-01T00:00:00Z."},            \
        {.flag = "--before", .takes = "TIME", .description = "Only what died before this time."},  \
        {.flag = "--reason",                                                                       \
         .takes = "REASON",                                                                        \
         .description = "Only with this reason, as TimeToLiveExceeded."},                          \
    {                                                                                              \
        .flag = "--filter", .takes = "KEY OPERATOR [VALUE...]",                                    \
        .description =                                                                             \
            "Only events whose key has such a value: data.n NumberGreaterThan 5; again for more."  \
    }

#define DRY_OPTION                                                                                 \
    {                                                                                              \
        .flag = "--dry-run", .description = "Show how many and which it would be, and do nothing." \
    }

static const struct option list_options[] = {
    SCOPE_OPTIONS,
    CONDITION_OPTIONS,
    {.flag = "--limit", .takes = "N", .description = "At most so many, up to 1000 [100]."},
    {.flag = "--from", .takes = "ID", .description = "Those behind this one."},
};
static const struct option show_options[] = {SCOPE_OPTIONS};
static const struct option redrive_options[] = {
    SCOPE_OPTIONS,
    CONDITION_OPTIONS,
    DRY_OPTION,
    {.flag = "--rate", .takes = "N", .description = "So many a second [as fast as it goes]."},
    {.flag = "--limit", .takes = "N", .description = "At most so many, the oldest first."},
};
static const struct option purge_options[] = {
    SCOPE_OPTIONS,
    CONDITION_OPTIONS,
    DRY_OPTION,
    {.flag = "--limit", .takes = "N", .description = "At most so many, the oldest first."},
    {.flag = "--all", .description = "All of them; needed when nothing says which."},
};

/* ---- the question ---- */

static int add_path(struct buf *path, const struct cmdline *line, const char *tail)
{
    const char *subscription = cmdline_value(line, "--subscription");

    if (subscription == NULL)
        return complain(EXIT_USAGE, "needs --subscription, and --topic or --source-resource-id");
    return subscription_path_add(path, line, subscription, tail);
}

/* Where a part begins, and how many it may have. */
struct part {
    char *from, *until; /* NULL = the first part */
    uint64_t limit;     /* 0 = none */
};

static void add_flag(struct buf *out, const struct cmdline *line, const char *flag,
                     const char *name)
{
    if (cmdline_value(line, flag) != NULL)
        member_bool(out, name, true);
}

static int add_filter(struct buf *out, const struct cmdline *line)
{
    size_t start = out->len;

    member_open(out, "filter");
    buf_add_byte(out, '{');
    size_t empty = out->len;
    int code = option_add_filters(out, line, "--filter");
    if (out->len == empty)
        out->len = start;
    else
        buf_add_byte(out, '}');
    return code;
}

static int write_body(struct buf *out, const struct cmdline *line, const struct part *part)
{
    member_u64(out, "seconds", PART_SECONDS);
    option_add_texts(out, line, "--id", "ids");
    option_add_text(out, line, "--after", "diedAfter");
    option_add_text(out, line, "--before", "diedBefore");
    option_add_text(out, line, "--reason", "reason");
    add_flag(out, line, "--dry-run", "dryRun");
    add_flag(out, line, "--all", "all");
    member_text_if(out, "from",
                   slice_of(part->from != NULL ? part->from : cmdline_value(line, "--from")));
    member_text_if(out, "until", slice_of(part->until));
    if (part->limit > 0)
        member_u64(out, "limit", part->limit);
    int code = option_add_number(out, line, "--rate", "rate");
    if (code == EXIT_OK)
        code = add_filter(out, line);
    buf_add_byte(out, '}');
    return code;
}

static int read_limit(const struct cmdline *line, uint64_t *ret)
{
    const char *text = cmdline_value(line, "--limit");

    *ret = 0;
    if (text != NULL && (!slice_to_u64(slice_of(text), ret) || *ret == 0 || *ret > UINT32_MAX))
        return complain(EXIT_USAGE, "--limit: '%s' is not a number from 1 on", text);
    return EXIT_OK;
}

static int ask_part(const struct cmdline *line, const char *tail, const struct part *part,
                    struct answer *ret)
{
    bool is_slow = cmdline_value(line, "--rate") != NULL && line->list_count > 0;
    struct buf path, body;

    buf_init(&path, PATH_BYTES_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    int code = add_path(&path, line, tail);
    if (code == EXIT_OK)
        code = write_body(&body, line, part);
    if (code == EXIT_OK)
        code = client_ask(line,
                          &(struct question){.method = "POST",
                                             .path = buf_text(&path),
                                             .body = buf_slice(&body),
                                             .timeout_ms = is_slow ? SLOWLY_MS : PART_MS},
                          ret);
    buf_done(&path);
    buf_done(&body);
    return code;
}

/* What is in the store was dealt with all the same. */
static int complain_of_storage(const char *error)
{
    if (error == NULL)
        return EXIT_OK;
    return complain(EXIT_FAILED, "the storage of dead letters failed: %s", error);
}

/* ---- list, show ---- */

static const char *const id_names[] = {"id"};
static const char *const type_names[] = {"eventType", "type"};

/* A member of the event, in whatever form its dead letter has. */
static const char *event_text(const json_t *row, const char *const *names, size_t count)
{
    const json_t *letter = json_object_get(row, "deadLetter");
    const json_t *inner = json_object_get(letter, "event");
    const char *found = "-";

    for (size_t i = 0; i < count; i++)
        found = field_text(json_object_get(letter, "deadLetterProperties") != NULL ? inner : letter,
                           names[i], found);
    return found;
}

static void write_rows(struct buf *out, const json_t *rows)
{
    struct table table;

    table_init(&table, "ID|DIED|REASON|>ATTEMPTS|OUTCOME|>STATUS|TYPE|EVENT");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        table_text(&table, field_text(row, "id", "-"));
        table_text(&table, field_text(row, "diedAt", "-"));
        table_text(&table, field_text(row, "reason", "-"));
        table_int(&table, field_int(row, "attempts"));
        table_text(&table, field_text(row, "lastOutcome", "-"));
        table_int(&table, field_int(row, "lastStatus"));
        table_text(&table, event_text(row, type_names, COUNT_OF(type_names)));
        table_text(&table, event_text(row, id_names, COUNT_OF(id_names)));
    }
    table_write(&table, 0, out);
    table_done(&table);
}

static int list(const struct cmdline *line)
{
    struct part part = {0};
    struct answer answer;
    struct buf out;
    int code = read_limit(line, &part.limit);

    if (code == EXIT_OK)
        code = ask_part(line, "/listDeadLetters", &part, &answer);
    if (code != EXIT_OK)
        return code;
    buf_init(&out, ANSWER_BYTES_MAX);
    const char *next = field_text(answer.json, "next", NULL);
    if (line->is_json)
        buf_add(&out, buf_slice(&answer.text));
    else
        write_rows(&out, json_object_get(answer.json, "value"));
    if (!line->is_json && next != NULL)
        buf_addf(&out, "\nThere may be more: --from '%s'\n", next);
    code = print(&out);
    if (code == EXIT_OK)
        code = complain_of_storage(field_text(answer.json, "storageError", NULL));
    answer_done(&answer);
    return code;
}

static int show(const struct cmdline *line)
{
    struct buf path, tail;

    buf_init(&path, PATH_BYTES_MAX);
    buf_init(&tail, PATH_BYTES_MAX);
    buf_add(&tail, SLICE("/deadletters/"));
    url_add_escaped(&tail, slice_of(line->words[0]));
    int code = add_path(&path, line, buf_text(&tail));
    if (code == EXIT_OK)
        code = client_show(line, &(struct question){.method = "GET", .path = buf_text(&path)},
                           fields_write);
    buf_done(&path);
    buf_done(&tail);
    return code;
}

/* ---- redrive, purge ---- */

struct doing {
    const char *tail;
    const char *done; /* what has become of them, and the member that counts it */
};

struct sums {
    json_int_t done, matched, missing;
    json_t *rows; /* of a dry run */
};

static void add_up(struct sums *sums, const struct doing *doing, const json_t *answer)
{
    sums->done += field_int(answer, doing->done);
    sums->matched += field_int(answer, "matched");
    sums->missing += field_int(answer, "notFound");
    if (sums->rows == NULL)
        sums->rows = json_incref(json_object_get(answer, "value"));
}

/* False: that was the last part. */
static bool next_part(struct part *part, const json_t *answer)
{
    const char *next = field_text(answer, "next", NULL);
    const char *until = field_text(answer, "until", NULL);
    uint64_t matched = (uint64_t)field_int(answer, "matched");

    free(part->from);
    free(part->until);
    part->from = next != NULL ? slice_dup(slice_of(next)) : NULL;
    part->until = until != NULL ? slice_dup(slice_of(until)) : NULL;
    if (part->limit > 0 && matched >= part->limit)
        return false;
    part->limit -= part->limit > 0 ? matched : 0;
    return next != NULL;
}

static void write_sums(struct buf *out, const struct cmdline *line, const struct doing *doing,
                       const struct sums *sums)
{
    bool is_dry = cmdline_value(line, "--dry-run") != NULL;

    if (line->is_json) {
        member_i64(out, doing->done, sums->done);
        member_i64(out, "matched", sums->matched);
        member_i64(out, "notFound", sums->missing);
        if (is_dry) {
            member_open(out, "value");
            jx_dump(out, sums->rows);
        }
        buf_add(out, SLICE("}\n"));
        return;
    }
    if (is_dry) {
        write_rows(out, sums->rows);
        buf_addf(out, "\n%lld dead letter%s would be %s", (long long)sums->matched,
                 sums->matched == 1 ? "" : "s", doing->done);
        if (json_array_size(sums->rows) < (size_t)sums->matched)
            buf_addf(out, "; the first %zu are shown", json_array_size(sums->rows));
        buf_add(out, SLICE("\n"));
    } else {
        buf_addf(out, "%lld dead letter%s %s\n", (long long)sums->done,
                 sums->done == 1 ? " was" : "s were", doing->done);
    }
    if (sums->missing > 0)
        buf_addf(out, "%lld of the ids %s not there\n", (long long)sums->missing,
                 sums->missing == 1 ? "is" : "are");
}

static int act(const struct cmdline *line, const struct doing *doing)
{
    struct part part = {0};
    struct sums sums = {0};
    struct answer answer;
    struct buf out;
    bool has_more = true;
    int code = read_limit(line, &part.limit);

    while (code == EXIT_OK && has_more) {
        code = ask_part(line, doing->tail, &part, &answer);
        if (code != EXIT_OK)
            break;
        add_up(&sums, doing, answer.json);
        has_more = next_part(&part, answer.json);
        code = complain_of_storage(field_text(answer.json, "storageError", NULL));
        answer_done(&answer);
    }
    buf_init(&out, ANSWER_BYTES_MAX);
    if (code == EXIT_OK || sums.done > 0)
        write_sums(&out, line, doing, &sums);
    if (print(&out) != EXIT_OK && code == EXIT_OK)
        code = EXIT_FAILED;
    free(part.from);
    free(part.until);
    json_decref(sums.rows);
    return code;
}

static int redrive(const struct cmdline *line)
{
    return act(line, &(struct doing){"/redriveDeadLetters", "redriven"});
}

static int purge(const struct cmdline *line)
{
    bool is_narrow = line->list_count > 0 || cmdline_value(line, "--id") != NULL ||
                     cmdline_value(line, "--after") != NULL ||
                     cmdline_value(line, "--before") != NULL ||
                     cmdline_value(line, "--reason") != NULL;

    if (!is_narrow && cmdline_value(line, "--all") == NULL &&
        cmdline_value(line, "--dry-run") == NULL)
        return complain(EXIT_USAGE, "this would purge all dead letters of the subscription for "
                                    "good: say --all, or which ones: --id, --after, --before, "
                                    "--reason, --filter; --dry-run shows them");
    return act(line, &(struct doing){"/purgeDeadLetters", "purged"});
}

const struct command deadletter_list_command = {
    .name = "deadletter list",
    .takes = "",
    .summary = "List events that were given up, the oldest first.",
    .options = list_options,
    .option_count = COUNT_OF(list_options),
    .asks_server = true,
    .run = list,
};

const struct command deadletter_show_command = {
    .name = "deadletter show",
    .takes = "ID",
    .summary = "Show a dead letter: the event, and what became of it.",
    .options = show_options,
    .option_count = COUNT_OF(show_options),
    .words_min = 1,
    .words_max = 1,
    .asks_server = true,
    .run = show,
};

const struct command deadletter_redrive_command = {
    .name = "deadletter redrive",
    .takes = "",
    .summary = "Have dead letters delivered anew, all or some, with all attempts before them.",
    .details = "What dies again meanwhile is not redriven a second time.\n",
    .options = redrive_options,
    .option_count = COUNT_OF(redrive_options),
    .asks_server = true,
    .run = redrive,
};

const struct command deadletter_purge_command = {
    .name = "deadletter purge",
    .takes = "",
    .summary = "Remove dead letters for good.",
    .options = purge_options,
    .option_count = COUNT_OF(purge_options),
    .asks_server = true,
    .run = purge,
};
