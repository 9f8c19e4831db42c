#include "event/matcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rand.h"

#define FILTERS_MAX 400

struct world {
    struct filter filters[FILTERS_MAX], *pointers[FILTERS_MAX];
    size_t count;
};

static void add(struct world *w, const char *json)
{
    struct cause why;

    if (filter_read(slice_of(json), NULL, &w->filters[w->count], &why) != E_OK)
        fail_msg("%s: %s", json, why.text);
    w->pointers[w->count] = &w->filters[w->count];
    w->count++;
}

static void world_done(struct world *w)
{
    while (w->count > 0)
        filter_done(&w->filters[--w->count]);
}

static struct event *make_event(const char *type, const char *subject, const char *data)
{
    struct event_rules rules = {.schema = SCHEMA_EVENT_GRID, .topic = SLICE("/t")};
    struct event_stamp stamp = {0};
    struct event *event = NULL;
    char body[12000];

    snprintf(body, sizeof body,
             "{\"id\":\"1\",\"subject\":\"%s\",\"eventType\":\"%s\",\"data\":%s,\"eventTime\":"
             "\"2030-01-01T00:00:00Z\"}",
             subject, type, data);
    if (event_read(&rules, slice_of(body), &stamp, &event, NULL) != E_OK)
        fail_msg("%s", body);
    return event;
}

/* The matcher against each filter alone. */
static void check(struct world *w, struct matcher *m, struct event *event)
{
    struct lookup lookup;
    const size_t *hits;
    bool is_hit[FILTERS_MAX] = {false};
    size_t count = matcher_match(m, event, &hits);

    for (size_t i = 0; i < count; i++) {
        assert_true(hits[i] < w->count);
        assert_false(is_hit[hits[i]]); /* each once */
        is_hit[hits[i]] = true;
    }
    lookup_init(&lookup, 0);
    lookup_begin(&lookup, event);
    for (size_t i = 0; i < w->count; i++) {
        struct filter alone = w->filters[i];
        struct filter_condition conditions[FILTER_CONDITIONS_MAX];
        for (size_t j = 0; j < alone.condition_count; j++) {
            conditions[j] = alone.conditions[j];
            conditions[j].slot = 0;
        }
        alone.conditions = conditions;
        if (filter_matches(&alone, &lookup) != is_hit[i])
            fail_msg("filter %zu, event %.*s", i, SLICE_ARG(event->body));
    }
    lookup_done(&lookup);
}

static void filters_are_found_by_type_and_subject(void **state)
{
    static struct world w;
    static const char *const subjects[] = {"/",        "/a",  "/A/b",    "/a/b/c", "/a/b/cd",
                                           "/a/c",     "/b",  "/a/B/CD", "a",      "/aa",
                                           "/a/b/d/e", "~~~", "/\\u00c4"};
    static const char *const types[] = {"A", "a", "B", "other", "All"};

    (void)state;
    add(&w, "{}");
    add(&w, "{\"includedEventTypes\":[\"A\"]}");
    add(&w, "{\"includedEventTypes\":[\"b\",\"A\",\"a\"],\"subjectBeginsWith\":\"/a\"}");
    add(&w, "{\"subjectBeginsWith\":\"/a\"}");
    add(&w, "{\"subjectBeginsWith\":\"/a/b\"}");
    add(&w, "{\"subjectBeginsWith\":\"/a/b/c\"}");
    add(&w, "{\"subjectBeginsWith\":\"/a/b/c\",\"subjectEndsWith\":\"D\"}");
    add(&w, "{\"subjectBeginsWith\":\"/a/B\",\"isSubjectCaseSensitive\":true}");
    add(&w, "{\"subjectBeginsWith\":\"/a/c\"}");
    add(&w, "{\"subjectBeginsWith\":\"/b\",\"includedEventTypes\":[\"B\"]}");
    add(&w, "{\"subjectBeginsWith\":\"/\\u00e4\"}");
    add(&w, "{\"subjectEndsWith\":\"c\"}");
    add(&w, "{\"advancedFilters\":[{\"operatorType\":\"NumberIn\",\"key\":\"data.n\",\"values\":"
            "[1]}]}");
    add(&w, "{\"advancedFilters\":[{\"operatorType\":\"NumberIn\",\"key\":\"data.n\",\"values\":"
            "[2]},{\"operatorType\":\"IsNotNull\",\"key\":\"id\"}]}");
    struct matcher *m = matcher_new(w.pointers, w.count);
    for (size_t i = 0; i < COUNT_OF(subjects); i++)
        for (size_t j = 0; j < COUNT_OF(types); j++) {
            struct event *event = make_event(types[j], subjects[i], i % 2 ? "{\"n\":1}" : "2");
            check(&w, m, event);
            event_unref(event);
        }
    matcher_free(m);
    world_done(&w);
}

