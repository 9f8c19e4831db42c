#include "arm/arm.h"

#include <stdlib.h>

#include "api/caller.h"
#include "arm/arm_internal.h"
#include "arm/cloud_routes.h"
#include "arm/identity_routes.h"
#include "arm/type_routes.h"
#include "base/id.h"
#include "base/mem.h"
#include "http/server.h"
#include "router/router.h"

#define ALLOWED_MAX_BYTES 128

#define S "/subscriptions/{subscription}"
#define EG "/providers/Microsoft.EventGrid"

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

static void answer_no_route(struct http_request *request, struct buf *allowed)
{
    if (allowed->len == 0) {
        answer_error(request, 404, "NotFound", "there is nothing at %.*s",
                     SLICE_ARG(http_request_path(request)));
        return;
    }
    (void)http_reply_header(request, SLICE("Allow"), buf_slice(allowed));
    answer_error(request, 405, "MethodNotAllowed", "use %.*s", SLICE_ARG(buf_slice(allowed)));
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

void arm_router(struct arm *arm, struct router *router)
{
    arm->router = router;
}

void arm_node_died(struct arm *arm)
{
    (void)arm;
}

void arm_stop(struct arm *arm)
{
    arm->is_stopping = true;
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
