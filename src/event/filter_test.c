#include "event/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct event *custom_event(const char *body)
{
    struct event_rules rules = {.schema = SCHEMA_CUSTOM, .topic = SLICE("/t")};
    struct event_stamp stamp = {0, SLICE_INIT("1")};
    struct event *event = NULL;

    if (event_read(&rules, slice_of(body), &stamp, &event, NULL) != E_OK)
        fail_msg("%s", body);
    return event;
}

static bool matches(const char *filter_json, struct event *event)
{
    struct filter filter = {0};
    struct lookup lookup;
    struct cause why = {0};

    if (filter_read(slice_of(filter_json), NULL, &filter, &why) != E_OK)
        fail_msg("%s: %s", filter_json, why.text);
    lookup_init(&lookup, 0);
    lookup_begin(&lookup, event);
    bool result = filter_matches(&filter, &lookup);
    lookup_done(&lookup);
    filter_done(&filter);
    event_unref(event);
    return result;
}

/* The truth table of eventgrid.md 5, by its numbers. The key is `v`. */
static const struct {
    int row;
    const char *op, *operand, *value; /* NULL value: missing */
    bool is_on;                       /* enableAdvancedFilteringOnArrays */
    bool expected;
} table[] = {
    {1, "NumberIn", "[5,1]", "5", false, true},
    {1, "NumberIn", "[5,1]", "5.0", false, true},
    {1, "NumberIn", "[5.0]", "5", false, true},
    {2, "NumberIn", "[12345678901234567]", "12345678901234568", false, false},
    {2, "NumberIn", "[12345678901234567]", "12345678901234567", false, true},
    {3, "NumberIn", "[1000]", "1e3", false, true},
    {4, "NumberIn", "[5]", "\"5\"", false, false},
    {5, "NumberNotIn", "[41,0]", "7", false, true},
    {5, "NumberNotIn", "[41,0]", "41", false, false},
    {6, "NumberNotIn", "[41]", "null", false, true},
    {7, "NumberNotIn", "[41]", "\"41\"", false, true},
    {8, "NumberLessThan", "100", "99.99", false, true},
    {8, "NumberLessThan", "100", "100", false, false},
    {9, "NumberLessThanOrEquals", "100", "100", false, true},
    {9, "NumberLessThanOrEquals", "100", "100.1", false, false},
    {10, "NumberGreaterThan", "20", "20.1", false, true},
    {10, "NumberGreaterThan", "20", "20", false, false},
    {11, "NumberGreaterThan", "0", "true", false, false},
    {12, "NumberGreaterThanOrEquals", "30", "30", false, true},
    {12, "NumberGreaterThanOrEquals", "30", "29.9", false, false},
    {13, "NumberInRange", "[[3.14,999.95],[3000,4000]]", "3.14", false, true},
    {13, "NumberInRange", "[[3.14,999.95],[3000,4000]]", "4000", false, true},
    {13, "NumberInRange", "[[3.14,999.95],[3000,4000]]", "1000", false, false},
    {14, "NumberNotInRange", "[[3000,4000]]", "2999.99", false, true},
    {14, "NumberNotInRange", "[[3000,4000]]", "3000", false, false},
    {15, "BoolEquals", "true", "true", false, true},
    {15, "BoolEquals", "true", "false", false, false},
    {16, "BoolEquals", "true", "\"true\"", false, false},
    {16, "BoolEquals", "true", "1", false, false},
    {17, "BoolEquals", "false", "null", false, false},
    {18, "StringContains", "[\"microsoft\",\"azure\"]", "\"Azure data factory\"", false, true},
    {19, "StringContains", "[\"5\"]", "5", false, false},
    {20, "StringNotContains", "[\"contoso\",\"fabrikam\"]", "\"adventure\"", false, true},
    {20, "StringNotContains", "[\"contoso\",\"fabrikam\"]", "\"Contoso Ltd\"", false, false},
    {21, "StringNotContains", "[\"contoso\"]", "null", false, false},
    {22, "StringNotContains", "[\"5\"]", "5", false, true},
    {23, "StringBeginsWith", "[\"event\",\"message\"]", "\"Event Hubs\"", false, true},
    {23, "StringBeginsWith", "[\"event\",\"message\"]", "\"my event\"", false, false},
    {24, "StringNotBeginsWith", "[\"event\"]", "\"EVENT-1\"", false, false},
    {24, "StringNotBeginsWith", "[\"event\"]", "\"an event\"", false, true},
    {25, "StringEndsWith", "[\"jpg\",\"png\"]", "\"a.PNG\"", false, true},
    {25, "StringEndsWith", "[\"jpg\",\"png\"]", "\"png.a\"", false, false},
    {26, "StringNotEndsWith", "[\"jpg\"]", "\"a.txt\"", false, true},
    {26, "StringNotEndsWith", "[\"jpg\"]", "\"a.JPG\"", false, false},
    {27, "StringIn", "[\"contoso\"]", "\"CONTOSO\"", false, true},
    {27, "StringIn", "[\"contoso\"]", "\"contoso2\"", false, false},
    {27, "StringIn", "[\"Stra\\u00dfe \\u00c4\"]", "\"STRA\\u00DFE \xc3\xa4\"", false, true},
    {28, "StringIn", "[\"true\"]", "true", false, false},
    {29, "StringNotIn", "[\"aws\",\"bridge\"]", "\"azure\"", false, true},
    {29, "StringNotIn", "[\"aws\",\"bridge\"]", "\"AWS\"", false, false},
    {30, "NumberLessThan", "5", NULL, false, false},
    {30, "NumberLessThanOrEquals", "5", NULL, false, false},
    {30, "NumberGreaterThan", "5", NULL, false, false},
    {30, "NumberGreaterThanOrEquals", "5", NULL, false, false},
    {30, "NumberIn", "[5]", NULL, false, false},
    {30, "BoolEquals", "false", NULL, false, false},
    {31, "StringContains", "[\"a\"]", NULL, false, false},
    {31, "StringBeginsWith", "[\"a\"]", NULL, false, false},
    {31, "StringEndsWith", "[\"a\"]", NULL, false, false},
    {31, "StringIn", "[\"a\"]", NULL, false, false},
    {32, "StringNotContains", "[\"a\"]", NULL, false, false},
    {32, "StringNotBeginsWith", "[\"a\"]", NULL, false, false},
    {32, "StringNotEndsWith", "[\"a\"]", NULL, false, false},
    {33, "NumberNotIn", "[5]", NULL, false, true},
    {33, "StringNotIn", "[\"a\"]", NULL, false, true},
    {34, "NumberInRange", "[[1,5]]", NULL, false, false},
    {34, "NumberNotInRange", "[[1,5]]", NULL, false, true},
    {35, "IsNullOrUndefined", NULL, NULL, false, true},
    {35, "IsNullOrUndefined", NULL, "null", false, true},
    {36, "IsNullOrUndefined", NULL, "\"\"", false, false},
    {36, "IsNullOrUndefined", NULL, "0", false, false},
    {36, "IsNullOrUndefined", NULL, "false", false, false},
    {36, "IsNullOrUndefined", NULL, "[]", false, false},
    {37, "IsNotNull", NULL, NULL, false, false},
    {37, "IsNotNull", NULL, "null", false, false},
    {38, "IsNotNull", NULL, "\"\"", false, true},
    {38, "IsNotNull", NULL, "0", false, true},
    {38, "IsNotNull", NULL, "{}", false, true},
    {39, "StringIn", "[\"a\"]", "[\"a\"]", false, false},
    {40, "StringNotIn", "[\"z\"]", "[\"a\"]", false, false},
    {41, "StringIn", "[\"b\"]", "[\"a\",\"B\"]", true, true},
    {42, "StringNotIn", "[\"b\"]", "[\"a\",\"b\"]", true, false},
    {43, "StringNotIn", "[\"z\"]", "[\"a\",\"b\"]", true, true},
    {44, "NumberGreaterThan", "4", "[1,5]", true, true},
    {45, "NumberNotInRange", "[[4,6]]", "[1,5]", true, false},
    {46, "NumberIn", "[2]", "[\"a\",2,true]", true, true},
    {47, "StringIn", "[\"2\"]", "[\"a\",2]", true, false},
    {48, "StringIn", "[\"x\"]", "[]", true, false},
    {48, "StringNotIn", "[\"x\"]", "[]", true, true},
    {49, "StringIn", "[\"x\"]", "\"x\"", true, true},
    /* what follows from the rules beside the table */
    {60, "StringIn", "[\"x\"]", "{\"x\":1}", false, false},
    {60, "StringNotIn", "[\"x\"]", "{\"x\":1}", false, true},
    {60, "StringNotContains", "[\"x\"]", "[]", true, true},
    {60, "StringContains", "[\"b\\\\u005c\\n\"]", "\"aB\\\\u005C\\n\"", false, true},
    {60, "StringIn", "[\"x\"]", "[null,[\"x\"],{\"x\":\"x\"}]", true, false},
    {60, "StringIn", "[\"\"]", "\"\"", false, true},
    {60, "BoolEquals", "true", "[false,true]", true, true},
    {60, "IsNullOrUndefined", NULL, "[null]", true, false},
};

