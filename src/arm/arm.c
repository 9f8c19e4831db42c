#include "arm/arm.h"

#include <stdlib.h>

#include "api/caller.h"
#include "arm/arm_internal.h"
#include "arm/cache_routes.h"
#include "arm/cloud_routes.h"
#include "arm/deployment_routes.h"
#include "arm/errand.h"
#include "arm/group_routes.h"
#include "arm/identity_routes.h"
#include "arm/operation_routes.h"
#include "arm/provider_routes.h"
#include "arm/subscription_routes.h"
#include "arm/topic_routes.h"
#include "arm/type_routes.h"
#include "base/id.h"
#include "base/mem.h"
#include "http/server.h"
#include "router/router.h"

#define ALLOWED_MAX_BYTES 128

#define S "/subscriptions/{subscription}"
#define RG S "/resourceGroups/{group}"
#define EG "/providers/Microsoft.EventGrid"
#define TOPIC RG EG "/topics/{topic}"
#define SYSTEM_TOPIC RG EG "/systemTopics/{topic}"
#define ES "{scope}" EG "/eventSubscriptions/{name}"
#define CACHE RG "/providers/Microsoft.Cache/Redis/{cache}"
#define DEPLOYMENTS RG "/providers/Microsoft.Resources/deployments"
#define OPERATION S "/providers/{provider}/locations/{location}"

enum access {
    CHECKED,  /* as arm.h says */
    OPEN,     /* shows no token; without one set, from this machine */
    ANYWHERE, /* under any name of this server too */
};

