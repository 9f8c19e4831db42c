#include "metrics/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define LABELS_MAX 4
#define LABEL_VALUE_MAX_BYTES 256
#define SERIES_KEY_MAX_BYTES 2048
#define LABELS_TEXT_MAX_BYTES 4096 /* every byte escaped */

static const char *const kind_names[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",
};

static const struct metric_row {
    const char *name;
    enum metric_kind kind;
    const char *help;
    const char *labels; /* names, separated by commas */
} metric_rows[] = {
#define METRIC_ROW(id, kind, name, labels, help)                                                   \
    [METRIC_ID_##id] = {name, METRIC_##kind, help, labels},
    METRICS(METRIC_ROW)
#undef METRIC_ROW
};

static void add_escaped(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\n') {
            buf_add(out, SLICE("\\n"));
            continue;
        }
        if (text.data[i] == '\\' || text.data[i] == '"')
            buf_add_byte(out, '\\');
        buf_add_byte(out, text.data[i]);
    }
}

/* Upper bounds in seconds: from a function that does nothing to one that waits for a human. */
static const struct bucket {
    double le;
    const char *text;
} buckets[] = {
    {0.00005, "0.00005"}, {0.0001, "0.0001"}, {0.00025, "0.00025"}, {0.0005, "0.0005"},
    {0.001, "0.001"},     {0.0025, "0.0025"}, {0.005, "0.005"},     {0.01, "0.01"},
    {0.025, "0.025"},     {0.05, "0.05"},     {0.1, "0.1"},         {0.25, "0.25"},
    {0.5, "0.5"},         {1, "1"},           {2.5, "2.5"},         {5, "5"},
    {10, "10"},           {30, "30"},         {60, "60"},
};
#define BUCKETS COUNT_OF(buckets)

struct series {
    enum metric_id id;
    char *values[LABELS_MAX];
    char *text;      /* of the labels, as it is written: thousands of lines are at a time */
    size_t holders;  /* who asked for it and has not released it */
    bool is_dropped; /* kept for those who still hold it, shown again when it is asked for again */
    double value;    /* a histogram's: the sum */
    uint64_t count;
    uint64_t *hits; /* a histogram's, by bucket, not cumulative; the last is +Inf */
};

struct metrics {
    struct map by_key; /* metric id and label values -> series */
    struct family {
        struct series **series; /* in the order of their making */
        size_t count, cap;
        struct series *other; /* where those beyond the limit land */
    } families[METRIC_ID_COUNT];
};

struct metrics *metrics_new(void)
{
    return mem_new(struct metrics);
}

static void series_free(struct series *series)
{
    for (size_t i = 0; i < LABELS_MAX; i++)
        free(series->values[i]);
    free(series->text);
    free(series->hits);
    free(series);
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (size_t i = 0; i < METRIC_ID_COUNT; i++) {
        for (size_t k = 0; k < metrics->families[i].count; k++)
            series_free(metrics->families[i].series[k]);
        free(metrics->families[i].series);
    }
    map_done(&metrics->by_key);
    free(metrics);
}

static size_t label_names(enum metric_id id, struct slice ret[LABELS_MAX])
{
    struct slice rest = slice_of(metric_rows[id].labels);
    size_t count = 0;

    if (rest.len == 0)
        return 0;
    while (count < LABELS_MAX && slice_cut(&rest, ',', &ret[count]))
        count++;
    return count;
}

static void series_zero(struct series *series)
{
    series->value = 0;
    series->count = 0;
    if (series->hits != NULL)
        memset(series->hits, 0, (BUCKETS + 1) * sizeof *series->hits);
}

static char *labels_text(enum metric_id id, const struct slice *values, size_t count)
{
    struct slice names[LABELS_MAX];
    struct buf text;

    (void)label_names(id, names);
    buf_init(&text, LABELS_TEXT_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        buf_add(&text, i == 0 ? SLICE("") : SLICE(","));
        buf_add(&text, names[i]);
        buf_add(&text, SLICE("=\""));
        add_escaped(&text, values[i]);
        buf_add_byte(&text, '"');
    }
    char *ret = slice_dup(buf_slice(&text));
    buf_done(&text);
    return ret;
}

