#include "functions/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* A flat array of field names and values. */
struct fields {
    struct resp nodes[201];
};

static const struct resp *fields_of(struct fields *fields, const char *const *texts, uint32_t count)
{
    fields->nodes[0] = (struct resp){.type = RESP_ARRAY, .count = count, .span = count + 1};
    for (uint32_t i = 0; i < count; i++)
        fields->nodes[1 + i] =
            (struct resp){.type = RESP_BULK, .span = 1, .text = slice_of(texts[i])};
    return fields->nodes;
}

static struct trigger trigger_of(enum trigger_type type, enum payload_mode payload)
{
    static char name[] = "entry", channel[] = "ch*";
    return (struct trigger){.type = type, .payload = payload, .name = name, .channel = channel};
}

static void set(struct message *m, const struct trigger *trigger, struct slice text)
{
    static const char *const ab[] = {"a", "b"};
    struct fields fields;
    enum err err = E_FAILED;

    if (trigger->type == TRIGGER_LIST)
        err = message_set_list(m, trigger, SLICE("q"), text, 2);
    else if (trigger->type == TRIGGER_STREAM)
        err =
            message_set_stream(m, trigger, SLICE("s"), SLICE("1-0"), fields_of(&fields, ab, 2), 3);
    else
        err = message_set_pubsub(m, trigger, SLICE("ch1"), text);
    assert_int_equal(err, E_OK);
}

/* All metadata as `Name=value` with `~` before JSON. */
static void assert_metadata(const struct message *m, const char *expected)
{
    struct buf out;

    buf_init(&out, 10000);
    for (size_t i = 0; i < m->metadata_count; i++) {
        const struct rpc_named *meta = &m->metadata[i];
        assert_true(meta->data.kind == RPC_JSON || meta->data.kind == RPC_STRING);
        assert_int_equal(meta->data.integer, 0);
        buf_addf(&out, "%s%.*s=%s%.*s", i > 0 ? " " : "", SLICE_ARG(meta->name),
                 meta->data.kind == RPC_JSON ? "~" : "", SLICE_ARG(meta->data.text));
    }
    assert_string_equal(buf_text(&out), expected);
    buf_done(&out);
}

static void assert_text(struct slice text, const char *expected)
{
    if (!slice_eq(text, slice_of(expected)))
        fail_msg("'%.*s' is not '%s'", SLICE_ARG(text), expected);
}

static void each_trigger_has_each_payload_mode(void **state)
{
    static const struct {
        enum trigger_type type;
        enum payload_mode mode;
        const char *value, *metadata;
    } rows[] = {
        {TRIGGER_LIST, PAYLOAD_MODEL, "{\"Trigger\":\"q\",\"Message\":\"hi\"}",
         "Key=q Value=hi DeliveryCount=2 Trigger=q Message=hi"},
        {TRIGGER_LIST, PAYLOAD_GA, "hi", "Key=q Value=hi DeliveryCount=2"},
        {TRIGGER_LIST, PAYLOAD_VALUE, "hi", "Key=q Value=hi DeliveryCount=2"},
        {TRIGGER_STREAM, PAYLOAD_MODEL, "{\"Trigger\":\"s\",\"Message\":\"{\\\"a\\\":\\\"b\\\"}\"}",
         "Key=s Id=1-0 Values=~{\"a\":\"b\"} DeliveryCount=3 Trigger=s Message={\"a\":\"b\"}"},
        {TRIGGER_STREAM, PAYLOAD_GA, "{\"Id\":\"1-0\",\"Values\":{\"a\":\"b\"}}",
         "Key=s Id=1-0 Values=~{\"a\":\"b\"} DeliveryCount=3"},
        {TRIGGER_STREAM, PAYLOAD_VALUE, "{\"Id\":\"1-0\",\"Values\":{\"a\":\"b\"}}",
         "Key=s Id=1-0 Values=~{\"a\":\"b\"} DeliveryCount=3"},
        {TRIGGER_PUBSUB, PAYLOAD_MODEL, "{\"Trigger\":\"ch1\",\"Message\":\"hi\"}",
         "SubscriptionChannel=ch* Channel=ch1 Message=hi Trigger=ch1"},
        {TRIGGER_PUBSUB, PAYLOAD_GA,
         "{\"SubscriptionChannel\":\"ch*\",\"Channel\":\"ch1\",\"Message\":\"hi\"}",
         "SubscriptionChannel=ch* Channel=ch1 Message=hi"},
        {TRIGGER_PUBSUB, PAYLOAD_VALUE, "hi", "SubscriptionChannel=ch* Channel=ch1 Message=hi"},
    };
    struct message m;

    (void)state;
    message_init(&m, 10000);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int binary = 0; binary < 2; binary++) {
            struct trigger trigger = trigger_of(rows[i].type, rows[i].mode);
            trigger.data_type = binary ? DATA_BINARY : DATA_STRING;
            set(&m, &trigger, SLICE("hi"));
            assert_text(m.input.name, "entry");
            assert_int_equal(m.input.data.kind, binary ? RPC_BYTES : RPC_STRING);
            assert_text(m.input.data.text, rows[i].value);
            assert_metadata(&m, rows[i].metadata);
        }
    message_done(&m);
}

