#include "api/changing.h"

#include <stdlib.h>

#include "api/answer.h"
#include "base/mem.h"
#include "json/scan.h"

#define URL_MAX_BYTES 4096

#define NOT_STORED "ServiceUnavailable"

/* Before anything was begun, a timeout is that of a confirmation by hand. */
static const struct answer_row failures[] = {
    {E_BAD_INPUT, 400, "BadRequest"},   {E_LIMIT, 400, "BadRequest"},
    {E_UNSUPPORTED, 400, "BadRequest"}, {E_DENIED, 400, "Url validation"},
    {E_TIMEOUT, 400, "Url validation"}, {E_NOT_FOUND, 404, "ResourceNotFound"},
    {E_EXISTS, 409, "Conflict"},        {E_FULL, 403, "QuotaExceeded"},
};

static void tell_not_stored(struct http_request *request, enum err err, const struct cause *why)
{
    answer_error(request, 503, NOT_STORED, "it could not be stored: %s; try again",
                 cause_text(why, err));
}

void changing_failed(struct http_request *request, enum err err, const struct cause *why)
{
    if (answer_failure(request, failures, COUNT_OF(failures), err, why))
        return;
    if (err == E_CANCELED)
        answer_error(request, 503, "Stopping", "the server is stopping: try again");
    else
        tell_not_stored(request, err, why);
}

const char *changing_code(enum err err)
{
    for (size_t i = 0; i < COUNT_OF(failures); i++)
        if (failures[i].err == err)
            return failures[i].code;
    return NOT_STORED;
}

static void changing_free(struct changing *changing)
{
    free(changing->scope);
    free(changing->name);
    free(changing);
}

static void on_changed(struct op *op, enum err err)
{
    struct changing *changing = container_of(op, struct changing, change.op);

    if (err == E_TIMEOUT)
        tell_not_stored(changing->request, err, &op->why);
    else if (err != E_OK)
        changing_failed(changing->request, err, &op->why);
    else if (changing->answer != NULL)
        changing->answer(changing);
    else
        http_respond(changing->request, 204, NULL, NULL);
    changing_free(changing);
}

struct changing *changing_new(struct router *router, struct http_request *request,
                              struct slice scope, struct slice name)
{
    struct changing *changing = mem_new(struct changing);

    changing->change.op.done = on_changed;
    changing->router = router;
    changing->request = request;
    changing->scope = slice_dup(scope);
    changing->name = name.data != NULL ? slice_dup(name) : NULL;
    return changing;
}

void changing_begun(struct changing *changing, enum err err)
{
    if (err == E_OK)
        return;
    changing_failed(changing->request, err, &changing->change.op.why);
    changing_free(changing);
}

const struct scope *changing_scope(const struct changing *changing)
{
    const struct scope *scope =
        catalog_find_scope(router_catalog(changing->router), slice_of(changing->scope));

    return scope != NULL && scope->topic != NULL ? scope : NULL;
}

void changing_gone(struct changing *changing)
{
    answer_error(changing->request, 409, "Conflict", "another node has removed it meanwhile");
}

void changing_subscription(struct router *router, struct http_request *request,
                           const struct subscription_change *change)
{
    struct buf url;

    buf_init(&url, URL_MAX_BYTES);
    http_request_add_url(&url, request);
    struct changing *changing =
        changing_new(router, request, slice_of(topic_scope(change->scope->topic)), change->name);
    changing->answer = change->answer;
    changing_begun(changing,
                   change_subscription(router_changes(router),
                                       &(struct change_request){.scope = slice_of(changing->scope),
                                                                .name = change->name,
                                                                .properties = change->properties,
                                                                .url = buf_slice(&url),
                                                                .is_patch = change->is_patch},
                                       &changing->change));
    buf_done(&url);
}

bool changing_properties(struct http_request *request, struct slice *ret)
{
    struct slice body = jx_scan_trim(http_request_body(request));

    if (body.len == 0) {
        *ret = SLICE("{}");
        return true;
    }
    if (!jx_scan_is_object(body)) {
        answer_error(request, 400, "BadRequest", "the body is not a JSON object");
        return false;
    }
    struct slice properties = jx_scan_member(body, SLICE("properties"));
    *ret = properties.data != NULL ? properties : body;
    return true;
}
