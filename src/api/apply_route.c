#include "api/apply_route.h"

#include <stdlib.h>

#include "api/answer.h"
#include "base/mem.h"
#include "router/declaration.h"
#include "json/json.h"
#include "json/member.h"

#define URL_MAX_BYTES 4096

/* One request, until all changes have ended. */
struct applying {
    struct op op;
    struct declaration *declaration;
    struct http_request *request;
};

static void answer_mistakes(struct http_request *request, const struct jx_audit *audit)
{
    const struct jx_mistake *first = &audit->mistakes[0];
    struct buf body, message;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_init(&message, ANSWER_MAX_BYTES);
    buf_addf(&message, "%s%s%s", first->path, first->path[0] != '\0' ? ": " : "the body ",
             first->text);
    if (audit->count > 1)
        buf_addf(&message, " (and %zu more)", audit->count - 1);
    member_open(&body, "error");
    member_text(&body, "code", SLICE("BadRequest"));
    member_text(&body, "message", buf_slice(&message));
    member_open(&body, "details");
    for (size_t i = 0; i < audit->count; i++) {
        buf_add_byte(&body, i == 0 ? '[' : ',');
        member_text(&body, "code", SLICE("BadRequest"));
        member_text(&body, "target", slice_of(audit->mistakes[i].path));
        member_text(&body, "message", slice_of(audit->mistakes[i].text));
        buf_add_byte(&body, '}');
    }
    buf_add(&body, SLICE("]}}\n"));
    buf_done(&message);
    answer_json(request, 400, &body);
}

static void answer_items(struct http_request *request, const struct declaration *declaration)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    member_open(&body, "resources");
    buf_add_byte(&body, '[');
    for (size_t i = 0; i < declaration->count; i++) {
        buf_add(&body, i == 0 ? SLICE("") : SLICE(","));
        declared_write(&body, declaration, &declaration->items[i]);
    }
    buf_add(&body, SLICE("]}\n"));
    answer_json(request, 200, &body);
}

static void on_applied(struct op *op, enum err err)
{
    struct applying *applying = container_of(op, struct applying, op);

    (void)err; /* each item has its own */
    answer_items(applying->request, applying->declaration);
    declaration_free(applying->declaration);
    free(applying);
}

/* False, and answered, if the parameter is neither yes nor no. */
static bool read_switch(struct http_request *request, struct slice name, bool *ret)
{
    struct slice text = http_request_parameter(request, name);

    if (text.len == 0 || slice_to_bool(text, ret))
        return true;
    answer_error(request, 400, "BadRequest", "%.*s: '%.*s' is not yes or no", SLICE_ARG(name),
                 SLICE_ARG(text));
    return false;
}

static void apply(struct declaration *declaration, struct http_request *request)
{
    struct applying *applying = mem_new(struct applying);
    struct buf url;

    *applying =
        (struct applying){.op.done = on_applied, .declaration = declaration, .request = request};
    buf_init(&url, URL_MAX_BYTES);
    http_request_add_url(&url, request);
    declaration_apply(declaration, buf_slice(&url), &applying->op);
    buf_done(&url);
}

void declaration_post(struct router *router, struct http_request *request)
{
    bool is_dry = false, is_pruning = false;

    if (!read_switch(request, SLICE("dryRun"), &is_dry) ||
        !read_switch(request, SLICE("prune"), &is_pruning))
        return;
    struct declaration *declaration =
        declaration_new(router, http_request_body(request), is_pruning);
    if (declaration->audit.count == 0 && !is_dry) {
        apply(declaration, request);
        return;
    }
    if (declaration->audit.count > 0)
        answer_mistakes(request, &declaration->audit);
    else
        answer_items(request, declaration);
    declaration_free(declaration);
}