static void invalid_text_is_repaired_unless_raw_bytes_are_asked_for(void **state)
{
    struct trigger trigger = trigger_of(TRIGGER_LIST, PAYLOAD_VALUE);
    struct slice bad = SLICE("a\xff"
                             "b");
    struct slice bytes = SLICE("\0\xff\xfe");
    struct message m;

    (void)state;
    message_init(&m, 10000);
    for (int type = TRIGGER_LIST; type <= TRIGGER_PUBSUB; type += 2) {
        trigger.type = (enum trigger_type)type;
        trigger.channel = type == TRIGGER_PUBSUB ? trigger.name : NULL;
        trigger.data_type = DATA_STRING;
        set(&m, &trigger, bad);
        assert_text(m.input.data.text, "a\xef\xbf\xbd"
                                       "b");
        trigger.data_type = DATA_BINARY;
        set(&m, &trigger, bytes);
        assert_true(slice_eq(m.input.data.text, bytes));
        trigger.payload = PAYLOAD_MODEL;
        set(&m, &trigger, bad);
        assert_non_null(memmem(m.input.data.text.data, m.input.data.text.len,
                               "\"Message\":\"a\xef\xbf\xbd"
                               "b\"",
                               17));
        trigger.payload = PAYLOAD_VALUE;
    }
    message_done(&m);
}

static void properties_of_a_json_text_become_metadata(void **state)
{
    struct trigger trigger = trigger_of(TRIGGER_LIST, PAYLOAD_GA);
    struct message m;

    (void)state;
    message_init(&m, 10000);
    set(&m, &trigger,
        SLICE(" {\"name\":\"x\",\"n\":5,\"ok\":true,\"none\":null,\"list\":[1],\"in\":{\"a\":[2]},"
              "\"KEY\":\"other\"} "));
    assert_metadata(&m, "Key=other Value= {\"name\":\"x\",\"n\":5,\"ok\":true,\"none\":null,"
                        "\"list\":[1],\"in\":{\"a\":[2]},\"KEY\":\"other\"}  DeliveryCount=2 "
                        "name=x n=5 ok=true in=~{\"a\":[2]}");
    set(&m, &trigger, SLICE("{\"a\":1,\"\\u0061\":0.1,\"A\":\"\\u20ac\"}"));
    assert_metadata(&m, "Key=q Value={\"a\":1,\"\\u0061\":0.1,\"A\":\"\\u20ac\"} DeliveryCount=2 "
                        "a=\xe2\x82\xac");
    set(&m, &trigger, SLICE("{not json}"));
    assert_metadata(&m, "Key=q Value={not json} DeliveryCount=2");
    assert_int_equal(message_set_list(&m, &trigger, SLICE("q"), SLICE("[1]"), 0), E_OK);
    assert_metadata(&m, "Key=q Value=[1]");
    message_done(&m);
}