static void the_truth_table_holds(void **state)
{
    char filter[512], body[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const char *operand = table[i].operand;
        snprintf(filter, sizeof filter,
                 "{\"enableAdvancedFilteringOnArrays\":%s,\"advancedFilters\":[{\"operatorType\":"
                 "\"%s\",\"key\":\"v\"%s%s}]}",
                 table[i].is_on ? "true" : "false", table[i].op,
                 operand == NULL     ? ""
                 : operand[0] == '[' ? ",\"values\":"
                                     : ",\"value\":",
                 operand != NULL ? operand : "");
        snprintf(body, sizeof body, table[i].value != NULL ? "{\"v\":%s}" : "{}", table[i].value);
        if (matches(filter, custom_event(body)) != table[i].expected)
            fail_msg("row %d: %s %s", table[i].row, filter, body);
    }
}

static void keys_are_paths(void **state) /* rows 50 to 53 */
{
    static const struct {
        enum event_schema schema;
        const char *filter, *body;
        bool expected;
    } rows[] = {
        {SCHEMA_CUSTOM, "{\"operatorType\":\"StringIn\",\"key\":\"data.a.b\",\"values\":[\"x\"]}",
         "{\"data\":{\"a.b\":\"x\"}}", false},
        {SCHEMA_CUSTOM, "{\"operatorType\":\"StringIn\",\"key\":\"data.a.b\",\"values\":[\"x\"]}",
         "{\"data\":{\"a\":{\"b\":\"x\"}}}", true},
        {SCHEMA_CUSTOM,
         "{\"operatorType\":\"StringIn\",\"key\":\"DATA.color\",\"values\":[\"red\"]}",
         "{\"data\":{\"Color\":\"Red\"}}", true},
        {SCHEMA_CLOUD_EVENT,
         "{\"operatorType\":\"StringBeginsWith\",\"key\":\"ext\",\"values\":[\"5\"]}",
         "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\",\"ext\":5}", true},
        {SCHEMA_CLOUD_EVENT, "{\"operatorType\":\"NumberIn\",\"key\":\"ext\",\"values\":[5]}",
         "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\",\"ext\":5.0}",
         true},
        {SCHEMA_CLOUD_EVENT,
         "{\"operatorType\":\"StringBeginsWith\",\"key\":\"data.x\",\"values\":[\"5\"]}",
         "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\",\"data\":{\"x\":5}"
         "}",
         false},
        {SCHEMA_CUSTOM,
         "{\"operatorType\":\"NumberGreaterThan\",\"key\":\"n\",\"value\":1},"
         "{\"operatorType\":\"NumberLessThan\",\"key\":\"n\",\"value\":5}",
         "{\"n\":3}", true},
        {SCHEMA_CUSTOM,
         "{\"operatorType\":\"NumberGreaterThan\",\"key\":\"n\",\"value\":1},"
         "{\"operatorType\":\"NumberLessThan\",\"key\":\"n\",\"value\":5}",
         "{\"n\":7}", false},
    };
    char filter[512];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct event_rules rules = {.schema = rows[i].schema, .topic = SLICE("/t")};
        struct event_stamp stamp = {0};
        struct event *event = NULL;
        assert_int_equal(event_read(&rules, slice_of(rows[i].body), &stamp, &event, NULL), E_OK);
        snprintf(filter, sizeof filter, "{\"advancedFilters\":[%s]}", rows[i].filter);
        if (matches(filter, event) != rows[i].expected)
            fail_msg("%zu", i);
    }
}

