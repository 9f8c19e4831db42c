#include "arm/provider_routes.h"

#include <stdlib.h>

#include "api/listing.h"
#include "arm/scope.h"
#include "arm/topic_routes.h"
#include "base/mem.h"
#include "router/document.h"
#include "router/resource_id.h"

#define VERSIONS                                                                                   \
    "[\"2025-02-15\",\"2024-11-01\",\"2024-03-01\",\"2023-08-01\",\"2022-06-15\",\"2022-06-01\","  \
    "\"2021-04-01\"]"
#define TYPES_MAX 4

static const struct provider {
    const char *name;
    const char *types[TYPES_MAX + 1];
} providers[] = {
    {"Microsoft.EventGrid", {"topics", "systemTopics", "eventSubscriptions", "topicTypes"}},
    {"Microsoft.Cache", {"Redis"}},
    {"Microsoft.Resources", {"resourceGroups", "deployments"}},
};

/* ---- providers ---- */

static void write_types(struct buf *out, const struct provider *provider)
{
    member_open(out, "resourceTypes");
    buf_add_byte(out, '[');
    for (size_t i = 0; provider->types[i] != NULL; i++) {
        buf_add(out, i > 0 ? SLICE(",") : SLICE(""));
        member_text(out, "resourceType", slice_of(provider->types[i]));
        member_json(out, "locations", SLICE("[\"" ARM_LOCATION "\"]"));
        member_json(out, "apiVersions", SLICE(VERSIONS));
        buf_add_byte(out, '}');
    }
    buf_add_byte(out, ']');
}

static void write_provider(struct buf *out, const struct provider *provider,
                           struct slice subscription)
{
    struct buf id;

    buf_init(&id, ARM_PATH_MAX_BYTES);
    buf_addf(&id, "/subscriptions/%.*s/providers/%s", SLICE_ARG(subscription), provider->name);
    member_text(out, "id", buf_slice(&id));
    buf_done(&id);
    member_text(out, "namespace", slice_of(provider->name));
    member_text(out, "registrationState", SLICE("Registered"));
    member_text(out, "registrationPolicy", SLICE("RegistrationRequired"));
    write_types(out, provider);
    buf_add_byte(out, '}');
}

void arm_providers_get(const struct arm_call *call)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_add(&body, SLICE("{\"value\":["));
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        buf_add(&body, i > 0 ? SLICE(",") : SLICE(""));
        write_provider(&body, &providers[i], arm_name(call, "subscription"));
    }
    buf_add(&body, SLICE("]}\n"));
    arm_ok(call, &body);
}

void arm_provider_get(const struct arm_call *call)
{
    struct slice name = arm_name(call, "provider");
    struct buf body;

    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        if (!slice_eq_nocase(name, slice_of(providers[i].name)))
            continue;
        buf_init(&body, ANSWER_MAX_BYTES);
        write_provider(&body, &providers[i], arm_name(call, "subscription"));
        buf_add_byte(&body, '\n');
        arm_ok(call, &body);
        return;
    }
    answer_error(call->request, 404, "InvalidResourceNamespace",
                 "The resource namespace '%.*s' is invalid: there are Microsoft.EventGrid, "
                 "Microsoft.Cache and Microsoft.Resources.",
                 SLICE_ARG(name));
}

/* There is nothing to be done. */
void arm_provider_register(const struct arm_call *call)
{
    arm_provider_get(call);
}

void arm_provider_operations_get(const struct arm_call *call)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_add(&body, SLICE("{\"value\":[]}\n"));
    arm_ok(call, &body);
}

/* ---- resources ---- */

/* A document of something that users made, but no event subscription: what has a place. */
static bool is_resource(struct slice id, struct slice document)
{
    return resource_id_scope(id).len == id.len &&
           (resource_id_topic_name(id).data != NULL ||
            slice_eq(jx_scan_member(document, SLICE("kind")), SLICE("\"cache\"")));
}

static void write_resource(struct buf *out, const void *text, const void *ctx)
{
    struct slice document = slice_of(text);
    const struct labels labels = labels_read(document);
    char *id = document_text(document, "id");
    struct buf type;

    (void)ctx;
    buf_init(&type, ARM_PATH_MAX_BYTES);
    arm_id_add_type(&type, slice_of(id));
    member_text(out, "id", slice_of(id));
    member_json(out, "name", jx_scan_member(document, SLICE("name")));
    member_text(out, "type", buf_slice(&type));
    member_json(out, "location",
                labels.location.data != NULL ? labels.location : SLICE("\"" ARM_LOCATION "\""));
    member_json(out, "tags", labels.tags);
    buf_add_byte(out, '}');
    buf_done(&type);
    free(id);
}

void arm_resources_get(const struct arm_call *call)
{
    struct slice id, document, within = arm_name(call, "scope");
    char room[ARM_PATH_MAX_BYTES];
    struct listing listing = {0};
    struct buf body;

    if (arm_id_group(within).data != NULL && !arm_group_is(call->router, within)) {
        arm_not_found(call, within);
        return;
    }
    within = slice_lower(within, room);
    for (size_t at = 0; resources_next(router_resources(call->router), &at, &id, &document);)
        if (resource_id_is_within(id, within) && is_resource(id, document))
            listing_add(&listing, document.data, document.data);
    buf_init(&body, ANSWER_MAX_BYTES);
    listing_write(&body, &listing, write_resource, NULL);
    arm_ok(call, &body);
}