static void the_last_of_repeated_fields_wins(void **state)
{
    static const char *const few[] = {"a", "1", "b", "", "a", "2"};
    const char *many[200];
    struct trigger trigger = trigger_of(TRIGGER_STREAM, PAYLOAD_GA);
    struct fields fields;
    struct message m;

    (void)state;
    message_init(&m, 10000);
    assert_int_equal(
        message_set_stream(&m, &trigger, SLICE("s"), SLICE("1-0"), fields_of(&fields, few, 6), 0),
        E_OK);
    assert_text(m.input.data.text, "{\"Id\":\"1-0\",\"Values\":{\"b\":\"\",\"a\":\"2\"}}");
    for (size_t i = 0; i < COUNT_OF(many); i += 2) {
        many[i] = "same";
        many[i + 1] = i == 198 ? "last" : "no";
    }
    assert_int_equal(message_set_stream(&m, &trigger, SLICE("s"), SLICE("1-0"),
                                        fields_of(&fields, many, 200), 0),
                     E_OK);
    assert_text(m.input.data.text, "{\"Id\":\"1-0\",\"Values\":{\"same\":\"last\"}}");
    assert_int_equal(
        message_set_stream(&m, &trigger, SLICE("s"), SLICE("1-0"), fields_of(&fields, few, 0), 0),
        E_OK);
    assert_text(m.input.data.text, "{\"Id\":\"1-0\",\"Values\":{}}");
    message_done(&m);
}

static void texts_inside_texts_are_escaped_twice(void **state)
{
    static const char *const odd[] = {"q\"", "\\ \n \xc3\xa9"};
    struct trigger trigger = trigger_of(TRIGGER_STREAM, PAYLOAD_MODEL);
    struct fields fields;
    struct message m;

    (void)state;
    message_init(&m, 10000);
    assert_int_equal(
        message_set_stream(&m, &trigger, SLICE("k\""), SLICE("1-0"), fields_of(&fields, odd, 2), 0),
        E_OK);
    assert_text(m.input.data.text, "{\"Trigger\":\"k\\\"\",\"Message\":\"{\\\"q\\\\\\\"\\\":"
                                   "\\\"\\\\\\\\ \\\\n \xc3\xa9\\\"}\"}");
    message_done(&m);
}

/* The text of the fields is read where the message is being written. */
static void fields_of_any_length_stay_whole(void **state)
{
    struct trigger stream = trigger_of(TRIGGER_STREAM, PAYLOAD_MODEL);
    struct trigger list = trigger_of(TRIGGER_LIST, PAYLOAD_MODEL);
    char value[2000];

    (void)state;
    for (size_t len = 0; len + 1 < sizeof value; len += len < 300 ? 1 : 97) {
        const char *const pair[] = {"f", value};
        struct message m, expected;
        struct fields fields;
        memset(value, len % 2 ? '"' : 'x', len);
        value[len] = '\0';
        message_init(&m, 40000);
        message_init(&expected, 40000);
        assert_int_equal(message_set_stream(&m, &stream, SLICE("s"), SLICE("1-0"),
                                            fields_of(&fields, pair, 2), 0),
                         E_OK);
        assert_int_equal(message_set_list(&expected, &list, SLICE("s"), m.metadata[2].data.text, 0),
                         E_OK);
        assert_true(slice_eq(m.input.data.text, expected.input.data.text));
        message_done(&m);
        message_done(&expected);
    }
}

static void a_batch_is_an_array_of_the_same_forms(void **state)
{
    static const struct slice elements[] = {SLICE_INIT("x"), SLICE_INIT(""), SLICE_INIT("\xff")};
    static const char *const ab[] = {"a", "b"};
    struct trigger trigger = trigger_of(TRIGGER_LIST, PAYLOAD_GA);
    struct resp entry[6] = {{.type = RESP_ARRAY, .count = 2, .span = 5},
                            {.type = RESP_BULK, .span = 1, .text = SLICE_INIT("1-0")}};
    const struct resp *entries[] = {entry, entry};
    struct fields fields;
    struct message m;

    (void)state;
    message_init(&m, 10000);
    assert_int_equal(message_set_list_batch(&m, &trigger, SLICE("q"), elements, 3), E_OK);
    assert_int_equal(m.input.data.kind, RPC_STRINGS);
    assert_int_equal(m.input.data.item_count, 3);
    assert_text(m.input.data.items[0], "x");
    assert_text(m.input.data.items[1], "");
    assert_text(m.input.data.items[2], "\xef\xbf\xbd");
    assert_metadata(&m, "Key=q Count=~3");
    trigger.data_type = DATA_BINARY;
    assert_int_equal(message_set_list_batch(&m, &trigger, SLICE("q"), elements, 3), E_OK);
    assert_int_equal(m.input.data.kind, RPC_BYTES_LIST);
    assert_text(m.input.data.items[2], "\xff");
    trigger = trigger_of(TRIGGER_STREAM, PAYLOAD_MODEL);
    memcpy(entry + 2, fields_of(&fields, ab, 2), 3 * sizeof *entry);
    assert_int_equal(message_set_stream_batch(&m, &trigger, SLICE("s"), entries, 2), E_OK);
    assert_int_equal(m.input.data.item_count, 2);
    assert_text(m.input.data.items[1], "{\"Trigger\":\"s\",\"Message\":\"{\\\"a\\\":\\\"b\\\"}\"}");
    message_done(&m);
}

