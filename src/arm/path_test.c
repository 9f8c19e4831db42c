#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "arm/path.h"
#include "base/mem.h"

#define RG "/subscriptions/S/resourceGroups/rg"
#define EG "/providers/Microsoft.EventGrid"
#define CACHE RG "/providers/Microsoft.Cache/Redis/c"

static void assert_text(struct slice text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    if (text.len > 0)
        assert_memory_equal(text.data, expected, text.len);
}

static void every_spelling_is_one(void **state)
{
    static const struct {
        const char *sent, *expected;
    } rows[] = {
        {"/subscriptions/S/resourceGroups/rg", RG},
        {"/SUBSCRIPTIONS/S/RESOURCEGROUPS/rg", RG},
        {"//subscriptions//S/resourcegroups/rg/", RG},
        {"/subscriptions/S/resourceGroups/My%20Group", "/subscriptions/S/resourceGroups/My Group"},
        {"/subscriptions/s/locations/West%20US", "/subscriptions/s/locations/West US"},
        /* What users name stays, whatever it is. */
        {"/subscriptions/TOPICS/resourceGroups/PROVIDERS",
         "/subscriptions/TOPICS/resourceGroups/PROVIDERS"},
        {"/subscriptions/S/resourcegroups/rg/providers/microsoft.cache/redis/c", CACHE},
        {"/subscriptions/S/resourcegroups/rg/PROVIDERS/MICROSOFT.EVENTGRID/TOPICS/T",
         RG EG "/topics/T"},
        /* The nested form becomes the other one. */
        {RG "/providers/microsoft.eventgrid/topics/t/EVENTSUBSCRIPTIONS/e",
         RG EG "/topics/t" EG "/eventSubscriptions/e"},
        {RG "/providers/microsoft.eventgrid/systemtopics/t/eventsubscriptions",
         RG EG "/systemTopics/t" EG "/eventSubscriptions"},
        {RG EG "/topics/t" EG "/eventSubscriptions/e/getFullUrl",
         RG EG "/topics/t" EG "/eventSubscriptions/e/getFullUrl"},
        /* These look like it. */
        {RG EG "/locations/l/eventSubscriptions", RG EG "/locations/l/eventSubscriptions"},
        {RG EG "/topicTypes/T/eventSubscriptions", RG EG "/topicTypes/T/eventSubscriptions"},
        {RG "/providers/Other/topics/t/eventSubscriptions/e",
         RG "/providers/Other/topics/t/eventSubscriptions/e"},
        {"/PROVIDERS/microsoft.eventgrid/TOPICTYPES/T/eventtypes", EG "/topicTypes/T/eventTypes"},
        {"/adfs/Providers/TOPICS", "/adfs/Providers/TOPICS"},
        {"/", ""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arm_path path;
        assert_int_equal(arm_path_read(&path, slice_of(rows[i].sent)), E_OK);
        assert_text(buf_slice(&path.text), rows[i].expected);
        arm_path_done(&path);
    }
}

static void what_is_no_path_is_refused(void **state)
{
    static const struct {
        const char *sent;
        enum err err;
    } rows[] = {
        {"/subscriptions/a%2Fb", E_BAD_INPUT},
        {"/subscriptions/a%", E_BAD_INPUT},
        {"/subscriptions/a%zz", E_BAD_INPUT},
        {"/subscriptions/a%00", E_BAD_INPUT},
        {"/subscriptions/a%0a", E_BAD_INPUT},
        {"/subscriptions/a%7f", E_BAD_INPUT},
        {"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z", E_LIMIT},
    };
    char room[ARM_PATH_MAX_BYTES + 10];
    struct arm_path path;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(arm_path_read(&path, slice_of(rows[i].sent)), rows[i].err);
        arm_path_done(&path);
    }
    memset(room, 'a', sizeof room);
    room[0] = '/';
    assert_int_equal(arm_path_read(&path, (struct slice){room, sizeof room}), E_LIMIT);
    arm_path_done(&path);
}