static void add_random(struct world *w)
{
    static const char letters[] = "abAB/";
    char prefix[8] = "", json[512];
    size_t len = rand_u64() % 5;

    for (size_t i = 0; i < len; i++)
        prefix[i] = letters[rand_u64() % 5];
    snprintf(json, sizeof json,
             "{\"includedEventTypes\":[%s],\"subjectBeginsWith\":\"%s\",\"isSubjectCaseSensitive\":"
             "%s,\"advancedFilters\":[{\"operatorType\":\"%s\",\"key\":\"data.%c\",\"values\":["
             "\"%c\",\"%c\"]}]}",
             rand_u64() % 2   ? ""
             : rand_u64() % 2 ? "\"A\""
                              : "\"B\",\"a\"",
             prefix, rand_u64() % 3 ? "false" : "true", rand_u64() % 2 ? "StringIn" : "StringNotIn",
             letters[rand_u64() % 4], letters[rand_u64() % 5], letters[rand_u64() % 5]);
    if (rand_u64() % 4 == 0)
        snprintf(json + strlen(json) - 1, 64, ",\"enableAdvancedFilteringOnArrays\":true}");
    add(w, json);
}

static void the_index_finds_what_each_filter_finds(void **state)
{
    static struct world w;
    static const char letters[] = "abAB/";

    (void)state;
    for (size_t i = 0; i < FILTERS_MAX; i++)
        add_random(&w);
    struct matcher *m = matcher_new(w.pointers, w.count);
    for (size_t i = 0; i < 200; i++) {
        char subject[8] = "/", data[64];
        for (size_t j = 0; j < rand_u64() % 7; j++)
            subject[j] = letters[rand_u64() % 5];
        snprintf(data, sizeof data, "{\"a\":\"%c\",\"b\":%s\"%c\"%s,\"A\":5}",
                 letters[rand_u64() % 5], i % 2 ? "[" : "", letters[rand_u64() % 5],
                 i % 2 ? ",\"/\"]" : "");
        struct event *event = make_event(rand_u64() % 2 ? "A" : "b", subject, data);
        check(&w, m, event);
        event_unref(event);
    }
    matcher_free(m);
    world_done(&w);
}

/* ---- operands of every kind ---- */

static const char *any_of(const char *const *texts, size_t count)
{
    return texts[rand_u64() % count];
}
#define ANY(...)                                                                                   \
    any_of((const char *const[]){__VA_ARGS__}, COUNT_OF(((const char *const[]){__VA_ARGS__})))

static const char *any_text(void)
{
    return ANY("\"\"", "\"a\"", "\"A\"", "\"ab\"", "\"abc\"", "\"b\"", "\"ba\"", "\"Bab\"",
               "\"cab\"", "\"\\u00c4b\"", "\"t\"");
}

static const char *any_number(void)
{
    return ANY("0", "1", "1.0", "-1", "2", "2.5", "1e1", "10", "-3", "12345678901234567890",
               "12345678901234567891", "-0.0");
}

static void write_operands(char *out, size_t size, const char *op)
{
    const char *a, *b;

    if (strcmp(op, "BoolEquals") == 0) {
        snprintf(out, size, "\"value\":%s", ANY("true", "false"));
    } else if (strstr(op, "Than") != NULL) {
        snprintf(out, size, "\"value\":%s", any_number());
    } else if (strstr(op, "Range") != NULL) {
        a = ANY("-5", "0", "1");
        b = ANY("1", "2.5", "10");
        snprintf(out, size, "\"values\":[[%s,%s],[%s,%s]]", a, b, ANY("2", "9"),
                 ANY("9", "12345678901234567890"));
    } else if (strncmp(op, "Is", 2) == 0) {
        snprintf(out, size, "\"key2\":0");
    } else {
        a = strncmp(op, "Number", 6) == 0 ? any_number() : any_text();
        b = strncmp(op, "Number", 6) == 0 ? any_number() : any_text();
        snprintf(out, size, "\"values\":[%s,%s]", a, b);
    }
}

