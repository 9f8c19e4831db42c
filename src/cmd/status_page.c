#include "cmd/status_page.h"

#include <string.h>

#include "cmd/client.h"
#include "cmd/event_page.h"
#include "cmd/screen.h"
#include "cmd/table.h"

#define HEAD                                                                                       \
    "FUNCTION|7APP|1LANGUAGE|2TRIGGER|3SOURCE|STATE|>OK|9>FAILED|8>DEAD|>BACKLOG|6>PENDING|"       \
    "5>RUNNING|4>AVG MS"

static const json_t *same_function(const json_t *functions, const json_t *function)
{
    size_t index;
    const json_t *each;

    json_array_foreach(
        functions, index,
        each) if (strcmp(field_text(each, "name", ""), field_text(function, "name", "")) == 0 &&
                  strcmp(field_text(each, "app", ""), field_text(function, "app", "")) ==
                      0) return each;
    return NULL;
}

static void add_row(struct table *table, const json_t *function, const json_t *before,
                    uint64_t span_ms)
{
    json_int_t runs = field_int(function, "succeeded") + field_int(function, "failed");
    json_int_t runs_before = field_int(before, "succeeded") + field_int(before, "failed");

    table_text(table, field_text(function, "name", "?"));
    table_text(table, field_text(function, "app", "-"));
    table_text(table, field_text(function, "language", "-"));
    table_text(table, field_text(function, "trigger", "-"));
    table_text(table, field_text(function, "source", "-"));
    table_text(table, field_text(function, "state", "-"));
    table_int(table, field_int(function, "succeeded"));
    table_int(table, field_int(function, "failed"));
    table_int(table, field_int(function, "deadLettered"));
    table_int(table, field_int(function, "backlog"));
    table_int(table, field_int(function, "pending"));
    table_int(table, field_int(function, "inFlight"));
    table_fixed(table, field_real(function, "averageMs"));
    if (before == NULL || runs < runs_before)
        runs_before = runs; /* new, or started again: its counts began anew */
    if (span_ms > 0)
        table_fixed(table, (double)(runs - runs_before) * 1000 / (double)span_ms);
}

/* The first function from `at` on that suffers from it; their number if there is none. */
static size_t next_with(const json_t *functions, size_t at, const char *error)
{
    size_t count = json_array_size(functions);

    while (at < count && strcmp(field_text(json_array_get(functions, at), "error", ""), error) != 0)
        at++;
    return at;
}

/* Functions that suffer from the same, a Redis that is down, share one line. */
static void add_errors(struct buf *out, const json_t *functions)
{
    size_t count = json_array_size(functions), lines = 0;

    for (size_t i = 0; i < count; i++) {
        const char *error = field_text(json_array_get(functions, i), "error", NULL);
        if (error == NULL || next_with(functions, 0, error) < i)
            continue;
        if (lines++ == 0)
            buf_add_byte(out, '\n');
        for (size_t j = i; j < count; j = next_with(functions, j + 1, error))
            buf_addf(out, "%s%s", j == i ? "" : ", ",
                     field_text(json_array_get(functions, j), "name", "?"));
        buf_addf(out, ": %s\n", error);
    }
}

void function_table_write(struct buf *out, const json_t *functions, const json_t *before,
                          uint64_t span_ms)
{
    struct table table;
    size_t index;
    const json_t *each;

    if (json_array_size(functions) == 0) {
        buf_add(out, SLICE("No functions. Start with `redgrid up --app DIR`; `redgrid init NAME` "
                           "writes one.\n"));
        return;
    }
    table_init(&table, span_ms > 0 ? HEAD "|>PER S" : HEAD);
    json_array_foreach(functions, index, each)
        add_row(&table, each, same_function(before, each), span_ms);
    table_write(&table, screen_now().columns, out);
    table_done(&table);
    add_errors(out, functions);
}

void status_page_write(struct buf *out, const json_t *status, const json_t *before,
                       uint64_t span_ms)
{
    buf_addf(out, "redgrid %s  %s  pid %lld  up ", field_text(status, "version", "?"),
             field_text(status, "state", "?"), (long long)field_int(status, "pid"));
    add_span(out, field_int(status, "uptimeMs"));
    buf_addf(out, "  nodes %lld\n", (long long)field_int(status, "nodes"));
    const char *https = field_text(status, "httpsUrl", NULL);
    buf_addf(out, "at     %s%s%s\n", field_text(status, "url", "-"), https != NULL ? "  " : "",
             https != NULL ? https : "");
    buf_addf(out, "store  %s (%s)\n", field_text(status, "store", "-"),
             json_is_true(json_object_get(status, "storeUp")) ? "up" : "down");
    if (field_text(status, "cache", NULL) != NULL)
        buf_addf(out, "cache  %s (started for apps that name none)\n",
                 field_text(status, "cache", ""));
    buf_addf(out, "data   %s\n\n", field_text(status, "data", "-"));
    const json_t *functions = json_object_get(status, "functions");
    const json_t *topics = json_object_get(status, "topics");
    if (json_array_size(functions) > 0 || json_array_size(topics) == 0)
        function_table_write(out, functions, json_object_get(before, "functions"), span_ms);
    if (json_array_size(functions) > 0 && json_array_size(topics) > 0)
        buf_add_byte(out, '\n');
    event_page_write(out, topics, json_object_get(before, "topics"), span_ms);
}