static void patterns_take_names_and_scopes(void **state)
{
    static const struct {
        const char *sent, *pattern, *name, *value; /* value NULL: it does not match */
    } rows[] = {
        {"/subscriptions/S", "/subscriptions/{subscription}", "subscription", "S"},
        {"/subscriptions/S/x", "/subscriptions/{subscription}", "subscription", NULL},
        {"/subscriptions", "/subscriptions/{subscription}", "subscription", NULL},
        {RG EG "/topics/t/LISTKEYS",
         "/subscriptions/{s}/resourceGroups/{g}" EG "/topics/{topic}/listKeys", "topic", "t"},
        {RG EG "/topics/t" EG "/eventSubscriptions/e", "{scope}" EG "/eventSubscriptions/{name}",
         "scope", RG EG "/topics/t"},
        {RG EG "/topics/t" EG "/eventSubscriptions/e", "{scope}" EG "/eventSubscriptions/{name}",
         "name", "e"},
        {CACHE EG "/eventSubscriptions", "{scope}" EG "/eventSubscriptions", "scope", CACHE},
        {"/subscriptions/S" EG "/eventSubscriptions", "{scope}" EG "/eventSubscriptions", "scope",
         "/subscriptions/S"},
        {EG "/eventSubscriptions", "{scope}" EG "/eventSubscriptions", "scope", NULL},
        {"/x" EG "/eventSubscriptions", "{scope}" EG "/eventSubscriptions", "scope", NULL},
        {RG "/resources", "{scope}/resources", "scope", RG},
        {"/metadata/endpoints", "/metadata/endpoints", "none", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arm_match match;
        struct arm_path path;
        assert_int_equal(arm_path_read(&path, slice_of(rows[i].sent)), E_OK);
        bool is_match = arm_path_match(&path, rows[i].pattern, &match);
        assert_int_equal(is_match, rows[i].value != NULL);
        if (is_match)
            assert_text(arm_match_name(&match, rows[i].name), rows[i].value);
        arm_path_done(&path);
    }
}

static void ids_come_apart(void **state)
{
    static const struct {
        const char *id, *subscription, *group, *group_id, *name, *type, *folded;
    } rows[] = {
        {RG EG "/topics/T", "S", "rg", RG, "T", "Microsoft.EventGrid/topics",
         RG "/providers/microsoft.eventgrid/topics/T"},
        {CACHE EG "/eventSubscriptions/E", "S", "rg", RG, "E",
         "Microsoft.EventGrid/eventSubscriptions",
         CACHE "/providers/microsoft.eventgrid/eventsubscriptions/E"},
        {"/subscriptions/S/providers/Microsoft.Web/sites/a/functions/f", "S", "",
         "/subscriptions/S", "f", "Microsoft.Web/sites/functions",
         "/subscriptions/S/providers/microsoft.web/sites/a/functions/f"},
        {RG, "S", "rg", RG, "rg", "", RG},
        {"/x", "", "", "", "x", "", "/x"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice id = slice_of(rows[i].id);
        struct buf text;
        buf_init(&text, ARM_PATH_MAX_BYTES);
        assert_text(arm_id_subscription(id), rows[i].subscription);
        assert_text(arm_id_group(id), rows[i].group);
        assert_text(arm_id_group_id(id), rows[i].group_id);
        assert_text(arm_id_name(id), rows[i].name);
        arm_id_add_type(&text, id);
        assert_text(buf_slice(&text), rows[i].type);
        buf_clear(&text);
        arm_id_add_folded(&text, id);
        assert_text(buf_slice(&text), rows[i].folded);
        buf_done(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_is_one),
        cmocka_unit_test(what_is_no_path_is_refused),
        cmocka_unit_test(patterns_take_names_and_scopes),
        cmocka_unit_test(ids_come_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
