#include "arm/type_routes.h"

#include "arm/call.h"
#include "event/source.h"
#include "event/topic.h"

#define CUSTOM_TYPE "Microsoft.EventGrid.Topics" /* of topics that anybody publishes to */
#define TYPES_ID "providers/Microsoft.EventGrid/topicTypes/"
#define ID_MAX_BYTES 256

static const struct event_source custom = {
    CUSTOM_TYPE,
    "Microsoft.EventGrid",
    "/providers/microsoft.eventgrid/topics/",
    "Event Grid Topics",
    "Custom events via Event Grid Topics",
    "/subscriptions/<subscriptionId>/resourceGroups/<resourceGroupName>/providers/"
    "Microsoft.EventGrid/topics/<topicName>",
    NULL,
    0};

static const struct event_source *find_type(struct slice type)
{
    return slice_eq_nocase(type, SLICE(CUSTOM_TYPE)) ? &custom : event_source_find(type);
}

static void write_type(struct buf *out, const struct event_source *source)
{
    struct buf id;

    buf_init(&id, ID_MAX_BYTES);
    buf_addf(&id, TYPES_ID "%s", source->type);
    member_text(out, "id", buf_slice(&id));
    buf_done(&id);
    member_text(out, "name", slice_of(source->type));
    member_text(out, "type", SLICE("Microsoft.EventGrid/topicTypes"));
    member_open(out, "properties");
    member_text(out, "provider", slice_of(source->provider));
    member_text(out, "displayName", slice_of(source->title));
    member_text(out, "description", slice_of(source->description));
    member_text(out, "resourceRegionType", SLICE("RegionalResource"));
    member_text(out, "provisioningState", SLICE("Succeeded"));
    member_json(out, "supportedLocations", SLICE("[]"));
    member_text(out, "sourceResourceFormat", slice_of(source->format));
    buf_add(out, SLICE("}}"));
}

static void write_kind(struct buf *out, const struct event_source *source,
                       const struct event_kind *kind)
{
    struct buf id;

    buf_init(&id, ID_MAX_BYTES);
    buf_addf(&id, TYPES_ID "%s/eventTypes/%s", source->type, kind->name);
    member_text(out, "id", buf_slice(&id));
    buf_done(&id);
    member_text(out, "name", slice_of(kind->name));
    member_text(out, "type", SLICE("Microsoft.EventGrid/topicTypes/eventTypes"));
    member_open(out, "properties");
    member_text(out, "displayName", slice_of(kind->title));
    member_text(out, "description", slice_of(kind->description));
    member_json(out, "schemaUrl", SLICE_NONE);
    member_bool(out, "isInDefaultSet", kind->is_default);
    buf_add(out, SLICE("}}"));
}

static void answer_kinds(const struct arm_call *call, const struct event_source *source)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_add(&body, SLICE("{\"value\":["));
    for (size_t i = 0; i < source->kind_count; i++) {
        buf_add(&body, i > 0 ? SLICE(",") : SLICE(""));
        write_kind(&body, source, &source->kinds[i]);
    }
    buf_add(&body, SLICE("]}\n"));
    arm_ok(call, &body);
}

/* The type that the path names; NULL, and answered. */
static const struct event_source *named_type(const struct arm_call *call)
{
    struct slice type = arm_name(call, "type");
    const struct event_source *source = find_type(type);

    if (source == NULL)
        answer_error(call->request, 404, "ResourceNotFound",
                     "there is no topic type '%.*s': GET /" TYPES_ID " shows all", SLICE_ARG(type));
    return source;
}

void arm_topic_types_get(const struct arm_call *call)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_add(&body, SLICE("{\"value\":["));
    for (size_t i = 0; i < EVENT_SOURCES; i++) {
        write_type(&body, &event_sources[i]);
        buf_add_byte(&body, ',');
    }
    write_type(&body, &custom);
    buf_add(&body, SLICE("]}\n"));
    arm_ok(call, &body);
}

void arm_topic_type_get(const struct arm_call *call)
{
    const struct event_source *source = named_type(call);
    struct buf body;

    if (source == NULL)
        return;
    buf_init(&body, ANSWER_MAX_BYTES);
    write_type(&body, source);
    buf_add_byte(&body, '\n');
    arm_ok(call, &body);
}

void arm_event_types_get(const struct arm_call *call)
{
    const struct event_source *source = named_type(call);

    if (source != NULL)
        answer_kinds(call, source);
}

void arm_scope_types_get(const struct arm_call *call)
{
    const struct event_source *source = event_source_of(arm_name(call, "scope"));

    answer_kinds(call, source != NULL ? source : &custom);
}

bool arm_topic_type_is(struct slice type, const struct topic *topic)
{
    return slice_eq_nocase(type, topic->type != NULL ? slice_of(topic->type) : SLICE(CUSTOM_TYPE));
}