static const struct route {
    const char *method;
    const char *path; /* as arm_path_match() has it */
    enum access access;
    void (*handle)(const struct arm_call *call);
    const char *description;
} routes[] = {
    {"GET", "/metadata/endpoints", ANYWHERE, arm_metadata_get,
     "Where the endpoints of this cloud are, as `az cloud register` asks."},
    {"GET", "/api/azure", CHECKED, arm_azure_get,
     "What `redgrid az-env` makes a configuration of, the client's secret included."},
    {"POST", "/{tenant}/oauth2/token", OPEN, arm_identity_login,
     "A bearer token for a client with its secret, in a form; of every tenant, adfs too."},
    {"POST", "/{tenant}/oauth2/v2.0/token", OPEN, arm_identity_login, "The same."},
    {"POST", "/adfs/{tenant}/oauth2/token", OPEN, arm_identity_login, "The same."},
    {"GET", "/msi/token", CHECKED, arm_identity_token,
     "A bearer token of a managed identity, ?resource=https://eventgrid.azure.net for publishing; "
     "SDKs show listen.token as IDENTITY_HEADER or MSI_SECRET."},
    {"POST", "/msi/token", CHECKED, arm_identity_token, "The same, with the resource in a form."},
    {"GET", "/adfs/discovery/keys", ANYWHERE, arm_identity_keys,
     "The public keys by which receivers check bearer tokens."},
    {"GET", "/{tenant}/.well-known/openid-configuration", ANYWHERE, arm_identity_configuration,
     "Where these are, as OpenID Connect Discovery has it; of every tenant, adfs too."},
    {"GET", "/{tenant}/v2.0/.well-known/openid-configuration", ANYWHERE, arm_identity_configuration,
     "The same."},
    {"GET", "/adfs/{tenant}/.well-known/openid-configuration", ANYWHERE, arm_identity_configuration,
     "The same."},
    {"GET", "/tenants", CHECKED, arm_tenants_get, "The tenants: there is one."},
    {"GET", "/subscriptions", CHECKED, arm_subscriptions_get,
     "The subscriptions: there is one, but every id is taken."},
    {"GET", S, CHECKED, arm_subscription_get, "One of them."},
    {"GET", S "/locations", CHECKED, arm_locations_get, "Where resources may be."},
    {"GET", S "/providers", CHECKED, arm_providers_get, "The resource providers."},
    {"GET", S "/providers/{provider}", CHECKED, arm_provider_get, "One of them."},
    {"POST", S "/providers/{provider}/register", CHECKED, arm_provider_register,
     "Answers that it is registered."},
    {"GET", "/providers/{provider}/operations", CHECKED, arm_provider_operations_get,
     "An empty list."},
    {"GET", OPERATION "/operationsStatus/{operation}", CHECKED, arm_operation_status,
     "How an operation is."},
    {"GET", OPERATION "/asyncOperations/{operation}", CHECKED, arm_operation_status, "The same."},
    {"GET", OPERATION "/operationResults/{operation}", CHECKED, arm_operation_result,
     "The same, 202 as long as it goes on."},
    {"GET", S "/resourceGroups", CHECKED, arm_groups_get, "The resource groups."},
    {"GET", RG, CHECKED, arm_group_get, "One of them."},
    {"HEAD", RG, CHECKED, arm_group_head, "204 if it is there, else 404."},
    {"PUT", RG, CHECKED, arm_group_put, "Makes one, `{\"location\":..}`, or changes it."},
    {"PATCH", RG, CHECKED, arm_group_patch, "Changes its tags."},
    {"DELETE", RG, CHECKED, arm_group_delete, "Removes it with all that it contains."},
    {"GET", "{scope}/resources", CHECKED, arm_resources_get,
     "What there is in a subscription or a group."},
    {"GET", S "/providers/Microsoft.Cache/Redis", CHECKED, arm_caches_get, "The caches."},
    {"GET", RG "/providers/Microsoft.Cache/Redis", CHECKED, arm_caches_get, "Those of a group."},
    {"GET", CACHE, CHECKED, arm_cache_get, "A cache."},
    {"PUT", CACHE, CHECKED, arm_cache_put, "Makes a cache, or says anew what it is."},
    {"PATCH", CACHE, CHECKED, arm_cache_patch, "Changes what it says: an update, or a scale."},
    {"DELETE", CACHE, CHECKED, arm_cache_delete, "Removes a cache with its event subscriptions."},
    {"POST", CACHE "/listKeys", CHECKED, arm_cache_keys, "The two keys of clients."},
    {"POST", CACHE "/regenerateKey", CHECKED, arm_cache_regenerate,
     "Makes one anew, `{\"keyType\":\"Primary\"}`; with `\"disconnect\":true` clients must "
     "connect anew."},
    {"POST", CACHE "/export", CHECKED, arm_cache_act,
     "Writes RDB files, `{\"prefix\":..,\"container\":..}`."},
    {"POST", CACHE "/import", CHECKED, arm_cache_act,
     "Puts RDB files in the place of its data, `{\"files\":[..]}`."},
    {"POST", CACHE "/flush", CHECKED, arm_cache_act, "Removes all keys."},
    {"POST", CACHE "/patch", CHECKED, arm_cache_act,
     "Replaces its servers one by one, by those of `{\"serverPath\":..}`."},
    {"POST", CACHE "/failover", CHECKED, arm_cache_act, "Makes a replica the primary."},
    {"POST", CACHE "/forceReboot", CHECKED, arm_cache_act,
     "Starts servers anew, `{\"rebootType\":\"AllNodes\"}`."},
    {"GET", CACHE "/firewallRules", CHECKED, arm_cache_none, "An empty list: caches have none."},
    {"GET", CACHE "/patchSchedules", CHECKED, arm_cache_none, "The same."},
    {"GET", CACHE "/linkedServers", CHECKED, arm_cache_none, "The same."},
    {"GET", DEPLOYMENTS, CHECKED, arm_deployments_get, "An empty list."},
    {"GET", DEPLOYMENTS "/{deployment}", CHECKED, arm_deployment_get,
     "404: templates are not deployed."},
    {"PUT", DEPLOYMENTS "/{deployment}", CHECKED, arm_deployment_put,
     "Accepts a template, and says that nothing is deployed."},
    {"POST", DEPLOYMENTS "/{deployment}/validate", CHECKED, arm_deployment_validate, "The same."},
    {"GET", DEPLOYMENTS "/{deployment}/operations", CHECKED, arm_deployments_get, "An empty list."},
    {"GET", "{scope}" EG "/topics", CHECKED, arm_topics_get,
     "The topics of a subscription or a group."},
    {"GET", TOPIC, CHECKED, arm_topic_get, "A topic."},
    {"PUT", TOPIC, CHECKED, arm_topic_put, "Makes a topic, or says anew what it is."},
    {"PATCH", TOPIC, CHECKED, arm_topic_patch,
     "Changes of a topic what the body names: `{\"tags\":{..},\"properties\":{..}}`."},
    {"DELETE", TOPIC, CHECKED, arm_topic_delete, "Removes a topic with its event subscriptions."},
    {"POST", TOPIC "/listKeys", CHECKED, arm_topic_keys, "The two keys of publishers."},
    {"POST", TOPIC "/regenerateKey", CHECKED, arm_topic_renew_key,
     "Makes a key anew, `{\"keyName\":\"key1\"}`."},
    {"GET", "{scope}" EG "/systemTopics", CHECKED, arm_system_topics_get,
     "The topics of resources that emit events."},
    {"GET", SYSTEM_TOPIC, CHECKED, arm_topic_get, "One of them."},
    {"PUT", SYSTEM_TOPIC, CHECKED, arm_topic_put,
     "Makes one, `{\"properties\":{\"source\":ID,\"topicType\":TYPE}}`."},
    {"PATCH", SYSTEM_TOPIC, CHECKED, arm_topic_patch, "Changes its tags."},
    {"DELETE", SYSTEM_TOPIC, CHECKED, arm_topic_delete,
     "Removes one with its event subscriptions."},
    {"GET", ES, CHECKED, arm_event_subscription_get,
     "An event subscription of a resource. That of a topic or system topic is found at "
     "`TOPIC/eventSubscriptions/{name}` too, here and below."},
    {"PUT", ES, CHECKED, arm_event_subscription_put,
     "Makes one, or says anew what it is; the operation ends when its endpoint was asked."},
    {"PATCH", ES, CHECKED, arm_event_subscription_patch,
     "Changes of one what the body names, which is the properties alone."},
    {"DELETE", ES, CHECKED, arm_event_subscription_delete, "Removes one."},
    {"POST", ES "/getFullUrl", CHECKED, arm_event_subscription_url,
     "The whole URL of its endpoint."},
    {"POST", ES "/getDeliveryAttributes", CHECKED, arm_event_subscription_attributes,
     "Its delivery attributes with the secret ones."},
    {"POST", ES "/listDeadLetters", CHECKED, arm_dead_letters_list,
     "Its dead letters; the body as at `/api/subscriptions/{name}/listDeadLetters`, here and "
     "below."},
    {"POST", ES "/redriveDeadLetters", CHECKED, arm_dead_letters_redrive,
     "Has dead letters delivered anew."},
    {"POST", ES "/purgeDeadLetters", CHECKED, arm_dead_letters_purge, "Removes dead letters."},
    {"GET", "{scope}" EG "/eventSubscriptions", CHECKED, arm_event_subscriptions_get,
     "Those of a resource; or all in a group or a subscription, here and below."},
    {"GET", "{scope}" EG "/locations/{location}/eventSubscriptions", CHECKED,
     arm_event_subscriptions_get, "Those of one location."},
    {"GET", "{scope}" EG "/topicTypes/{type}/eventSubscriptions", CHECKED,
     arm_event_subscriptions_get, "Those of one type of topics."},
    {"GET", "{scope}" EG "/locations/{location}/topicTypes/{type}/eventSubscriptions", CHECKED,
     arm_event_subscriptions_get, "Those of both."},
    {"GET", "{scope}" EG "/eventTypes", CHECKED, arm_scope_types_get,
     "The events that a resource emits."},
    {"GET", EG "/topicTypes", CHECKED, arm_topic_types_get,
     "The kinds of resources that emit events."},
    {"GET", EG "/topicTypes/{type}", CHECKED, arm_topic_type_get, "One of them."},
    {"GET", EG "/topicTypes/{type}/eventTypes", CHECKED, arm_event_types_get,
     "The events that such a resource emits."},
};

