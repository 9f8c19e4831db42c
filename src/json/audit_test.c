#include "json/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "json/json.h"

/* A reader with all that readers do. */
static void read_it(struct jx_audit *audit, const char *text)
{
    static const char *const kinds[] = {"A", "B", NULL};
    struct jx_view view, wrapped, item;
    struct jx_range range = {1, 9};
    uint32_t count = 0;
    const char *name;
    json_t *json = NULL;
    size_t kind;
    bool is_on;

    assert_int_equal(jx_parse(slice_of(text), NULL, NULL, &json, NULL), E_OK);
    jx_view_init(&view, json, NULL);
    view.audit = audit;
    (void)jx_text(&view, "name", &name);
    (void)jx_u32(&view, "count", range, &count);
    if (!jx_word(&view, "kind", kinds, &kind) && jx_view_member(&view, "kind") != NULL)
        jx_audit_skip(audit, "inside");
    jx_view_inner(&view, "inside", &wrapped);
    (void)jx_bool(&wrapped, "isOn", &is_on);
    jx_view_join(&view, &wrapped);
    for (size_t i = 0; i < json_array_size(jx_view_member(&view, "list")); i++) {
        jx_view_item(&view, "list", i, &item);
        if (!jx_text(&item, "key", &name))
            jx_view_error(&item, "key", "is missing");
        jx_view_join(&view, &item);
    }
    jx_audit_unknown(audit, slice_of(text));
    json_decref(json);
}

static void every_mistake_is_noted_once_with_its_path(void **state)
{
    static const struct {
        const char *text, *noted;
    } rows[] = {
        {"{}", ""},
        {"{\"name\":\"x\",\"COUNT\":3,\"kind\":\"b\",\"inside\":{\"isOn\":true},\"list\":[]}", ""},
        {"{\"isOn\":true}", ""},
        {"{\"name\":5,\"count\":10}", "name: is not a text; count: 10 is not between 1 and 9; "},
        {"{\"nmae\":\"x\",\"zzzzzzz\":1}",
         "nmae: is not known; did you mean 'name'?; zzzzzzz: is not known; "},
        {"{\"inside\":5}", "inside: is not an object; "},
        {"{\"inside\":{\"isOn\":3,\"on\":1}}",
         "inside.isOn: is neither true nor false; inside.on: is not known; "},
        {"{\"kind\":\"C\",\"inside\":{\"what\":1}}", "kind: 'C' is not 'A' or 'B'; "},
        {"{\"list\":[{\"key\":\"a\"},{\"kye\":\"b\"}]}",
         "list[1].key: is missing; list[1].kye: is not known; did you mean 'key'?; "},
    };
    struct jx_audit audit;
    struct buf noted;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        jx_audit_init(&audit);
        read_it(&audit, rows[i].text);
        buf_init(&noted, 4096);
        for (size_t k = 0; k < audit.count; k++)
            buf_addf(&noted, "%s: %s; ", audit.mistakes[k].path, audit.mistakes[k].text);
        assert_string_equal(buf_text(&noted), rows[i].noted);
        buf_done(&noted);
        jx_audit_done(&audit);
    }
}

static void a_cause_begins_with_a_path(void **state)
{
    static const struct {
        const char *text, *path, *rest;
    } rows[] = {
        {"a[2]: b: is missing", "f.a[2].b", "is missing"},
        {"is: not", "f.is", "not"},
        {"is not: it", "f", "is not: it"},
        {"[3] is bad", "f", "[3] is bad"},
        {"", "f", ""},
    };
    struct jx_audit audit;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        jx_audit_init(&audit);
        jx_audit_note_cause(&audit, "f", rows[i].text);
        assert_int_equal(audit.count, 1);
        assert_string_equal(audit.mistakes[0].path, rows[i].path);
        assert_string_equal(audit.mistakes[0].text, rows[i].rest);
        jx_audit_done(&audit);
    }
}

static void one_fault_is_told_once(void **state)
{
    struct jx_audit audit;

    (void)state;
    jx_audit_init(&audit);
    jx_audit_note(&audit, "a", "b", "1");
    jx_audit_note(&audit, "a", "b", "the same");
    jx_audit_note(&audit, "a", "", "around it");
    jx_audit_note(&audit, "a.b[0]", "c", "inside of it");
    jx_audit_note(&audit, "a", "bc", "2");
    assert_int_equal(audit.count, 2);
    assert_string_equal(audit.mistakes[1].path, "a.bc");
    for (size_t i = 0; i < 2 * JX_MISTAKES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%zu", i);
        jx_audit_note(&audit, "", name, "many");
    }
    assert_int_equal(audit.count, JX_MISTAKES_MAX);
    jx_audit_done(&audit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_is_noted_once_with_its_path),
        cmocka_unit_test(a_cause_begins_with_a_path),
        cmocka_unit_test(one_fault_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
