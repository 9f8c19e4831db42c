#include "arm/identity_routes.h"

#include <inttypes.h>
#include <stdio.h>

#include "arm/arm_internal.h"
#include "base/clock.h"
#include "router/router.h"
#include "wire/url.h"
#include "json/member.h"

#define AUDIENCE_MAX_BYTES 1024
#define FIELD_MAX_BYTES 4096 /* of a form */
#define TOKEN_ROOM_BYTES 4096
#define GUID_LEN 36

/* ---- tokens ---- */

/* What it is for, as tokens say it. */
static struct slice audience_of(const struct arm_call *call, struct slice resource)
{
    static const struct slice managing[] = {
        SLICE_INIT(TOKEN_AUDIENCE_MANAGE),
        SLICE_INIT("https://management.core.windows.net"),
    };
    struct slice text = resource;

    while (text.len > 0 && text.data[text.len - 1] == '/')
        text.len--;
    for (size_t i = 0; i < COUNT_OF(managing); i++)
        if (slice_eq_nocase(text, managing[i]))
            return SLICE(TOKEN_AUDIENCE_MANAGE);
    return arm_place_is(&call->arm->place, call->request, text) ? SLICE(TOKEN_AUDIENCE_MANAGE)
                                                                : resource;
}

/* make_token: false if it is too long. */
static bool make_token(const struct arm_call *call, struct slice resource, uint64_t now_unix_s,
                       struct buf *ret)
{
    identity_write_token(ret, router_identity(call->router),
                         &(struct identity_request){audience_of(call, resource),
                                                    SLICE(IDENTITY_TENANT), now_unix_s});
    return buf_err(ret) == E_OK;
}

static void answer_secret(const struct arm_call *call, int status, struct buf *body)
{
    (void)http_reply_header(call->request, SLICE("Cache-Control"), SLICE("no-store"));
    answer_json(call->request, status, body);
}

/* ---- of a managed identity ---- */

/* What the token is for: of the query, or of a form. */
static bool read_resource(const struct http_request *request, struct buf *ret)
{
    struct slice given = http_request_parameter(request, SLICE("resource"));

    buf_add(ret, given);
    if (given.data == NULL &&
        url_form_field(ret, http_request_body(request), SLICE("resource")) != E_OK)
        return false;
    return ret->len > 0 && buf_err(ret) == E_OK;
}

/* Clients of Azure look for a tenant and an identity in it. */
static void answer_token(const struct arm_call *call, struct slice resource)
{
    uint64_t now_unix_s = clock_unix_ms() / 1000;
    struct buf body, token;
    char until[24];

    snprintf(until, sizeof until, "%" PRIu64, now_unix_s + IDENTITY_TOKEN_S);
    buf_init(&body, ANSWER_MAX_BYTES);
    buf_init(&token, TOKEN_ROOM_BYTES);
    if (make_token(call, resource, now_unix_s, &token)) {
        member_text(&body, "access_token", buf_slice(&token));
        member_text(&body, "expires_on", slice_of(until));
        member_text(&body, "resource", resource);
        member_text(&body, "token_type", SLICE("Bearer"));
        member_text(&body, "client_id", SLICE(IDENTITY_CLIENT));
        buf_add(&body, SLICE("}\n"));
        answer_secret(call, 200, &body);
    } else {
        answer_error(call->request, 400, "BadRequest", "resource: is too long for a token");
    }
    buf_done(&token);
    buf_done(&body);
}

void arm_identity_token(const struct arm_call *call)
{
    struct buf resource;

    buf_init(&resource, AUDIENCE_MAX_BYTES);
    if (read_resource(call->request, &resource))
        answer_token(call, buf_slice(&resource));
    else
        answer_error(call->request, 400, "BadRequest",
                     "resource: say what the token is for, as " TOKEN_AUDIENCE_PUBLISH
                     " is for publishing");
    buf_done(&resource);
}

/* ---- of a login ---- */

static void refuse_login(const struct arm_call *call, int status, const char *code,
                         const char *text)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    member_text(&body, "error", slice_of(code));
    member_text(&body, "error_description", slice_of(text));
    buf_add(&body, SLICE("}\n"));
    answer_secret(call, status, &body);
}

/* What a form says. */
struct login {
    struct buf grant, client, secret, scope;
};

static bool read_login(const struct arm_call *call, struct login *login)
{
    struct slice form = http_request_body(call->request);
    const struct {
        const char *name;
        struct buf *value;
    } fields[] = {{"grant_type", &login->grant},
                  {"client_id", &login->client},
                  {"client_secret", &login->secret},
                  {"scope", &login->scope}};

    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        buf_init(fields[i].value, FIELD_MAX_BYTES);
        enum err err = url_form_field(fields[i].value, form, slice_of(fields[i].name));
        if ((err != E_OK && err != E_NOT_FOUND) || buf_err(fields[i].value))
            return false;
    }
    if (login->scope.len > 0)
        return true;
    enum err err = url_form_field(&login->scope, form, SLICE("resource")); /* as it was once */
    return err == E_OK || err == E_NOT_FOUND;
}

