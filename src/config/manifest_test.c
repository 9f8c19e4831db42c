#include "config/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

static void check(const char *text, const char *json, const char *mistakes)
{
    struct manifest *manifest = manifest_new();
    struct buf out;

    buf_init(&out, 65536);
    manifest_add(manifest, "f", NULL, slice_of(text));
    manifest_write(manifest, &out);
    struct buf said;
    buf_init(&said, 65536);
    buf_add(&said, manifest_mistakes(manifest));
    assert_string_equal(buf_text(&said), mistakes);
    if (mistakes[0] == '\0')
        assert_string_equal(buf_text(&out), json);
    buf_done(&said);
    buf_done(&out);
    manifest_free(manifest);
}

#define NONE "{\"topics\":[],\"subscriptions\":[]}"
#define TOPIC(json) "{\"topics\":[" json "],\"subscriptions\":[]}"

static void documents_become_json(void **state)
{
    (void)state;
    check("", NONE, "");
    check("# nothing\n", NONE, "");
    check("---\n---\n", NONE, "");
    check("topics:\nsubscriptions: []\n", NONE, "");
    check("topics:\n  - name: orders\n  - {name: \"b\"}\n---\nTopics: [{name: c}]\n"
          "subscriptions: [{name: d}]\n",
          "{\"topics\":[{\"name\":\"orders\"},{\"name\":\"b\"},{\"name\":\"c\"}],"
          "\"subscriptions\":[{\"name\":\"d\"}]}",
          "");
    check("topics: [[1, -2.50, 1e3, 007, 0x1f, .5, +1, 1_0, 12345678901234567890]]\n",
          TOPIC("[1,-2.50,1e3,\"007\",\"0x1f\",\".5\",\"+1\",\"1_0\",12345678901234567890]"), "");
    check("topics: [[true, False, yes, on, ~, null, \"true\", '1', \"\"]]\n",
          TOPIC("[true,false,\"yes\",\"on\",null,null,\"true\",\"1\",\"\"]"), "");
    check("topics: [[2030-01-01T00:00:00Z, \"a\\n\\\"b\", !!str x]]\n",
          TOPIC("[\"2030-01-01T00:00:00Z\",\"a\\n\\\"b\",\"x\"]"), "");
    check("topics: [&a {k: [1]}, *a]\n", TOPIC("{\"k\":[1]},{\"k\":[1]}"), "");
    check("{\"topics\": [{\"name\": \"json\", \"n\": 1}]}", TOPIC("{\"name\":\"json\",\"n\":1}"),
          "");
}

static void every_mistake_has_its_place(void **state)
{
    (void)state;
    check("topcs: []\nxyz: []\ntopics: {}\nsubscriptions: 5\n", "",
          "f:1:1: topcs: is not known; did you mean 'topics'?\n"
          "f:2:1: xyz: is not known; there are topics and subscriptions\n"
          "f:3:1: topics: is not a list: begin each with `- name: ..`\n"
          "f:4:1: subscriptions: is not a list: begin each with `- name: ..`\n");
    check("- a\n--- b\n", "",
          "f:1:1: is neither `topics:` nor `subscriptions:`\n"
          "f:2:5: is neither `topics:` nor `subscriptions:`\n");
    check("topics:\n  - name: a\n    Name: b\n    ? [x]\n    : y\ntopics: []\n", "",
          "f:3:5: Name: is given twice\nf:4:7: a name must be a text\n"
          "f:6:1: topics: is given twice\n");
    check("topics: [", "", "f:2:1: is not YAML: did not find expected node content\n");
    check("topics: [{a: !vault x}]\n", "",
          "f:1:14: !vault: is not known here; there are !env NAME and !file PATH\n");
}

static void references_are_followed(void **state)
{
    char path[] = "/tmp/redgrid-manifest-XXXXXX", text[256];
    int fd = mkstemp(path);
    static const char secret[] = "tiger\n";

    (void)state;
    assert_int_equal(write(fd, secret, sizeof secret - 1), sizeof secret - 1);
    close(fd);
    setenv("MANIFEST_TEST", "a \"b\"", 1);
    unsetenv("MANIFEST_NONE");
    check("topics: [{a: !env MANIFEST_TEST}]\n", TOPIC("{\"a\":\"a \\\"b\\\"\"}"), "");
    snprintf(text, sizeof text, "topics: [{a: !file %s}]\n", path);
    check(text, TOPIC("{\"a\":\"tiger\"}"), "");
    check("topics:\n- a: !env MANIFEST_NONE\n  b: !file /nonexistent\n", "",
          "f:2:6: there is no variable MANIFEST_NONE\nf:3:6: cannot read /nonexistent\n");
    unlink(path);
}

