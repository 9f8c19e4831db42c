#include "arm/group_routes.h"

#include <stdlib.h>

#include "api/changing.h"
#include "api/listing.h"
#include "arm/arm_internal.h"
#include "arm/group_removal.h"
#include "arm/scope.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "router/document.h"
#include "router/resource_id.h"
#include "json/member.h"

#define NAME_MAX_BYTES 90 /* as Azure has it */
#define KIND "\"group\""

/* That which every server has. */
#define BUILT_IN                                                                                   \
    "{\"name\":\"redgrid\",\"id\":\"" RESOURCE_GROUP                                               \
    "\",\"kind\":\"group\",\"location\":\"" ARM_LOCATION "\"}"

/* A group that is put, until it is stored. */
struct writing {
    struct resource_write write;
    struct arm *arm;
    struct http_request *request;
    char *id;
    struct buf document;
    bool is_new;
};

/* ---- as it is shown ---- */

static struct slice document_of(struct router *router, struct slice id)
{
    struct slice document = arm_document(router, id);

    return document.data == NULL && slice_eq_nocase(id, SLICE(RESOURCE_GROUP)) ? SLICE(BUILT_IN)
                                                                               : document;
}

static void write_group(struct buf *out, struct slice document, struct router *router)
{
    const struct labels labels = labels_read(document);
    char *id = document_text(document, "id");
    bool is_going = arm_group_removal(router, slice_of(id)).data != NULL;

    member_text(out, "id", slice_of(id));
    member_json(out, "name", jx_scan_member(document, SLICE("name")));
    member_text(out, "type", SLICE("Microsoft.Resources/resourceGroups"));
    member_json(out, "location", labels.location);
    member_json(out, "tags", labels.tags);
    member_open(out, "properties");
    member_text(out, "provisioningState", is_going ? SLICE("Deleting") : SLICE("Succeeded"));
    buf_add(out, SLICE("}}"));
    free(id);
}

static void answer_group(struct http_request *request, struct router *router, int status,
                         struct slice document)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    write_group(&body, document, router);
    buf_add_byte(&body, '\n');
    answer_json(request, status, &body);
}

static void write_row(struct buf *out, const void *document, const void *router)
{
    /* The router of a request is never const, which a listing's context is. */
    write_group(out, slice_of(document), (struct router *)(uintptr_t)router);
}

void arm_groups_get(const struct arm_call *call)
{
    struct slice id, document, wanted = arm_name(call, "subscription");
    struct listing listing = {0};
    struct buf body;

    if (slice_eq_nocase(wanted, arm_id_subscription(SLICE(RESOURCE_GROUP))))
        listing_add(&listing, "", document_of(call->router, SLICE(RESOURCE_GROUP)).data);
    for (size_t at = 0; resources_next(router_resources(call->router), &at, &id, &document);)
        if (slice_eq(jx_scan_member(document, SLICE("kind")), SLICE(KIND)) &&
            slice_eq_nocase(arm_id_subscription(id), wanted) &&
            !slice_eq_nocase(id, SLICE(RESOURCE_GROUP)))
            listing_add(&listing, document.data, document.data);
    buf_init(&body, ANSWER_MAX_BYTES);
    listing_write(&body, &listing, write_row, call->router);
    arm_ok(call, &body);
}

void arm_group_get(const struct arm_call *call)
{
    struct slice document = document_of(call->router, arm_id(call));

    if (document.data != NULL)
        answer_group(call->request, call->router, 200, document);
    else
        arm_not_found(call, arm_id(call));
}

void arm_group_head(const struct arm_call *call)
{
    arm_empty(call, document_of(call->router, arm_id(call)).data != NULL ? 204 : 404);
}

/* ---- to change ---- */

static void on_written(struct op *op, enum err err)
{
    struct writing *writing = container_of(op, struct writing, write.op);

    if (err != E_OK)
        changing_failed(writing->request, err == E_TIMEOUT ? E_IO : err, &op->why);
    else
        answer_group(writing->request, writing->arm->router, writing->is_new ? 201 : 200,
                     buf_slice(&writing->document));
    buf_done(&writing->document);
    free(writing->id);
    free(writing);
}

static void start_writing(struct writing *writing)
{
    writing->write = (struct resource_write){.op.done = on_written};
    enum err err = resource_put(router_resources(writing->arm->router), slice_of(writing->id),
                                buf_slice(&writing->document), &writing->write);
    if (err != E_OK)
        loop_later(writing->arm->options.loop, &writing->write.op, err);
}

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = lower_of(name.data[i]);
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                        slice_find_byte(SLICE("-_.()"), c) < 5 || (unsigned char)c >= 0x80;
        if (!is_plain)
            return false;
    }
    return name.len > 0 && name.len <= NAME_MAX_BYTES && name.data[name.len - 1] != '.';
}

/* Is that what the request may say? Answered if not. */
static bool check(const struct arm_call *call, struct slice old, const struct labels *labels)
{
    struct slice name = arm_name(call, "group"), location = labels->location;

    if (!is_name(name))
        answer_error(call->request, 400, "InvalidParameter",
                     "the name of a resource group has 1 to %d letters, digits and -_.(), and no "
                     "dot at its end",
                     NAME_MAX_BYTES);
    else if (location.len < 3 || location.data[0] != '"')
        answer_error(call->request, 400, "LocationRequired",
                     "The location property is required for this definition.");
    else if (labels->tags.len > 0 && labels->tags.data[0] != '{' &&
             !slice_eq(labels->tags, SLICE("null")))
        answer_error(call->request, 400, "InvalidRequestContent", "tags: is no object");
    else if (old.data != NULL && arm_group_removal(call->router, arm_id(call)).data != NULL)
        answer_error(call->request, 409, "ResourceGroupBeingDeleted",
                     "The resource group '%.*s' is being deleted.", SLICE_ARG(name));
    else
        return true;
    return false;
}

static void put(const struct arm_call *call, bool is_patch)
{
    struct slice body, old = document_of(call->router, arm_id(call));

    if (!arm_body(call, &body))
        return;
    const struct labels before = labels_read(old), asked = labels_read(body);
    struct labels labels = labels_merge(&before, &asked);
    if (!is_patch)
        labels.tags = asked.tags;
    if (!check(call, old, &labels))
        return;
    char *id = old.data != NULL ? document_text(old, "id") : slice_dup(arm_id(call));
    struct writing *writing = mem_new(struct writing);
    writing->arm = call->arm;
    writing->request = call->request;
    writing->id = id;
    writing->is_new = old.data == NULL;
    buf_init(&writing->document, RESOURCE_MAX_BYTES);
    member_text(&writing->document, "name", arm_id_name(slice_of(id)));
    member_text(&writing->document, "id", slice_of(id));
    member_text(&writing->document, "kind", SLICE("group"));
    labels_write(&writing->document, &labels);
    buf_add_byte(&writing->document, '}');
    start_writing(writing);
}

void arm_group_put(const struct arm_call *call)
{
    put(call, false);
}

void arm_group_patch(const struct arm_call *call)
{
    if (arm_group_is(call->router, arm_id(call)))
        put(call, true);
    else
        arm_not_found(call, arm_id(call));
}

void arm_group_delete(const struct arm_call *call)
{
    struct slice document = document_of(call->router, arm_id(call));

    if (document.data == NULL) {
        arm_not_found(call, arm_id(call));
        return;
    }
    char *id = document_text(document, "id");
    group_removal_start(call, slice_of(id));
    free(id);
}