/* ---- who may ---- */

static void answer_denied(const struct arm *arm, struct http_request *request,
                          const struct cause *why)
{
    struct buf challenge;

    buf_init(&challenge, ARM_PATH_MAX_BYTES);
    buf_add(&challenge, SLICE("Bearer authorization_uri=\""));
    arm_place_add(&challenge, &arm->place, request);
    buf_add(&challenge, SLICE("/adfs\", error=\"invalid_token\""));
    (void)http_reply_header(request, SLICE("WWW-Authenticate"), buf_slice(&challenge));
    buf_done(&challenge);
    answer_error(request, 401, "AuthenticationFailed", "%s", why->text);
}

/* may_go_on answers the request itself if it may not. */
static bool may_go_on(const struct arm *arm, enum access access, struct http_request *request)
{
    bool is_reading = slice_eq(http_request_method(request), SLICE("GET"));
    struct cause why = {0};

    if (access == ANYWHERE)
        return true;
    if (!principal_is_demanded(&arm->principal) && !caller_names_machine(request)) {
        answer_error(request, 403, "AuthorizationFailed",
                     "call this server by localhost or its address, or set listen.token");
        return false;
    }
    if (access == CHECKED && principal_admits(&arm->principal, router_identity(arm->router),
                                              caller_token(request), &why) != E_OK) {
        answer_denied(arm, request, &why);
        return false;
    }
    if (!is_reading && caller_is_foreign_page(request)) {
        answer_error(request, 403, "AuthorizationFailed", "not from a page of another origin");
        return false;
    }
    return true;
}

