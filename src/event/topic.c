#include "event/topic.h"

#include <stdlib.h>

#include "base/mem.h"
#include "json/json.h"
#include "json/member.h"

static const char *const schema_words[] = {
#define SCHEMA_WORD(schema, name, wire) [schema] = (name),
    SCHEMAS(SCHEMA_WORD) NULL
#undef SCHEMA_WORD
};

static const struct {
    const char *name;
    bool takes_default;
} mapped[EVENT_MAPPED_FIELDS] = {
    [EVENT_ID] = {"id", false},          [EVENT_SOURCE] = {"topic", false},
    [EVENT_SUBJECT] = {"subject", true}, [EVENT_TYPE] = {"eventType", true},
    [EVENT_TIME] = {"eventTime", false}, [EVENT_DATA_VERSION] = {"dataVersion", true},
};

void topic_init(struct topic *topic, struct slice name, struct slice id)
{
    *topic = (struct topic){
        .name = slice_dup(name), .id = slice_dup(id), .retention_days = TOPIC_RETENTION_MAX_DAYS};
}

static void mapping_done(struct event_mapping *mapping)
{
    for (size_t i = 0; i < EVENT_MAPPED_FIELDS; i++) {
        free(mapping->fields[i].source);
        free(mapping->fields[i].fallback);
    }
    *mapping = (struct event_mapping){0};
}

void topic_done(struct topic *topic)
{
    mapping_done(&topic->mapping);
    free(topic->name);
    free(topic->id);
    free(topic->source);
    free(topic->type);
    *topic = (struct topic){0};
}

static void read_mapped(struct jx_view *fields, size_t i, struct event_mapping *mapping)
{
    struct jx_view field;

    jx_view_down(fields, mapped[i].name, &field);
    jx_text_dup(&field, "sourceField", &mapping->fields[i].source);
    jx_text_dup(&field, "defaultValue", &mapping->fields[i].fallback);
    if (mapping->fields[i].source != NULL && mapping->fields[i].source[0] == '\0')
        jx_view_error(&field, "sourceField", "is empty");
    if (mapping->fields[i].fallback != NULL && !mapped[i].takes_default)
        jx_view_error(&field, "defaultValue",
                      "is possible for subject, eventType and dataVersion only");
    jx_view_join(fields, &field);
}

static void read_mapping(struct jx_view *view, struct topic *topic)
{
    static const char *const types[] = {"Json", NULL};
    struct jx_view mapping, fields;
    size_t type;

    if (jx_view_member(view, "inputSchemaMapping") == NULL)
        return;
    mapping_done(&topic->mapping);
    jx_view_down(view, "inputSchemaMapping", &mapping);
    (void)jx_word(&mapping, "inputSchemaMappingType", types, &type);
    jx_view_down(&mapping, "properties", &fields);
    for (size_t i = 0; i < EVENT_MAPPED_FIELDS; i++)
        read_mapped(&fields, i, &topic->mapping);
    jx_view_join(&mapping, &fields);
    if (topic->input != SCHEMA_CUSTOM)
        jx_view_error(&mapping, NULL, "is possible with inputSchema CustomEventSchema only");
    jx_view_join(view, &mapping);
}

static void read_members(struct jx_view *view, struct topic *topic, bool is_stored)
{
    struct jx_range days = {1, TOPIC_RETENTION_MAX_DAYS};
    size_t schema;

    if (jx_word(view, "inputSchema", schema_words, &schema))
        topic->input = (enum event_schema)schema;
    read_mapping(view, topic);
    (void)jx_bool(view, "disableLocalAuth", &topic->is_local_auth_disabled);
    (void)jx_u32(view, "eventRetentionInDays", days, &topic->retention_days);
    jx_text_dup(view, "source", &topic->source);
    jx_text_dup(view, "topicType", &topic->type);
    if (is_stored) {
        jx_text_copy(view, "key1", topic->keys.text[0], ACCESS_KEY_TEXT_MAX);
        jx_text_copy(view, "key2", topic->keys.text[1], ACCESS_KEY_TEXT_MAX);
    }
}

static enum err read_properties(struct topic *topic, struct slice properties, bool is_stored,
                                struct jx_audit *audit, struct cause *why)
{
    struct jx_view view;
    json_t *json = NULL;
    enum err err = E_OK;

    if (properties.len == 0) /* a request without properties wants the defaults */
        return E_OK;
    err = jx_parse(properties, NULL, NULL, &json, why);
    if (err)
        return err;
    jx_view_init(&view, json, NULL);
    view.audit = audit;
    if (!json_is_object(json) && !json_is_null(json))
        jx_view_error(&view, NULL, "properties is not an object");
    read_members(&view, topic, is_stored);
    json_decref(json);
    return view.err ? cause_set(why, view.err, "%s", view.why.text) : E_OK;
}

enum err topic_read(struct topic *topic, struct slice properties, struct cause *why)
{
    return read_properties(topic, properties, false, NULL, why);
}

void topic_audit(struct slice properties, struct jx_audit *audit)
{
    struct topic topic;
    struct cause why = {0};

    topic_init(&topic, SLICE("-"), SLICE("-"));
    if (read_properties(&topic, properties, false, audit, &why) != E_OK && audit->count == 0)
        jx_audit_note_cause(audit, "", why.text);
    topic_done(&topic);
}

enum err topic_read_stored(struct topic *topic, struct slice properties, struct cause *why)
{
    return read_properties(topic, properties, true, NULL, why);
}

static void write_mapping(struct buf *out, const struct event_mapping *mapping)
{
    member_open(out, "inputSchemaMapping");
    member_text(out, "inputSchemaMappingType", SLICE("Json"));
    member_open(out, "properties");
    for (size_t i = 0; i < EVENT_MAPPED_FIELDS; i++) {
        member_open(out, mapped[i].name);
        buf_add_byte(out, '{'); /* it may be empty */
        member_text_if(out, "sourceField", slice_of(mapping->fields[i].source));
        member_text_if(out, "defaultValue", slice_of(mapping->fields[i].fallback));
        buf_add_byte(out, '}');
    }
    buf_add(out, SLICE("}}"));
}

void topic_write(struct buf *out, const struct topic *topic)
{
    member_text(out, "inputSchema", slice_of(schema_name(topic->input)));
    if (topic->input == SCHEMA_CUSTOM)
        write_mapping(out, &topic->mapping);
    member_bool(out, "disableLocalAuth", topic->is_local_auth_disabled);
    member_u64(out, "eventRetentionInDays", topic->retention_days);
    member_text_if(out, "source", slice_of(topic->source));
    member_text_if(out, "topicType", slice_of(topic->type));
}

void topic_write_stored(struct buf *out, const struct topic *topic)
{
    topic_write(out, topic);
    member_text(out, "key1", slice_of(topic->keys.text[0]));
    member_text(out, "key2", slice_of(topic->keys.text[1]));
    buf_add_byte(out, '}');
}

const char *topic_scope(const struct topic *topic)
{
    return topic->source != NULL ? topic->source : topic->id;
}

struct event_rules topic_rules(const struct topic *topic)
{
    return (struct event_rules){
        .schema = topic->input, .mapping = &topic->mapping, .topic = slice_of(topic_scope(topic))};
}
