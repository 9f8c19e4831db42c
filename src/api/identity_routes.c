#include "api/identity_routes.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/answer.h"
#include "base/clock.h"
#include "router/router.h"
#include "wire/url.h"
#include "json/member.h"

#define AUDIENCE_MAX_BYTES 1024
#define TOKEN_ROOM_BYTES 4096

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
static void answer_token(const struct identity *identity, struct http_request *request,
                         struct slice resource)
{
    uint64_t now_unix_s = clock_unix_ms() / 1000;
    struct buf body, token;
    char until[24];

    snprintf(until, sizeof until, "%" PRIu64, now_unix_s + IDENTITY_TOKEN_S);
    buf_init(&body, ANSWER_MAX_BYTES);
    buf_init(&token, TOKEN_ROOM_BYTES);
    identity_write_token(&token, identity,
                         &(struct identity_request){resource, SLICE(IDENTITY_TENANT), now_unix_s});
    if (buf_err(&token)) {
        buf_done(&token);
        buf_done(&body);
        answer_error(request, 400, "BadRequest", "resource: is too long for a token");
        return;
    }
    member_text(&body, "access_token", buf_slice(&token));
    member_text(&body, "expires_on", slice_of(until));
    member_text(&body, "resource", resource);
    member_text(&body, "token_type", SLICE("Bearer"));
    member_text(&body, "client_id", SLICE(IDENTITY_CLIENT));
    buf_add(&body, SLICE("}\n"));
    buf_done(&token);
    (void)http_reply_header(request, SLICE("Cache-Control"), SLICE("no-store"));
    answer_json(request, 200, &body);
}

void identity_token(struct router *router, struct http_request *request)
{
    struct buf resource;

    buf_init(&resource, AUDIENCE_MAX_BYTES);
    if (read_resource(request, &resource))
        answer_token(router_identity(router), request, buf_slice(&resource));
    else
        answer_error(request, 400, "BadRequest",
                     "resource: say what the token is for, as " TOKEN_AUDIENCE_PUBLISH
                     " is for publishing");
    buf_done(&resource);
}

void identity_keys(struct router *router, struct http_request *request)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    identity_write_keys(&body, router_identity(router));
    buf_add_byte(&body, '\n');
    answer_json(request, 200, &body);
}

void identity_configuration(struct router *router, struct http_request *request)
{
    struct slice issuer = identity_issuer(router_identity(router));
    struct buf body, keys;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_init(&keys, ANSWER_MAX_BYTES);
    buf_add(&keys, issuer);
    buf_add(&keys, SLICE("/discovery/keys"));
    member_text(&body, "issuer", issuer);
    member_text(&body, "jwks_uri", buf_slice(&keys));
    member_open(&body, "id_token_signing_alg_values_supported");
    buf_add(&body, SLICE("[\"ES256\"]"));
    member_open(&body, "response_types_supported");
    buf_add(&body, SLICE("[\"token\"]"));
    member_open(&body, "subject_types_supported");
    buf_add(&body, SLICE("[\"public\"]}\n"));
    buf_done(&keys);
    answer_json(request, 200, &body);
}