/* ---- where to ---- */

/* find_route adds the methods of that path to `allowed`; NULL if none is the request's. */
static const struct route *find_route(struct slice method, const struct arm_path *path,
                                      struct buf *allowed, struct arm_match *ret)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (!arm_path_match(path, routes[i].path, ret))
            continue;
        if (slice_eq(method, slice_of(routes[i].method)))
            return &routes[i];
        buf_addf(allowed, "%s%s", allowed->len > 0 ? ", " : "", routes[i].method);
    }
    return NULL;
}

static void answer_route(struct arm *arm, const struct route *route, const struct arm_call *call)
{
    struct id id = id_next();

    (void)http_reply_header(call->request, SLICE("x-ms-request-id"), id_slice(&id));
    if (arm->router == NULL)
        answer_error(call->request, 503, "ServiceUnavailable",
                     "the server has not started yet: try again");
    else if (may_go_on(arm, route->access, call->request))
        route->handle(call);
}

void arm_handle(void *ctx, struct http_request *request)
{
    struct arm *arm = ctx;
    char room[ALLOWED_MAX_BYTES];
    struct buf allowed = {.data = room, .cap = sizeof room, .max_bytes = sizeof room};
    struct arm_path path;
    struct arm_call call = {.arm = arm, .router = arm->router, .request = request, .path = &path};

    if (arm_path_read(&path, http_request_path(request)) != E_OK) {
        answer_error(request, 400, "BadRequest",
                     "the path is longer than %d bytes, or has a malformed escape, a slash or a "
                     "control character in a name",
                     ARM_PATH_MAX_BYTES);
    } else {
        const struct route *route =
            find_route(http_request_method(request), &path, &allowed, &call.match);
        if (route != NULL)
            answer_route(arm, route, &call);
        else if (may_go_on(arm, OPEN, request))
            answer_no_route(request, &allowed);
    }
    arm_path_done(&path);
}

/* ---- life ---- */

struct arm *arm_new(const struct arm_options *options)
{
    struct arm *arm = mem_new(struct arm);

    arm->options = *options;
    list_init(&arm->errands);
    arm_principal(arm, &options->principal);
    return arm;
}

void arm_principal(struct arm *arm, const struct principal_settings *settings)
{
    principal_set(&arm->principal, settings);
}

void arm_ports(struct arm *arm, uint16_t http_port, uint16_t https_port)
{
    arm->place = (struct arm_place){.http_port = http_port, .https_port = https_port};
}

void arm_router(struct arm *arm, struct router *router, struct caches *caches)
{
    arm->caches = caches;
    arm->router = router;
    errands_resume(arm);
}

void arm_node_died(struct arm *arm)
{
    errands_resume(arm);
}

void arm_stop(struct arm *arm)
{
    arm->is_stopping = true;
    errands_stop(arm);
}

void arm_free(struct arm *arm)
{
    if (arm == NULL)
        return;
    principal_done(&arm->principal);
    free(arm);
}

void arm_write_docs(struct buf *out)
{
    buf_add(out, SLICE("| method | path | what it does |\n|---|---|---|\n"));
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        buf_addf(out, "| %s | `%s` | %s |\n", routes[i].method, routes[i].path,
                 routes[i].description);
}
