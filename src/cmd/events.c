#include <stdio.h>

#include "base/mem.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/follow.h"
#include "wire/url.h"

#define PATH_BYTES_MAX 1024
#define LINE_BYTES_MAX (64 * 1024)
#define WHERE_BYTES 140 /* a topic and a subscription */

static const struct option options[] = {
    {"--topic", "NAME", "Only what happens to events of this topic.", NULL},
    {"--subscription", "NAME", "Only what happens to events of this subscription.", NULL},
};

/* "2026-01-01T10:20:30.123Z" --> "10:20:30.123" */
static struct slice clock_of(const json_t *line, const char *name)
{
    struct slice time = slice_of(field_text(line, name, ""));
    return time.len == 24 ? slice_first(slice_from(time, 11), 12) : time;
}

static void add_event(struct buf *out, const json_t *line)
{
    static const char *const names[] = {"id", "type", "subject"};
    struct slice what = slice_of(field_text(line, "what", ""));
    bool is_whole = slice_eq(what, SLICE("published")); /* afterwards the id is enough */

    for (size_t i = 0; i < (is_whole ? COUNT_OF(names) : 1); i++)
        if (field_text(line, names[i], NULL) != NULL)
            buf_addf(out, "  %s", field_text(line, names[i], ""));
}

static void add_status(struct buf *out, const json_t *line)
{
    if (field_int(line, "status") > 0)
        buf_addf(out, ", status %lld", (long long)field_int(line, "status"));
}

static void add_published(struct buf *out, const json_t *line)
{
    long long count = (long long)field_int(line, "count");
    buf_addf(out, "  for %lld subscription%s", count, count == 1 ? "" : "s");
}

static void add_delivered(struct buf *out, const json_t *line)
{
    buf_addf(out, "  attempt %lld", (long long)field_int(line, "attempt"));
    add_status(out, line);
    buf_addf(out, ", after %.1f ms", field_real(line, "tookMs"));
}

static void add_failed(struct buf *out, const json_t *line)
{
    buf_addf(out, "  attempt %lld: %s", (long long)field_int(line, "attempt"),
             field_text(line, "outcome", "?"));
    add_status(out, line);
}

static void add_parked(struct buf *out, const json_t *line)
{
    buf_addf(out, "  until %.*s", SLICE_ARG(clock_of(line, "until")));
}

static void add_dead(struct buf *out, const json_t *line)
{
    long long count = (long long)field_int(line, "count");

    if (count > 0) { /* pull clients did not say in time what becomes of them */
        buf_addf(out, "  %lld: %s", count, field_text(line, "reason", "?"));
        return;
    }
    count = (long long)field_int(line, "attempt");
    buf_addf(out, "  after %lld attempt%s: %s", count, count == 1 ? "" : "s",
             field_text(line, "reason", "?"));
}

static void add_reason(struct buf *out, const json_t *line)
{
    buf_addf(out, "  %s", field_text(line, "reason", "?"));
}

static void add_dropped(struct buf *out, const json_t *line)
{
    buf_addf(out, "  %lld", (long long)field_int(line, "count"));
}

static void add_pulled(struct buf *out, const json_t *line)
{
    add_dropped(out, line);
    buf_addf(out, " %s", field_text(line, "reason", "?"));
}

static const struct row {
    const char *what;
    void (*add)(struct buf *out, const json_t *line);
} rows[] = {
    {"published", add_published}, {"refused", add_reason},  {"delivered", add_delivered},
    {"failed", add_failed},       {"parked", add_parked},   {"dead", add_dead},
    {"pulled", add_pulled},       {"dropped", add_dropped},
};

static void add_line(struct buf *out, const json_t *line)
{
    const char *what = field_text(line, "what", "?");
    const char *subscription = field_text(line, "subscription", NULL);
    char where[WHERE_BYTES];

    if (slice_eq(slice_of(what), SLICE("missed"))) {
        long long count = (long long)field_int(line, "count");
        buf_addf(out, "%lld line%s lost: this reader is too slow", count,
                 count == 1 ? " was" : "s were");
        return;
    }
    snprintf(where, sizeof where, "%s%s%s", field_text(line, "topic", ""),
             subscription != NULL ? "/" : "", subscription != NULL ? subscription : "");
    buf_addf(out, "%.*s  %-9s  %s", SLICE_ARG(clock_of(line, "time")), what, where);
    add_event(out, line);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_eq(slice_of(rows[i].what), slice_of(what)))
            rows[i].add(out, line);
}

static void show_line(struct slice text, bool is_raw)
{
    json_t *json = NULL;
    struct buf out;

    if (is_raw || jx_parse(text, NULL, NULL, &json, NULL) != E_OK) {
        printf("%.*s\n", SLICE_ARG(text));
        return;
    }
    buf_init(&out, LINE_BYTES_MAX);
    add_line(&out, json);
    show_text(buf_slice(&out));
    buf_done(&out);
    json_decref(json);
}

static void add_parameter(struct buf *path, const struct cmdline *line, const char *flag)
{
    const char *value = cmdline_value(line, flag);

    if (value == NULL)
        return;
    buf_addf(path, "%c%s=", slice_find_byte(buf_slice(path), '?') == path->len ? '?' : '&',
             flag + 2);
    url_add_escaped(path, slice_of(value));
}

static int tail(const struct cmdline *line)
{
    struct buf path;

    buf_init(&path, PATH_BYTES_MAX);
    buf_add(&path, SLICE("/api/events"));
    add_parameter(&path, line, "--topic");
    add_parameter(&path, line, "--subscription");
    int code = follow_lines(line, buf_text(&path), show_line);
    buf_done(&path);
    return code;
}

const struct command events_tail_command = {
    .name = "events tail",
    .takes = "",
    .summary = "Show live what happens to events: published, delivered, failed, dead.",
    .details = "One line each, from now on, of the node that is asked; Ctrl-C ends it. Times are "
               "UTC. A reader\nthat is too slow loses lines, and is told how many.\n",
    .options = options,
    .option_count = COUNT_OF(options),
    .asks_server = true,
    .run = tail,
};
