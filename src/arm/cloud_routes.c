#include "arm/cloud_routes.h"

#include "arm/arm_internal.h"
#include "loop/authority.h"
#include "router/identity.h"
#include "router/resource_id.h"
#include "wire/url.h"
#include "json/json.h"
#include "json/member.h"

#define TEXT_MAX_BYTES (URL_MAX_BYTES + 64) /* a path fits in too */
#define CLOUD "Local"                       /* AzureCloud would send az to the Internet */

/* ---- endpoints ---- */

/* A text of two parts. */
static void member_joined(struct buf *out, const char *name, struct slice first, struct slice rest)
{
    struct buf text;

    buf_init(&text, TEXT_MAX_BYTES);
    buf_add(&text, first);
    buf_add(&text, rest);
    member_text(out, name, buf_slice(&text));
    buf_done(&text);
}

static void member_url(struct buf *out, const char *name, struct slice base, const char *tail)
{
    member_joined(out, name, base, slice_of(tail));
}

/* One object for all versions of the question: the older one reads galleryEndpoint and the like,
 * the newer one name, suffixes and audiences. */
static void write_cloud(struct buf *out, struct slice base)
{
    struct buf audience;

    buf_init(&audience, TEXT_MAX_BYTES);
    buf_add(&audience, base);
    buf_add_byte(&audience, '/');
    buf_add_byte(out, '{');
    member_text(out, "name", SLICE(CLOUD));
    member_url(out, "galleryEndpoint", base, "");
    member_url(out, "graphEndpoint", base, "/graph");
    member_url(out, "portalEndpoint", base, "");
    member_url(out, "resourceManager", base, "/");
    member_url(out, "portal", base, "/");
    member_url(out, "graphAudience", base, "/graph");
    member_open(out, "authentication");
    member_url(out, "loginEndpoint", base, "/adfs");
    member_open(out, "audiences");
    buf_add_byte(out, '[');
    jx_write_string(out, buf_slice(&audience));
    buf_add_byte(out, ']');
    member_text(out, "tenant", SLICE(IDENTITY_TENANT));
    member_text(out, "identityProvider", SLICE("ADFS"));
    buf_add_byte(out, '}');
    member_json(out, "suffixes", SLICE("{\"storage\":\"localhost\"}"));
    buf_add_byte(out, '}');
    buf_done(&audience);
}

void arm_metadata_get(const struct arm_call *call)
{
    struct slice version = http_request_parameter(call->request, SLICE("api-version"));
    bool is_list = slice_eq(version, SLICE("2019-05-01"));
    struct buf body, base;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_init(&base, URL_MAX_BYTES);
    arm_place_add(&base, &call->arm->place, call->request);
    buf_add(&body, is_list ? SLICE("[") : SLICE(""));
    write_cloud(&body, buf_slice(&base));
    buf_add(&body, is_list ? SLICE("]\n") : SLICE("\n"));
    buf_done(&base);
    arm_ok(call, &body);
}

void arm_azure_get(const struct arm_call *call)
{
    const struct arm *arm = call->arm;
    struct buf body, base;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_init(&base, URL_MAX_BYTES);
    arm_place_add(&base, &arm->place, call->request);
    bool is_reachable = slice_has_prefix(buf_slice(&base), SLICE("https://"));
    member_text(&body, "resourceManager", is_reachable ? buf_slice(&base) : SLICE_NONE);
    member_text(&body, "tenantId", SLICE(IDENTITY_TENANT));
    member_text(&body, "subscriptionId", SLICE(RESOURCE_SUBSCRIPTION));
    member_text(&body, "clientId", slice_of(arm->principal.client));
    member_text(&body, "clientSecret", principal_secret(&arm->principal));
    member_text(&body, "data", slice_of(arm->options.data));
    if (!arm->options.is_certified)
        member_joined(&body, "authority", slice_of(arm->options.data), SLICE("/tls/" AUTHORITY_CA));
    buf_add(&body, SLICE("}\n"));
    buf_done(&base);
    (void)http_reply_header(call->request, SLICE("Cache-Control"), SLICE("no-store"));
    arm_ok(call, &body);
}

/* ---- what there is ---- */

static void write_subscription(struct buf *out, struct slice id)
{
    buf_add_byte(out, '{');
    member_joined(out, "id", SLICE("/subscriptions/"), id);
    member_text(out, "subscriptionId", id);
    member_text(out, "tenantId", SLICE(IDENTITY_TENANT));
    member_text(out, "displayName", SLICE(CLOUD));
    member_text(out, "state", SLICE("Enabled"));
    member_json(out, "managedByTenants", SLICE("[]"));
    member_text(out, "authorizationSource", SLICE("RoleBased"));
    member_json(out, "subscriptionPolicies", SLICE("{}"));
    buf_add_byte(out, '}');
}

void arm_subscriptions_get(const struct arm_call *call)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_add(&body, SLICE("{\"value\":["));
    write_subscription(&body, SLICE(RESOURCE_SUBSCRIPTION));
    buf_add(&body, SLICE("]}\n"));
    arm_ok(call, &body);
}

/* Who asks for another one has its id in a script: all are the same. */
void arm_subscription_get(const struct arm_call *call)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    write_subscription(&body, arm_name(call, "subscription"));
    buf_add_byte(&body, '\n');
    arm_ok(call, &body);
}

/* Resources may say any place; this is the one where they are. */
void arm_locations_get(const struct arm_call *call)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_add(&body, SLICE("{\"value\":["));
    buf_add_byte(&body, '{');
    member_joined(&body, "id", arm_id(call), SLICE("/local"));
    member_text(&body, "name", SLICE("local"));
    member_text(&body, "displayName", SLICE("Local"));
    member_text(&body, "regionalDisplayName", SLICE("Local"));
    buf_add(&body, SLICE("}]}\n"));
    arm_ok(call, &body);
}

void arm_tenants_get(const struct arm_call *call)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_add(&body, SLICE("{\"value\":[{"));
    member_text(&body, "id", SLICE("/tenants/" IDENTITY_TENANT));
    member_text(&body, "tenantId", SLICE(IDENTITY_TENANT));
    member_text(&body, "displayName", SLICE(CLOUD));
    member_text(&body, "tenantCategory", SLICE("Home"));
    buf_add(&body, SLICE("}]}\n"));
    arm_ok(call, &body);
}