static void a_message_over_the_limit_is_refused_and_the_next_one_fits(void **state)
{
    static const char *const ab[] = {"aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbb"};
    struct trigger trigger = trigger_of(TRIGGER_STREAM, PAYLOAD_MODEL);
    struct trigger raw = trigger_of(TRIGGER_LIST, PAYLOAD_GA);
    struct fields fields;
    struct message m;

    (void)state;
    bool fitted = false;
    for (size_t max = 0; max < 300; max++) {
        message_init(&m, max);
        enum err err = message_set_stream(&m, &trigger, SLICE("s"), SLICE("1-0"),
                                          fields_of(&fields, ab, 2), 0);
        assert_int_equal(err, err == E_OK || fitted ? E_OK : E_LIMIT);
        fitted = err == E_OK;
        if (max >= 2)
            assert_int_equal(message_set_list(&m, &raw, SLICE("q"), SLICE("x"), 0), E_OK);
        message_done(&m);
    }
    assert_true(fitted);
}

static void the_reason_names_source_and_time(void **state)
{
    struct trigger trigger = trigger_of(TRIGGER_LIST, PAYLOAD_MODEL);
    static const char list[] = "Redis list entry detected from key 'q' at 20";
    struct message m;
    struct buf out;

    (void)state;
    message_init(&m, 10000);
    buf_init(&out, 1000);
    set(&m, &trigger, SLICE("x"));
    message_add_reason(&m, &out);
    assert_memory_equal(out.data, list, sizeof list - 1);
    assert_true(slice_has_suffix_nocase(buf_slice(&out), SLICE("Z.")));
    assert_int_equal(out.len, sizeof list - 1 + sizeof "23-05-24T12:00:00.0000000Z." - 1);
    trigger.type = TRIGGER_PUBSUB;
    set(&m, &trigger, SLICE("x"));
    buf_clear(&out);
    message_add_reason(&m, &out);
    assert_non_null(strstr(buf_text(&out), "Redis pubsub message detected from channel 'ch1' at "));
    trigger.type = TRIGGER_STREAM;
    set(&m, &trigger, SLICE("x"));
    buf_clear(&out);
    message_add_reason(&m, &out);
    assert_non_null(strstr(buf_text(&out), "Redis stream entry detected from key 's' at "));
    assert_int_equal(message_set_value(&m, &trigger, SLICE("{\"Key\":\"z\"}")), E_OK);
    assert_text(m.input.data.text, "{\"Key\":\"z\"}");
    assert_metadata(&m, "Key=z");
    buf_clear(&out);
    message_add_reason(&m, &out);
    assert_non_null(strstr(buf_text(&out), "by hand"));
    buf_done(&out);
    message_done(&m);
}

static void an_entry_tells_when_it_was_added(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        uint64_t expected;
    } rows[] = {{"1795270753213-0", 1795270753213}, {"1-0", 0}, {"0-1", 0}};
    const struct trigger trigger = trigger_of(TRIGGER_STREAM, PAYLOAD_GA);
    static const char *const ab[] = {"a", "b"};
    struct fields fields;
    struct message m;

    message_init(&m, 10000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(message_set_stream(&m, &trigger, SLICE("s"), slice_of(rows[i].id),
                                            fields_of(&fields, ab, 2), 1),
                         E_OK);
        assert_int_equal(m.added_unix_ms, rows[i].expected);
    }
    message_done(&m);
}

#define EVENT "{\"id\":\"1\",\"subject\":\"s\",\"data\":{\"n\":5},\"tags\":[1]}"
#define OTHER "{\"id\":\"2\",\"data\":[7]}"
#define BARE "{\"id\":\"3\"}"