static struct series *series_make(struct family *family, enum metric_id id,
                                  const struct slice *values, size_t count)
{
    struct series *series = mem_new(struct series);

    series->id = id;
    for (size_t i = 0; i < count; i++)
        series->values[i] = slice_dup(values[i]);
    series->text = labels_text(id, values, count);
    if (metric_rows[id].kind == METRIC_HISTOGRAM)
        series->hits = mem_new_array(BUCKETS + 1, uint64_t);
    if (family->count == family->cap) {
        family->cap = family->cap == 0 ? 8 : family->cap * 2;
        family->series = mem_resize(family->series, family->cap, sizeof(struct series *));
    }
    family->series[family->count++] = series;
    return series;
}

static struct series *series_other(struct family *family, enum metric_id id, size_t count)
{
    static const struct slice other[LABELS_MAX] = {
        SLICE_INIT(METRIC_OTHER), SLICE_INIT(METRIC_OTHER), SLICE_INIT(METRIC_OTHER),
        SLICE_INIT(METRIC_OTHER)};
    if (family->other == NULL)
        family->other = series_make(family, id, other, count);
    return family->other;
}

static void add_key(struct buf *out, enum metric_id id, const struct slice *values, size_t count)
{
    buf_add_u64(out, (uint64_t)id);
    for (size_t i = 0; i < count; i++) {
        buf_add_byte(out, '\0');
        buf_add(out, values[i]);
    }
}

struct series *metrics_series(struct metrics *metrics, enum metric_id id, const char *const *labels)
{
    struct slice names[LABELS_MAX];
    struct slice values[LABELS_MAX];
    size_t count = label_names(id, names);
    struct family *family = &metrics->families[id];
    struct buf key;

    bool is_over = false; /* past the end of a list that is too short: empty values */
    for (size_t i = 0; i < count; i++) {
        is_over = is_over || labels == NULL || labels[i] == NULL;
        values[i] = slice_first(is_over ? SLICE("") : slice_of(labels[i]), LABEL_VALUE_MAX_BYTES);
    }
    buf_init(&key, SERIES_KEY_MAX_BYTES);
    add_key(&key, id, values, count);
    struct series *series = map_get(&metrics->by_key, buf_slice(&key));
    size_t named = family->count - (family->other != NULL);
    if (series == NULL && named >= METRIC_SERIES_MAX) {
        series = series_other(family, id, count);
    } else if (series == NULL) {
        series = series_make(family, id, values, count);
        map_set(&metrics->by_key, buf_slice(&key), series);
    } else if (series->is_dropped) {
        series->is_dropped = false;
        series_zero(series);
    }
    buf_done(&key);
    series->holders++;
    return series;
}

void metrics_release(struct metrics *metrics, struct series *series)
{
    struct slice values[LABELS_MAX];
    size_t count = 0, at = 0;
    struct buf key;

    if (series == NULL || --series->holders > 0)
        return;
    struct family *family = &metrics->families[series->id];
    if (series == family->other)
        return; /* what it counted is nobody's, and must not go down */
    for (; count < LABELS_MAX && series->values[count] != NULL; count++)
        values[count] = slice_of(series->values[count]);
    buf_init(&key, SERIES_KEY_MAX_BYTES);
    add_key(&key, series->id, values, count);
    (void)map_remove(&metrics->by_key, buf_slice(&key));
    buf_done(&key);
    while (family->series[at] != series)
        at++;
    family->count--;
    memmove(&family->series[at], &family->series[at + 1],
            (family->count - at) * sizeof(struct series *));
    series_free(series);
}

void series_add(struct series *series, double amount)
{
    series->value += amount;
}

void series_set(struct series *series, double value)
{
    series->value = value;
}

void series_raise(struct series *series, double value)
{
    if (value > series->value)
        series->value = value;
}

void series_observe(struct series *series, double value)
{
    size_t at = 0;

    while (at < BUCKETS && value > buckets[at].le)
        at++;
    series->hits[at]++;
    series->count++;
    series->value += value;
}

double series_value(const struct series *series)
{
    return series->value;
}

