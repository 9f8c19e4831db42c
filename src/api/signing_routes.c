#include "api/signing_routes.h"

#include <stdlib.h>

#include "api/answer.h"
#include "api/changing.h"
#include "api/subscription_json.h"
#include "api/subscription_routes.h"
#include "json/json.h"
#include "json/scan.h"

#define PATCH_MAX_BYTES 4096

static void answer_secrets(struct http_request *request, const struct member *member)
{
    struct subscription subscription;
    struct cause why;
    struct buf body;

    if (subscription_json_read(member, &subscription, &why) != E_OK ||
        !subscription.destination.signing.is_enabled) {
        answer_error(request, 409, "Conflict",
                     "its deliveries are not signed: `redgrid subscription update --sign yes`");
    } else {
        buf_init(&body, ANSWER_MAX_BYTES);
        signing_write_secrets(&body, &subscription.destination.signing);
        buf_add(&body, SLICE("}\n"));
        answer_json(request, 200, &body);
    }
    subscription_done(&subscription);
}

void signing_get(struct router *router, struct http_request *request)
{
    const struct member *member = subscription_of(router, request);

    if (member != NULL)
        answer_secrets(request, member);
}

static void answer_rotated(struct changing *changing)
{
    const struct scope *scope = changing_scope(changing);
    const struct member *member =
        scope != NULL ? catalog_member(scope, slice_of(changing->name)) : NULL;

    if (member != NULL)
        answer_secrets(changing->request, member);
    else
        changing_gone(changing);
}

/* What the body says; an empty one says nothing. False, and answered, if it cannot be read. */
struct rotation {
    char *secret;
    bool keeps_previous;
};
static bool read_rotation(struct http_request *request, struct rotation *ret)
{
    struct slice body = jx_scan_trim(http_request_body(request));
    struct cause why = {0};
    struct jx_view view;
    json_t *json = NULL;

    *ret = (struct rotation){.keeps_previous = true};
    if (body.len == 0)
        return true;
    enum err err = jx_parse(body, NULL, NULL, &json, &why);
    if (err == E_OK) {
        jx_view_init(&view, json, NULL);
        if (!json_is_object(json))
            jx_view_error(&view, NULL, "the body is not an object");
        jx_text_dup(&view, "secret", &ret->secret);
        (void)jx_bool(&view, "keepPrevious", &ret->keeps_previous);
        err = view.err ? cause_set(&why, view.err, "%s", view.why.text) : E_OK;
    }
    json_decref(json);
    if (err == E_OK)
        return true;
    free(ret->secret);
    answer_error(request, 400, "BadRequest", "%s", cause_text(&why, err));
    return false;
}

static void write_patch(struct buf *out, const struct rotation *rotation,
                        const struct signing *signing)
{
    struct buf fresh;

    buf_init(&fresh, PATCH_MAX_BYTES);
    if (rotation->secret != NULL)
        buf_add(&fresh, slice_of(rotation->secret));
    else
        signing_secret_new(&fresh);
    buf_add(out, SLICE("{\"destination\":{\"properties\":{\"signing\":"));
    member_text(out, "secret", buf_slice(&fresh));
    member_text(out, "previousSecret",
                rotation->keeps_previous && signing->secrets[0] != NULL
                    ? slice_of(signing->secrets[0])
                    : SLICE(""));
    buf_add(out, SLICE("}}}}"));
    buf_done(&fresh);
}

void signing_rotate(struct router *router, struct http_request *request)
{
    const struct member *member = subscription_of(router, request);
    struct subscription subscription;
    struct rotation rotation;
    struct cause why;
    struct buf patch;

    if (member == NULL || !read_rotation(request, &rotation))
        return;
    bool is_read = subscription_json_read(member, &subscription, &why) == E_OK;
    if (!is_read || subscription.destination.kind != DESTINATION_WEBHOOK) {
        answer_error(request, 409, "Conflict", "only deliveries to webhooks are signed");
    } else {
        buf_init(&patch, PATCH_MAX_BYTES);
        write_patch(&patch, &rotation, &subscription.destination.signing);
        changing_subscription(
            router, request,
            &(struct subscription_change){.scope = member->scope,
                                          .name = http_request_segment(request, 2),
                                          .properties = buf_slice(&patch),
                                          .is_patch = true,
                                          .answer = answer_rotated});
        buf_done(&patch);
    }
    subscription_done(&subscription);
    free(rotation.secret);
}
