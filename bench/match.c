/* match [COUNT [EVENTS]]: what it costs to find the one of COUNT subscriptions of a topic that
 * wants an event. Prints kind, COUNT, nanoseconds an event, for subscriptions that differ in event
 * type, in the beginning of the subject, and in what they want of the data: a text, its beginning
 * or its end, a number, a range of numbers, or one of two conditions; and last in what no index
 * helps with, so that each is tried. Build: gcc -std=gnu17 -D_GNU_SOURCE -O2 -Isrc -Iinclude
 * bench/match.c build/src/lib{event,wire,json,base}.a -ljansson -lcrypto -lm */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/matcher.h"

/* %zu is the number of the subscription, once or twice. */
struct kind {
    const char *name, *filter, *event;
};

#define EVENT(data)                                                                                \
    "{\"id\":\"1\",\"subject\":\"/orders/1\",\"eventType\":\"Shop.Order\",\"eventTime\":"          \
    "\"2030-01-01T00:00:00Z\",\"data\":" data "}"
#define CONDITION(op, key, operand)                                                                \
    "{\"advancedFilters\":[{\"operatorType\":\"" op "\",\"key\":\"" key "\"," operand "}]}"

static const struct kind kinds[] = {
    {"type", "{\"includedEventTypes\":[\"Shop.Order.%zu\"]}",
     "{\"id\":\"1\",\"subject\":\"/orders/1\",\"eventType\":\"Shop.Order.%zu\",\"eventTime\":"
     "\"2030-01-01T00:00:00Z\",\"data\":{\"amount\":1.5}}"},
    {"subject", "{\"subjectBeginsWith\":\"/orders/%zu/\"}",
     "{\"id\":\"1\",\"subject\":\"/orders/%zu/line\",\"eventType\":\"Shop.Order\",\"eventTime\":"
     "\"2030-01-01T00:00:00Z\",\"data\":{\"amount\":1.5}}"},
    {"text", CONDITION("StringIn", "data.customer", "\"values\":[\"c%zu\"]"),
     EVENT("{\"customer\":\"c%zu\"}")},
    {"number", CONDITION("NumberIn", "data.n", "\"values\":[%zu]"), EVENT("{\"n\":%zu}")},
    {"range", CONDITION("NumberInRange", "data.n", "\"values\":[[%zu.0,%zu.5]]"),
     EVENT("{\"n\":%zu.2}")},
    {"beginning", CONDITION("StringBeginsWith", "data.place", "\"values\":[\"/eu/%zu/\"]"),
     EVENT("{\"place\":\"/eu/%zu/north\"}")},
    {"end", CONDITION("StringEndsWith", "data.place", "\"values\":[\"/%zu.jpg\"]"),
     EVENT("{\"place\":\"/eu/north/%zu.jpg\"}")},
    {"both",
     "{\"advancedFilters\":[{\"operatorType\":\"StringIn\",\"key\":\"data.country\",\"values\":["
     "\"DE\"]},{\"operatorType\":\"NumberIn\",\"key\":\"data.n\",\"values\":[%zu]}]}",
     EVENT("{\"country\":\"DE\",\"n\":%zu}")},
    {"each", CONDITION("StringContains", "data.place", "\"values\":[\"/%zu/\"]"),
     EVENT("{\"place\":\"/eu/%zu/north\"}")},
};

static struct filter **make_filters(const struct kind *kind, size_t count)
{
    struct filter **filters = mem_new_array(count, struct filter *);
    char json[512];

    for (size_t i = 0; i < count; i++) {
        filters[i] = mem_new(struct filter);
        int len = snprintf(json, sizeof json, kind->filter, i, i);
        if (filter_read((struct slice){json, (size_t)len}, NULL, filters[i], NULL) != E_OK)
            abort();
    }
    return filters;
}

static struct event *make_event(const struct kind *kind, size_t i)
{
    struct event_rules rules = {.schema = SCHEMA_EVENT_GRID, .topic = SLICE("/t")};
    struct event_stamp stamp = {0};
    struct event *event;
    char json[512];

    int len = snprintf(json, sizeof json, kind->event, i);
    if (event_read(&rules, (struct slice){json, (size_t)len}, &stamp, &event, NULL) != E_OK)
        abort();
    return event;
}

static void measure(const struct kind *kind, size_t count, size_t rounds)
{
    enum { EVENTS = 64 };
    struct filter **filters = make_filters(kind, count);
    struct matcher *matcher = matcher_new(filters, count);
    struct event *events[EVENTS];
    const size_t *hits;
    size_t matched = 0;

    for (size_t i = 0; i < EVENTS; i++)
        events[i] = make_event(kind, i * 7919 % count);
    uint64_t start = clock_now_us();
    for (size_t i = 0; i < rounds; i++)
        matched += matcher_match(matcher, events[i % EVENTS], &hits);
    uint64_t us = clock_now_us() - start;
    if (matched != rounds)
        abort();
    printf("%s,%zu,%.0f\n", kind->name, count, (double)us * 1000 / (double)rounds);
    matcher_free(matcher);
    for (size_t i = 0; i < EVENTS; i++)
        event_unref(events[i]);
    for (size_t i = 0; i < count; i++) {
        filter_done(filters[i]);
        free(filters[i]);
    }
    free(filters);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        measure(&kinds[i], count, rounds);
    return 0;
}