static struct event *grid_event(const char *type, const char *subject)
{
    struct event_rules rules = {.schema = SCHEMA_EVENT_GRID, .topic = SLICE("/t")};
    struct event_stamp stamp = {0};
    struct event *event = NULL;
    char body[256];

    snprintf(body, sizeof body,
             "{\"id\":\"1\",\"subject\":\"%s\",\"eventType\":\"%s\",\"eventTime\":"
             "\"2030-01-01T00:00:00Z\"}",
             subject, type);
    assert_int_equal(event_read(&rules, slice_of(body), &stamp, &event, NULL), E_OK);
    return event;
}

static void types_and_subjects_are_chosen(void **state) /* scenarios F1, F2 */
{
    static const struct {
        const char *filter, *type, *subject;
        bool expected;
    } rows[] = {
        {"{\"includedEventTypes\":[\"A\"]}", "A", "s", true},
        {"{\"includedEventTypes\":[\"A\"]}", "a", "s", true},
        {"{\"includedEventTypes\":[\"A\"]}", "B", "s", false},
        {"{\"includedEventTypes\":[\"C\",\"B\"]}", "B", "s", true},
        {"{\"includedEventTypes\":null}", "B", "s", true},
        {"{\"includedEventTypes\":[]}", "B", "s", true},
        {"{\"includedEventTypes\":[\"All\"]}", "B", "s", true},
        {"{}", "B", "s", true},
        {"null", "B", "s", true},
        {"", "B", "s", true},
        {"{\"subjectBeginsWith\":\"/Blob\",\"subjectEndsWith\":\".JPG\"}", "A", "/blob/x.jpg",
         true},
        {"{\"subjectBeginsWith\":\"/Blob\",\"subjectEndsWith\":\".JPG\","
         "\"isSubjectCaseSensitive\":true}",
         "A", "/blob/x.jpg", false},
        {"{\"subjectBeginsWith\":\"/Blob\",\"isSubjectCaseSensitive\":true}", "A", "/Blob/x", true},
        {"{\"subjectEndsWith\":\".JPG\",\"isSubjectCaseSensitive\":true}", "A", "x.jpg", false},
        {"{\"subjectBeginsWith\":\"/blob/long\"}", "A", "/blob", false},
        {"{\"subjectBeginsWith\":\"\",\"subjectEndsWith\":null}", "A", "/blob", true},
        {"{\"subjectBeginsWith\":\"\\u00c4\"}", "A", "\\u00e4x", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (matches(rows[i].filter, grid_event(rows[i].type, rows[i].subject)) != rows[i].expected)
            fail_msg("%s %s %s", rows[i].filter, rows[i].type, rows[i].subject);
}

#define ONE(text) "{\"advancedFilters\":[" text "]}"

static void mistakes_name_their_field(void **state)
{
    static const struct {
        const char *filter, *text;
    } rows[] = {
        {"5", "is not an object"},
        {"{", "is not an object"},
        {"{\"includedEventTypes\":5}", "includedEventTypes: is not an array"},
        {"{\"includedEventTypes\":[5]}", "includedEventTypes: [0] is not a text"},
        {"{\"subjectBeginsWith\":5}", "subjectBeginsWith: is not a string"},
        {"{\"isSubjectCaseSensitive\":\"x\"}", "isSubjectCaseSensitive: is neither true nor false"},
        {"{\"advancedFilters\":{}}", "advancedFilters: is not an array"},
        {"{\"filters\":[5]}", "filters[0]: is not an object"},
        {ONE("{\"key\":\"a\"}"), "advancedFilters[0]: operatorType: is missing"},
        {ONE("{\"key\":\"a\",\"operatorType\":\"X\"}"),
         "advancedFilters[0]: operatorType: \"X\" is not an operator"},
        {ONE("{\"operatorType\":\"IsNotNull\"}"), "advancedFilters[0]: key: is missing"},
        {ONE("{\"operatorType\":\"IsNotNull\",\"key\":5}"),
         "advancedFilters[0]: key: is not a text"},
        {ONE("{\"operatorType\":\"IsNotNull\",\"key\":\"a\"},{\"operatorType\":\"StringIn\","
             "\"key\":\"a\",\"value\":\"x\"}"),
         "advancedFilters[1]: values: is missing"},
        {ONE("{\"operatorType\":\"StringIn\",\"key\":\"a\",\"values\":\"x\"}"),
         "advancedFilters[0]: values: is not an array"},
        {ONE("{\"operatorType\":\"StringIn\",\"key\":\"a\",\"values\":[]}"),
         "advancedFilters[0]: values: is empty"},
        {ONE("{\"operatorType\":\"StringIn\",\"key\":\"a\",\"values\":[\"x\",1]}"),
         "advancedFilters[0]: values[1]: is not a string"},
        {ONE("{\"operatorType\":\"NumberIn\",\"key\":\"a\",\"values\":[\"1\"]}"),
         "advancedFilters[0]: values[0]: is not a number"},
        {ONE("{\"operatorType\":\"NumberInRange\",\"key\":\"a\",\"values\":[1,2]}"),
         "advancedFilters[0]: values[0]: is not a pair of numbers"},
        {ONE("{\"operatorType\":\"NumberInRange\",\"key\":\"a\",\"values\":[[1,2,3]]}"),
         "advancedFilters[0]: values[0]: is not a pair of numbers"},
        {ONE("{\"operatorType\":\"NumberInRange\",\"key\":\"a\",\"values\":[[2,1]]}"),
         "advancedFilters[0]: values[0]: begins behind its end"},
        {ONE("{\"operatorType\":\"NumberLessThan\",\"key\":\"a\",\"values\":[1]}"),
         "advancedFilters[0]: value: is missing"},
        {ONE("{\"operatorType\":\"NumberLessThan\",\"key\":\"a\",\"value\":\"1\"}"),
         "advancedFilters[0]: value: is not a number"},
        {ONE("{\"operatorType\":\"BoolEquals\",\"key\":\"a\",\"value\":1}"),
         "advancedFilters[0]: value: is neither true nor false"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct filter filter = {0};
        struct cause why = {0};
        if (filter_read(slice_of(rows[i].filter), NULL, &filter, &why) != E_BAD_INPUT ||
            strcmp(why.text, rows[i].text) != 0)
            fail_msg("%s: %s", rows[i].filter, why.text);
        assert_null(filter.arena.block);
    }
}

static bool wants_type(const struct filter *filter, const char *folded)
{
    for (size_t i = 0; i < filter->type_count; i++)
        if (slice_eq(filter->types[i], slice_of(folded)))
            return true;
    return filter->type_count == 0;
}

static void types_of_system_topics_are_known(void **state)
{
    static const struct {
        const char *json;
        bool scaled, created;
    } rows[] = {
        {"{\"includedEventTypes\":[\"microsoft.Cache.ScalingCompleted\"]}", true, false},
        {"{\"includedEventTypes\":[\"Redgrid.Cache.Created\"]}", false, true},
        {"{\"includedEventTypes\":[\"All\"]}", true, false},
        {"{\"includedEventTypes\":null}", true, false},
        {"{}", true, false},
        {"null", true, false},
    };
    const struct event_source *source = event_source_find(SLICE("microsoft.cache.redis"));
    struct filter filter = {0};
    struct cause why;

    (void)state;
    assert_int_equal(filter_read(SLICE("{\"includedEventTypes\":[\"X\"]}"), source, &filter, &why),
                     E_BAD_INPUT);
    assert_string_equal(why.text, "includedEventTypes: \"X\" is not an event type of this topic");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(filter_read(slice_of(rows[i].json), source, &filter, &why), E_OK);
        assert_int_equal(wants_type(&filter, "microsoft.cache.scalingcompleted"), rows[i].scaled);
        assert_int_equal(wants_type(&filter, "redgrid.cache.created"), rows[i].created);
        filter_done(&filter);
    }
}

static void sources_are_found_by_their_resources(void **state)
{
    static const char *const good[] = {
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Cache/Redis/c1",
        "/subscriptions/s/resourcegroups/g/providers/microsoft.cache/redis/C1"};
    static const char *const bad[] = {
        "", "/", "/subscriptions/s/resourceGroups/g/providers/Microsoft.Cache/Redis/",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Cache/Redis/c1/firewallRules/r",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/t"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_ptr_equal(event_source_of(slice_of(good[i])), &event_sources[0]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_null(event_source_of(slice_of(bad[i])));
    assert_true(event_source_has(&event_sources[0], SLICE("REDGRID.Cache.NodeUp")));
    assert_false(event_source_has(&event_sources[0], SLICE("Redgrid.Cache")));
}

/* n conditions with m values each, the first of `len` characters */
static enum err read_many(int n, int m, int len)
{
    struct filter filter = {0};
    struct buf json;

    buf_init(&json, 1 << 20);
    for (int i = 0; i < n; i++) {
        buf_add(&json, i == 0 ? SLICE("{\"advancedFilters\":[") : SLICE(","));
        buf_add(&json, m == 0 ? SLICE("{\"operatorType\":\"IsNotNull\",\"key\":\"a\"}")
                              : SLICE("{\"operatorType\":\"StringIn\",\"key\":\"a\",\"values\":["));
        for (int j = 0; j < m; j++) {
            buf_add(&json, j == 0 ? SLICE("\"") : SLICE(",\""));
            for (int k = 0; k < len; k++)
                buf_add(&json, SLICE("\xc3\xa9"));
            buf_add_byte(&json, '"');
        }
        if (m > 0)
            buf_add(&json, SLICE("]}"));
    }
    buf_add(&json, SLICE("]}"));
    enum err err = filter_read(buf_slice(&json), NULL, &filter, NULL);
    buf_done(&json);
    if (err == E_OK)
        filter_done(&filter);
    return err;
}

static void filters_are_limited(void **state) /* scenario F4 */
{
    (void)state;
    assert_int_equal(read_many(25, 0, 0), E_OK);
    assert_int_equal(read_many(26, 0, 0), E_LIMIT);
    assert_int_equal(read_many(1, 25, 1), E_OK);
    assert_int_equal(read_many(1, 26, 1), E_LIMIT);
    assert_int_equal(read_many(5, 5, 1), E_OK);
    assert_int_equal(read_many(13, 2, 1), E_LIMIT);
    assert_int_equal(read_many(1, 1, 512), E_OK);
    assert_int_equal(read_many(1, 1, 513), E_LIMIT);
}

static void a_kept_value_is_found_once_per_event(void **state)
{
    struct event *first = custom_event("{\"a\":\"X\"}"), *second = custom_event("{\"a\":5}");
    struct lookup lookup;

    (void)state;
    lookup_init(&lookup, 1);
    lookup_begin(&lookup, first);
    struct value value = lookup_value(&lookup, SLICE("a"), 1);
    assert_true(slice_eq(value.text, SLICE("x")));
    assert_ptr_equal(lookup_value(&lookup, SLICE("a"), 1).text.data, value.text.data);
    lookup_begin(&lookup, second);
    assert_int_equal(lookup_value(&lookup, SLICE("a"), 1).kind, VALUE_NUMBER);
    lookup_done(&lookup);
    event_unref(first);
    event_unref(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_truth_table_holds),
        cmocka_unit_test(keys_are_paths),
        cmocka_unit_test(types_and_subjects_are_chosen),
        cmocka_unit_test(mistakes_name_their_field),
        cmocka_unit_test(types_of_system_topics_are_known),
        cmocka_unit_test(sources_are_found_by_their_resources),
        cmocka_unit_test(filters_are_limited),
        cmocka_unit_test(a_kept_value_is_found_once_per_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