/* n times "[", then what is in the middle, then n times "]". */
static void nest(struct buf *out, size_t n, const char *middle)
{
    for (size_t i = 0; i < n; i++)
        buf_add_byte(out, '[');
    buf_add(out, slice_of(middle));
    for (size_t i = 0; i < n; i++)
        buf_add_byte(out, ']');
}

static void limits_hold(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, MANIFEST_FILE_MAX_BYTES + 1);
    buf_add(&text, SLICE("topics: ["));
    nest(&text, MANIFEST_DEPTH_MAX, "x");
    buf_add(&text, SLICE(", "));
    nest(&text, MANIFEST_DEPTH_MAX + 1, "x");
    buf_add(&text, SLICE("]\n"));
    check(buf_text(&text), "", "f:1:110: is nested deeper than 32\n");

    buf_clear(&text); /* a loop, and aliases that double at each of 30 steps */
    buf_add(&text, SLICE("topics: [&a [*a]]\n"));
    check(buf_text(&text), "", "f:1:10: is nested deeper than 32\n");
    buf_clear(&text);
    buf_add(&text, SLICE("topics: [&a0 x"));
    for (int i = 1; i <= 30; i++)
        buf_addf(&text, ", &a%d [*a%d, *a%d]", i, i - 1, i - 1);
    buf_add(&text, SLICE("]\n"));
    check(buf_text(&text), "",
          "f:1:17: here are more than 100000 values: do aliases hold aliases?\n");

    buf_clear(&text);
    buf_add(&text, SLICE("topics: [{"));
    for (int i = 0; i <= MANIFEST_MEMBERS_MAX; i++)
        buf_addf(&text, "m%d: 1, ", i);
    buf_add(&text, SLICE("}]\n"));
    check(buf_text(&text), "", "f:1:10: has more than 200 members\n");

    buf_clear(&text);
    while (text.len <= MANIFEST_FILE_MAX_BYTES)
        buf_add_byte(&text, '#');
    check(buf_text(&text), "", "f:1:1: is larger than 1 MiB\n");
    buf_done(&text);
}

static void paths_lead_back_to_places(void **state)
{
    static const struct {
        const char *path, *place;
    } rows[] = {
        {"topics[0]", "one:2:5"},
        {"topics[0].name", "one:2:5"},
        {"topics[1].name", "two:1:12"},
        {"topics[1].inputSchema", "two:1:11"}, /* where it is missing */
        {"subscriptions[0].topic", "two:4:3"},
        {"subscriptions[0].DESTINATION.properties.endpointUrl", "two:6:5"},
        {"subscriptions[0].filter.advancedFilters[1].values[1]", "two:10:53"},
        {"subscriptions[0].filter.advancedFilters[2]", "two:8:5"},
        {"subscriptions[9].name", "one"},
        {"nothing", "one"},
        {"", "one"},
    };
    struct manifest *manifest = manifest_new();
    struct buf place;

    (void)state;
    manifest_add(manifest, "one", NULL, SLICE("topics:\n  - name: a\n"));
    manifest_add(manifest, "two", NULL,
                 SLICE("topics: [ {name: b}]\n---\nsubscriptions: [ # here\n"
                       "{ topic: a,\n  destination: {\n    endpointUrl: x },\n  filter: {\n"
                       "    advancedFilters: [\n      {key: a, operatorType: IsNotNull},\n"
                       "      {key: b, operatorType: StringIn, values: [aa, bb]}]}}]\n"));
    assert_int_equal(manifest_mistakes(manifest).len, 0);
    buf_init(&place, 256);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        buf_clear(&place);
        manifest_add_place(manifest, slice_of(rows[i].path), &place);
        assert_string_equal(buf_text(&place), rows[i].place);
    }
    buf_done(&place);
    manifest_free(manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_become_json),     cmocka_unit_test(every_mistake_has_its_place),
        cmocka_unit_test(references_are_followed),   cmocka_unit_test(limits_hold),
        cmocka_unit_test(paths_lead_back_to_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