static void login_done(struct login *login)
{
    buf_done(&login->grant);
    buf_done(&login->client);
    buf_done(&login->secret);
    buf_done(&login->scope);
}

/* The first of several, without the word for all that may be asked of it. */
static struct slice resource_of(struct slice scope)
{
    static const struct slice all = SLICE_INIT("/.default");

    scope = slice_first(slice_trim(scope), slice_find_byte(slice_trim(scope), ' '));
    if (scope.len > all.len && slice_eq(slice_from(scope, scope.len - all.len), all))
        scope.len -= all.len;
    return scope;
}

static void answer_login(const struct arm_call *call, struct slice resource)
{
    struct buf body, token;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_init(&token, TOKEN_ROOM_BYTES);
    if (make_token(call, resource, clock_unix_ms() / 1000, &token)) {
        member_text(&body, "token_type", SLICE("Bearer"));
        member_u64(&body, "expires_in", IDENTITY_TOKEN_S - 1);
        member_u64(&body, "ext_expires_in", IDENTITY_TOKEN_S - 1);
        member_text(&body, "access_token", buf_slice(&token));
        buf_add(&body, SLICE("}\n"));
        answer_secret(call, 200, &body);
    } else {
        refuse_login(call, 400, "invalid_scope", "scope: is too long for a token");
    }
    buf_done(&token);
    buf_done(&body);
}

static void log_in(const struct arm_call *call, const struct login *login)
{
    struct slice resource = resource_of(buf_slice(&login->scope));

    if (!slice_eq(buf_slice(&login->grant), SLICE("client_credentials")))
        refuse_login(call, 400, "unsupported_grant_type",
                     "grant_type: only client_credentials is known here: log in as a service "
                     "principal, with a client id and its secret");
    else if (resource.len == 0)
        refuse_login(call, 400, "invalid_scope", "scope: say what the token is for");
    else if (!principal_fits(&call->arm->principal, buf_slice(&login->client),
                             buf_slice(&login->secret)))
        refuse_login(call, 401, "invalid_client",
                     "the client's id or secret is wrong: they are the settings azure.client_id "
                     "and azure.client_secret; the secret may also be listen.token");
    else
        answer_login(call, resource);
}

void arm_identity_login(const struct arm_call *call)
{
    struct login login = {0};

    if (read_login(call, &login))
        log_in(call, &login);
    else
        refuse_login(call, 400, "invalid_request", "the form is malformed, or too long");
    login_done(&login);
}

/* ---- who signs them ---- */

void arm_identity_keys(const struct arm_call *call)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    identity_write_keys(&body, router_identity(call->router));
    buf_add_byte(&body, '\n');
    arm_ok(call, &body);
}

static bool is_guid(struct slice text)
{
    return text.len == GUID_LEN && slice_find_byte(text, '-') == 8;
}

/* Where logins go, beside the path that was asked for. A tenant that is no GUID is told its GUID:
 * some clients look for it there. */
static void add_login_url(struct buf *out, const struct arm_call *call, const char *what)
{
    const struct arm_path *path = call->path;
    bool is_versioned = slice_eq(path->segments[path->count - 3], SLICE("v2.0"));
    size_t tenant = path->count - (is_versioned ? 4 : 3);

    arm_place_add(out, &call->arm->place, call->request);
    for (size_t i = 0; i < tenant; i++)
        buf_addf(out, "/%.*s", SLICE_ARG(path->segments[i]));
    if (tenant == 0 || is_guid(path->segments[tenant]))
        buf_addf(out, "/%.*s", SLICE_ARG(path->segments[tenant]));
    else
        buf_add(out, SLICE("/" IDENTITY_TENANT));
    buf_addf(out, "/oauth2%s/%s", is_versioned ? "/v2.0" : "", what);
}

static void member_login(struct buf *out, const char *name, const struct arm_call *call,
                         const char *what)
{
    struct buf url;

    buf_init(&url, ANSWER_MAX_BYTES);
    add_login_url(&url, call, what);
    member_text(out, name, buf_slice(&url));
    buf_done(&url);
}

void arm_identity_configuration(const struct arm_call *call)
{
    struct slice issuer = identity_issuer(router_identity(call->router));
    struct buf body, keys;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_init(&keys, ANSWER_MAX_BYTES);
    buf_add(&keys, issuer);
    buf_add(&keys, SLICE("/discovery/keys"));
    member_text(&body, "issuer", issuer);
    member_login(&body, "authorization_endpoint", call, "authorize");
    member_login(&body, "token_endpoint", call, "token");
    member_text(&body, "jwks_uri", buf_slice(&keys));
    member_json(&body, "id_token_signing_alg_values_supported", SLICE("[\"ES256\"]"));
    member_json(&body, "response_types_supported", SLICE("[\"token\"]"));
    member_json(&body, "subject_types_supported", SLICE("[\"public\"]"));
    member_json(&body, "grant_types_supported", SLICE("[\"client_credentials\"]"));
    member_json(&body, "token_endpoint_auth_methods_supported", SLICE("[\"client_secret_post\"]"));
    buf_add(&body, SLICE("}\n"));
    buf_done(&keys);
    arm_ok(call, &body);
}
