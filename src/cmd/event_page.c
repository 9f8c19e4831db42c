#include "cmd/event_page.h"

#include <string.h>

#include "cmd/client.h"
#include "cmd/screen.h"
#include "cmd/table.h"

#define TOPIC_HEAD "TOPIC|>SUBSCRIPTIONS|>PUBLISHED|>UNMATCHED|>REFUSED"
#define MEMBER_HEAD "SUBSCRIPTION|TOPIC|STATE|>QUEUED|3>OLDEST|1>RUNNING|>OK|2>FAILED|>DEAD"
#define CELL_BYTES 64

void add_span(struct buf *out, json_int_t ms)
{
    long long seconds = (long long)ms / 1000;

    if (seconds >= 86400)
        buf_addf(out, "%lldd %lldh", seconds / 86400, seconds / 3600 % 24);
    else if (seconds >= 3600)
        buf_addf(out, "%lldh %lldm", seconds / 3600, seconds / 60 % 60);
    else if (seconds >= 60)
        buf_addf(out, "%lldm %llds", seconds / 60, seconds % 60);
    else
        buf_addf(out, "%llds", seconds);
}

/* The one of that name, most likely at the same place. */
static const json_t *same(const json_t *all, size_t at, const json_t *one)
{
    const char *name = field_text(one, "name", "");
    const json_t *each = json_array_get(all, at);
    size_t index;

    if (strcmp(field_text(each, "name", ""), name) == 0)
        return each;
    json_array_foreach(all, index, each)
    {
        if (strcmp(field_text(each, "name", ""), name) == 0)
            return each;
    }
    return NULL;
}

static void add_rate(struct table *table, const json_t *one, const json_t *before,
                     const char *count, uint64_t span_ms)
{
    json_int_t now = field_int(one, count), then = field_int(before, count);

    if (before == NULL || now < then)
        then = now; /* new, or counted anew */
    if (span_ms > 0)
        table_fixed(table, (double)(now - then) * 1000 / (double)span_ms);
}

static void add_topic(struct table *table, const json_t *topic, const json_t *before,
                      uint64_t span_ms)
{
    table_text(table, field_text(topic, "name", "?"));
    table_int(table, (long long)json_array_size(json_object_get(topic, "subscriptions")));
    table_int(table, field_int(topic, "published"));
    table_int(table, field_int(topic, "unmatched"));
    table_int(table, field_int(topic, "refused"));
    add_rate(table, topic, before, "published", span_ms);
}

static void add_oldest(struct table *table, const json_t *member)
{
    char room[CELL_BYTES];
    struct buf cell = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    if (field_int(member, "queued") > 0)
        add_span(&cell, field_int(member, "oldestAgeMs"));
    else
        buf_add_byte(&cell, '-');
    table_text(table, buf_text(&cell));
}

/* An endpoint that is left alone for a while is worth more than that its subscription is made. */
static void add_state(struct table *table, const json_t *member)
{
    char room[CELL_BYTES];
    struct buf cell = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};

    if (field_int(member, "restsForMs") > 0) {
        buf_add(&cell, SLICE("rests "));
        add_span(&cell, field_int(member, "restsForMs") + 999);
        table_text(table, buf_text(&cell));
    } else {
        table_text(table, field_text(member, "state", "?"));
    }
}

static void add_member(struct table *table, const json_t *topic, const json_t *member,
                       const json_t *before, uint64_t span_ms)
{
    table_text(table, field_text(member, "name", "?"));
    table_text(table, field_text(topic, "name", "?"));
    add_state(table, member);
    table_int(table, field_int(member, "queued"));
    add_oldest(table, member);
    table_int(table, field_int(member, "inFlight"));
    table_int(table, field_int(member, "delivered"));
    table_int(table, field_int(member, "failed"));
    table_int(table, field_int(member, "deadLetters"));
    add_rate(table, member, before, "delivered", span_ms);
}

static void write_table(struct buf *out, struct table *table)
{
    table_write(table, screen_now().columns, out);
    table_done(table);
}

void event_page_write(struct buf *out, const json_t *topics, const json_t *before, uint64_t span_ms)
{
    struct table table;
    size_t index, at, count = 0;
    const json_t *topic, *member;

    if (json_array_size(topics) == 0)
        return;
    table_init(&table, span_ms > 0 ? TOPIC_HEAD "|>PER S" : TOPIC_HEAD);
    json_array_foreach(topics, index, topic)
        add_topic(&table, topic, same(before, index, topic), span_ms);
    write_table(out, &table);
    table_init(&table, span_ms > 0 ? MEMBER_HEAD "|>PER S" : MEMBER_HEAD);
    json_array_foreach(topics, index, topic)
    {
        const json_t *members = json_object_get(topic, "subscriptions");
        const json_t *then = json_object_get(same(before, index, topic), "subscriptions");
        json_array_foreach(members, at, member)
            add_member(&table, topic, member, same(then, at, member), span_ms);
        count += json_array_size(members);
    }
    buf_add_byte(out, '\n');
    if (count > 0)
        write_table(out, &table);
    else
        table_done(&table);
}