uint64_t series_count(const struct series *series)
{
    return series->count;
}

void metrics_drop(struct metrics *metrics, const char *name, const char *value)
{
    for (size_t id = 0; id < METRIC_ID_COUNT; id++) {
        struct slice names[LABELS_MAX];
        size_t count = label_names((enum metric_id)id, names);
        for (size_t k = 0; k < metrics->families[id].count; k++) {
            struct series *series = metrics->families[id].series[k];
            for (size_t i = 0; i < count; i++)
                if (slice_eq(names[i], slice_of(name)) && strcmp(series->values[i], value) == 0)
                    series->is_dropped = true;
        }
    }
}

/* `le` is the bound of a bucket, SLICE_NONE outside of histograms. */
static void add_labels(struct buf *out, const struct series *series, struct slice le)
{
    struct slice text = slice_of(series->text);

    if (text.len == 0 && le.data == NULL)
        return;
    buf_add_byte(out, '{');
    buf_add(out, text);
    if (le.data != NULL) {
        buf_add(out, text.len > 0 ? SLICE(",le=\"") : SLICE("le=\""));
        buf_add(out, le);
        buf_add_byte(out, '"');
    }
    buf_add_byte(out, '}');
}

static void add_whole(struct buf *out, int64_t value)
{
    buf_add_byte(out, ' ');
    buf_add_i64(out, value);
    buf_add_byte(out, '\n');
}

static void add_number(struct buf *out, double value)
{
    if (isnan(value))
        buf_add(out, SLICE(" NaN\n"));
    else if (isinf(value))
        buf_add(out, value > 0 ? SLICE(" +Inf\n") : SLICE(" -Inf\n"));
    else if (value == floor(value) && fabs(value) < 1e15)
        add_whole(out, (int64_t)value);
    else
        buf_addf(out, " %.9g\n", value);
}

static void write_histogram(struct buf *out, const struct series *series)
{
    struct slice name = slice_of(metric_rows[series->id].name);
    uint64_t total = 0;

    for (size_t i = 0; i <= BUCKETS; i++) {
        total += series->hits[i];
        buf_add(out, name);
        buf_add(out, SLICE("_bucket"));
        add_labels(out, series, i < BUCKETS ? slice_of(buckets[i].text) : SLICE("+Inf"));
        add_whole(out, (int64_t)total);
    }
    buf_add(out, name);
    buf_add(out, SLICE("_sum"));
    add_labels(out, series, SLICE_NONE);
    add_number(out, series->value);
    buf_add(out, name);
    buf_add(out, SLICE("_count"));
    add_labels(out, series, SLICE_NONE);
    add_whole(out, (int64_t)series->count);
}

void metrics_write(const struct metrics *metrics, struct buf *out)
{
    for (size_t id = 0; id < METRIC_ID_COUNT; id++) {
        const struct metric_row *row = &metric_rows[id];
        const struct family *family = &metrics->families[id];
        if (family->count == 0)
            continue;
        buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                 kind_names[row->kind]);
        for (size_t k = 0; k < family->count; k++) {
            const struct series *series = family->series[k];
            if (series->is_dropped)
                continue;
            if (row->kind == METRIC_HISTOGRAM) {
                write_histogram(out, series);
                continue;
            }
            buf_add(out, slice_of(row->name));
            add_labels(out, series, SLICE_NONE);
            add_number(out, series->value);
        }
    }
}

void metrics_write_docs(struct buf *out)
{
    buf_add(out, SLICE("| metric | kind | labels | meaning |\n|---|---|---|---|\n"));
    for (size_t id = 0; id < METRIC_ID_COUNT; id++) {
        const struct metric_row *row = &metric_rows[id];
        struct slice names[LABELS_MAX];
        size_t count = label_names((enum metric_id)id, names);
        buf_addf(out, "| `%s` | %s | ", row->name, kind_names[row->kind]);
        for (size_t i = 0; i < count; i++)
            buf_addf(out, "%s`%.*s`", i == 0 ? "" : ", ", SLICE_ARG(names[i]));
        buf_addf(out, " | %s |\n", row->help);
    }
}