static void an_event_is_json_and_its_members_are_metadata(void **state)
{
    static const struct slice events[] = {SLICE_INIT(EVENT)}, others[] = {SLICE_INIT(OTHER)};
    const struct rpc_named team = {.name = SLICE("team"), .data.text = SLICE("bl\xff")};
    struct trigger trigger = trigger_of(TRIGGER_EVENT, PAYLOAD_MODEL);
    struct message_events what = {.events = events,
                                  .count = 1,
                                  .subscription = SLICE("es1"),
                                  .deliveries = 2,
                                  .attributes = &team,
                                  .attribute_count = 1};
    struct message m;
    struct buf reason;

    (void)state;
    message_init(&m, 10000);
    assert_int_equal(message_set_events(&m, &trigger, &what), E_OK);
    assert_int_equal(m.input.data.kind, RPC_JSON);
    assert_text(m.input.data.text, EVENT);
    assert_metadata(&m, "id=1 subject=s data=~{\"n\":5} SubscriptionName=es1 DeliveryCount=2 "
                        "team=bl\xef\xbf\xbd");
    buf_init(&reason, 1000);
    message_add_reason(&m, &reason);
    assert_true(slice_has_prefix(buf_slice(&reason),
                                 SLICE("EventGrid trigger fired by subscription 'es1' at ")));
    buf_done(&reason);
    what = (struct message_events){.events = others, .count = 1};
    trigger.data_type = DATA_BINARY;
    assert_int_equal(message_set_events(&m, &trigger, &what), E_OK);
    assert_int_equal(m.input.data.kind, RPC_BYTES);
    assert_text(m.input.data.text, OTHER);
    assert_metadata(&m, "id=2 data=~[7] SubscriptionName=");
    message_done(&m);
}

static void a_batch_of_events_is_an_array_of_json(void **state)
{
    static const struct slice events[] = {SLICE_INIT(EVENT), SLICE_INIT(OTHER), SLICE_INIT(BARE)};
    struct trigger trigger = trigger_of(TRIGGER_EVENT, PAYLOAD_MODEL);
    const struct message_events what = {
        .events = events, .count = 3, .subscription = SLICE("es1"), .deliveries = 1};
    struct message m;

    (void)state;
    trigger.is_batch = true;
    message_init(&m, 10000);
    assert_int_equal(message_set_events(&m, &trigger, &what), E_OK);
    assert_int_equal(m.input.data.kind, RPC_JSONS);
    assert_int_equal(m.input.data.item_count, 3);
    assert_text(m.input.data.items[0], EVENT);
    assert_text(m.input.data.items[2], BARE);
    assert_metadata(&m, "Count=~3 data=~[{\"n\":5},[7],null] SubscriptionName=es1 DeliveryCount=1");
    message_done(&m);
}

static void an_event_by_hand_is_as_one_that_came(void **state)
{
    struct trigger trigger = trigger_of(TRIGGER_EVENT, PAYLOAD_MODEL);
    struct message m;

    (void)state;
    message_init(&m, 10000);
    assert_int_equal(message_set_value(&m, &trigger, SLICE(OTHER)), E_OK);
    assert_int_equal(m.input.data.kind, RPC_JSON);
    assert_metadata(&m, "id=2 data=~[7]");
    assert_int_equal(message_set_value(&m, &trigger, SLICE("hi")), E_OK);
    assert_int_equal(m.input.data.kind, RPC_STRING);
    trigger.is_batch = true;
    assert_int_equal(message_set_value(&m, &trigger, SLICE(BARE)), E_OK);
    assert_int_equal(m.input.data.kind, RPC_JSONS);
    assert_text(m.input.data.items[0], BARE);
    message_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_trigger_has_each_payload_mode),
        cmocka_unit_test(invalid_text_is_repaired_unless_raw_bytes_are_asked_for),
        cmocka_unit_test(properties_of_a_json_text_become_metadata),
        cmocka_unit_test(the_last_of_repeated_fields_wins),
        cmocka_unit_test(texts_inside_texts_are_escaped_twice),
        cmocka_unit_test(fields_of_any_length_stay_whole),
        cmocka_unit_test(a_batch_is_an_array_of_the_same_forms),
        cmocka_unit_test(a_message_over_the_limit_is_refused_and_the_next_one_fits),
        cmocka_unit_test(the_reason_names_source_and_time),
        cmocka_unit_test(an_entry_tells_when_it_was_added),
        cmocka_unit_test(an_event_is_json_and_its_members_are_metadata),
        cmocka_unit_test(a_batch_of_events_is_an_array_of_json),
        cmocka_unit_test(an_event_by_hand_is_as_one_that_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