static void write_condition(char *out, size_t size)
{
    char operands[128];
    const char *op = filter_operator_name((enum filter_operator)(rand_u64() % OP_COUNT));

    write_operands(operands, sizeof operands, op);
    snprintf(out, size, "{\"operatorType\":\"%s\",\"key\":\"data.%s\",%s}", op, ANY("a", "b", "c"),
             operands);
}

static void add_with_conditions(struct world *w)
{
    char json[1024] = "", condition[256];
    size_t count = 1 + rand_u64() % 3, len = 0;

    for (size_t i = 0; i < count; i++) {
        write_condition(condition, sizeof condition);
        len += (size_t)snprintf(json + len, sizeof json - len, "%s%s", i > 0 ? "," : "", condition);
    }
    char whole[1200];
    snprintf(whole, sizeof whole,
             "{\"includedEventTypes\":[%s],\"enableAdvancedFilteringOnArrays\":%s,"
             "\"advancedFilters\":[%s]}",
             ANY("", "", "\"A\""), ANY("false", "false", "true"), json);
    add(w, whole);
}

static const char *any_value(void)
{
    switch (rand_u64() % 8) {
    case 0:
        return ANY("null", "{}", "[]", "[\"ab\",1,true]", "[2,\"Bab\",false,null]");
    case 1:
        return ANY("true", "false");
    case 2:
    case 3:
    case 4:
        return any_number();
    default:
        return any_text();
    }
}

static void operands_of_every_kind_are_found(void **state)
{
    static struct world w;
    char data[256];

    (void)state;
    for (size_t round = 0; round < 10; round++) {
        size_t filters = round % 2 ? FILTERS_MAX : 1 + rand_u64() % 20;
        for (size_t i = 0; i < filters; i++)
            add_with_conditions(&w);
        struct matcher *m = matcher_new(w.pointers, w.count);
        for (size_t i = 0; i < 200; i++) {
            snprintf(data, sizeof data, "{\"a\":%s,\"b\":%s%s%s}", any_value(), any_value(),
                     i % 4 ? ",\"c\":" : "", i % 4 ? any_value() : "");
            struct event *event = make_event(ANY("A", "B"), "s", data);
            check(&w, m, event);
            event_unref(event);
        }
        matcher_free(m);
        world_done(&w);
    }
}

static void add_ending(struct world *w, const char *text)
{
    char json[1024];

    snprintf(json, sizeof json,
             "{\"advancedFilters\":[{\"operatorType\":\"StringEndsWith\",\"key\":\"data.s\","
             "\"values\":[\"%s\"]}]}",
             text);
    add(w, json);
}

/* Values are looked at backwards as far as operands can be long. */
static void a_long_value_is_found_by_its_end(void **state)
{
    static struct world w;
    static char text[10000], data[11000], longest[FILTER_TEXT_MAX + 1];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    memcpy(text + sizeof text - 4, "end", 3);
    memset(longest, 'X', FILTER_TEXT_MAX);
    memcpy(longest + FILTER_TEXT_MAX - 3, "End", 3);
    add_ending(&w, "end");
    add_ending(&w, longest);
    add_ending(&w, "ends");
    longest[0] = 'y';
    add_ending(&w, longest);
    snprintf(data, sizeof data, "{\"s\":\"%s\"}", text);
    struct matcher *m = matcher_new(w.pointers, w.count);
    struct event *event = make_event("A", "s", data);
    const size_t *hits;
    assert_int_equal(matcher_match(m, event, &hits), 2);
    check(&w, m, event);
    event_unref(event);
    matcher_free(m);
    world_done(&w);
}

static void without_filters_nothing_matches(void **state)
{
    struct matcher *m = matcher_new(NULL, 0);
    struct event *event = make_event("A", "s", "null");
    const size_t *hits;

    (void)state;
    assert_int_equal(matcher_match(m, event, &hits), 0);
    event_unref(event);
    matcher_free(m);
    matcher_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_found_by_type_and_subject),
        cmocka_unit_test(the_index_finds_what_each_filter_finds),
        cmocka_unit_test(operands_of_every_kind_are_found),
        cmocka_unit_test(a_long_value_is_found_by_its_end),
        cmocka_unit_test(without_filters_nothing_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
