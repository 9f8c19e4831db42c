#include "arm/accepted.h"

#include "api/answer.h"
#include "arm/path.h"
#include "wire/url.h"

#define URL_ROOM_BYTES (2 * ARM_PATH_MAX_BYTES * 3)
#define LOCATION "local"
#define VERSION "2022-06-15" /* when the request says none */

static void add_version(struct buf *out, const struct http_request *request)
{
    struct slice version = http_request_parameter(request, SLICE("api-version"));

    buf_add(out, SLICE("?api-version="));
    url_add_escaped(out, version.len > 0 ? version : SLICE(VERSION));
}

static void add_path(struct buf *out, struct slice id)
{
    struct slice rest = slice_from(id, 1), part;

    while (slice_cut(&rest, '/', &part)) {
        buf_add_byte(out, '/');
        url_add_escaped(out, part);
    }
}

/* The provider that the last part of the id is of. */
static void add_provider(struct buf *out, struct slice id)
{
    struct buf type;

    buf_init(&type, ARM_PATH_MAX_BYTES);
    arm_id_add_type(&type, id);
    if (type.len > 0)
        buf_add(out, slice_first(buf_slice(&type), slice_find_byte(buf_slice(&type), '/')));
    else
        buf_add(out, SLICE("Microsoft.Resources"));
    buf_done(&type);
}

static void add_operation(struct buf *out, const struct http_request *request,
                          const struct accepted *accepted)
{
    static const char *const names[] = {
        [ACCEPTED_PUT] = "operationsStatus",
        [ACCEPTED_CACHE] = "asyncOperations",
        [ACCEPTED_ACTION] = "operationResults",
        [ACCEPTED_GROUP] = "operationResults",
    };

    http_request_add_url(out, request);
    buf_add(out, SLICE("/subscriptions/"));
    url_add_escaped(out, arm_id_subscription(accepted->resource));
    buf_add(out, SLICE("/providers/"));
    add_provider(out, accepted->resource);
    buf_addf(out, "/locations/" LOCATION "/%s/%.*s", names[accepted->form],
             SLICE_ARG(accepted->operation));
    add_version(out, request);
}

static void add_resource(struct buf *out, const struct http_request *request,
                         const struct accepted *accepted)
{
    http_request_add_url(out, request);
    add_path(out, accepted->resource);
    add_version(out, request);
}

void accepted_retry_after(struct http_request *request)
{
    (void)http_reply_header(request, SLICE("Retry-After"), SLICE("1"));
}

void accepted_answer(struct http_request *request, const struct accepted *accepted,
                     struct buf *body)
{
    bool has_resource = accepted->form == ACCEPTED_PUT || accepted->form == ACCEPTED_CACHE;
    struct buf operation, location;

    buf_init(&operation, URL_ROOM_BYTES);
    buf_init(&location, URL_ROOM_BYTES);
    add_operation(&operation, request, accepted);
    if (has_resource)
        add_resource(&location, request, accepted);
    if (accepted->form != ACCEPTED_GROUP)
        (void)http_reply_header(request, SLICE("Azure-AsyncOperation"), buf_slice(&operation));
    (void)http_reply_header(request, SLICE("Location"),
                            buf_slice(has_resource ? &location : &operation));
    accepted_retry_after(request);
    buf_done(&operation);
    buf_done(&location);
    if (body != NULL)
        answer_json(request, accepted->status, body);
    else
        http_respond(request, accepted->status, NULL, NULL);
}
