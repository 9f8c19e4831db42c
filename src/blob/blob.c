#include "blob/blob.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "event/date.h"
#include "http/client.h"

#define TEXT_MAX_BYTES 32768
#define META "x-ms-meta-"
#define META_NAME_BYTES 64
#define BLOCK_ID_MAX_BYTES 64           /* before Base64 */
#define BLOCK_LIST_MAX_BYTES (8u << 20) /* BLOB_BLOCKS_MAX of about 80 */

/* One request on its way. */
struct sending {
    struct http_call http;
    struct blob_call *call;
    struct http_client *http_client;
    const struct blob_account *account;
    const char *endpoint;
    struct blob_request request;
    struct slice body;
    struct buf path, url, date, authorization, block; /* one's name, or the list of all */
    struct http_header headers[BLOB_HEADERS_MAX + 2];
    char meta_names[BLOB_METADATA_MAX][META_NAME_BYTES];
    char count[24];
};

static void sending_free(struct sending *s)
{
    buf_done(&s->path);
    buf_done(&s->url);
    buf_done(&s->date);
    buf_done(&s->authorization);
    buf_done(&s->block);
    free(s);
}

static enum err judge(const struct sending *s, struct cause *why)
{
    int status = s->http.status;
    struct slice code = http_call_header(&s->http, SLICE("x-ms-error-code"));

    if (status >= 200 && status <= 299)
        return E_OK;
    enum err err = status == 404                    ? E_NOT_FOUND
                   : status == 401 || status == 403 ? E_DENIED
                                                    : E_FAILED;
    return cause_set(why, err, "%.*s %s%.*s: %d%s%.*s", SLICE_ARG(s->request.method), s->endpoint,
                     SLICE_ARG(s->request.path), status, code.len > 0 ? " " : "", SLICE_ARG(code));
}

static void on_answered(struct op *op, enum err err)
{
    struct sending *s = container_of(op, struct sending, http.op);
    struct blob_call *call = s->call;

    if (err == E_OK)
        err = judge(s, &call->op.why);
    else
        call->op.why = op->why;
    call->body = err == E_OK ? s->http.response : SLICE_NONE;
    call->answer = err == E_OK ? &s->http : NULL;
    op_end(&call->op, err); /* which may begin the next with the same call */
    sending_free(s);
}

static void on_abort(struct op *op)
{
    struct sending *s = op->runner;

    op_abort(&s->http.op);
}

/* ---- what is asked ---- */

static struct sending *sending_new(const struct blob_place *place, const char *method,
                                   struct blob_call *call)
{
    struct sending *s = mem_new(struct sending);

    s->http_client = place->http;
    s->account = place->account;
    s->endpoint = place->account->endpoint;
    s->call = call;
    s->request.method = slice_of(method);
    buf_init(&s->path, TEXT_MAX_BYTES);
    buf_init(&s->url, TEXT_MAX_BYTES);
    buf_init(&s->date, TEXT_MAX_BYTES);
    buf_init(&s->authorization, TEXT_MAX_BYTES);
    buf_add_byte(&s->path, '/');
    url_add_escaped(&s->path, place->container);
    date_add_http(&s->date, clock_unix_ms());
    return s;
}

/* Slashes stay: they are the folders. */
static void add_name(struct sending *s, struct slice name)
{
    struct slice part;

    while (slice_cut(&name, '/', &part)) {
        buf_add_byte(&s->path, '/');
        url_add_escaped(&s->path, part);
    }
}

static void add_header(struct sending *s, struct slice name, struct slice value)
{
    s->request.headers[s->request.header_count++] = (struct http_header){name, value};
}

static void add_parameter(struct sending *s, const char *name, struct slice value)
{
    s->request.parameters[s->request.parameter_count++] =
        (struct http_header){slice_of(name), value};
}

static void write_url(struct sending *s)
{
    const struct blob_request *request = &s->request;
    char before = '?';

    buf_add(&s->url, slice_of(s->endpoint));
    buf_add(&s->url, request->path);
    for (size_t i = 0; i < request->parameter_count; i++) {
        buf_add_byte(&s->url, before);
        buf_add(&s->url, request->parameters[i].name);
        buf_add_byte(&s->url, '=');
        url_add_escaped(&s->url, request->parameters[i].value);
        before = '&';
    }
    if (s->account->sas != NULL)
        buf_addf(&s->url, "%c%s", before, s->account->sas);
}

static enum err write_head(struct sending *s)
{
    size_t count = 0;

    for (; count < s->request.header_count; count++)
        s->headers[count] = s->request.headers[count];
    if (s->request.content_type.len > 0)
        s->headers[count++] = (struct http_header){SLICE("Content-Type"), s->request.content_type};
    if (s->account->key != NULL) {
        enum err err = blob_add_authorization(&s->authorization, s->account, &s->request);
        if (err != E_OK)
            return err;
        s->headers[count++] =
            (struct http_header){SLICE("Authorization"), buf_slice(&s->authorization)};
    }
    s->http.headers = s->headers;
    s->http.header_count = count;
    return E_OK;
}

/* send takes it. */
static enum err send(struct sending *s)
{
    struct blob_call *call = s->call;
    enum err err;

    add_header(s, SLICE("x-ms-version"), SLICE(BLOB_VERSION));
    s->request.path = buf_slice(&s->path);
    s->request.content_length = s->body.len;
    write_url(s);
    s->http.op.done = on_answered;
    s->http.method = s->request.method;
    s->http.body = &s->body;
    s->http.body_count = s->body.len > 0 ? 1 : 0;
    if (s->http.timeout_ms == 0)
        s->http.timeout_ms = BLOB_TIMEOUT_MS;
    s->http.response_max_bytes = BLOB_MAX_BYTES;
    err = buf_err(&s->path) != E_OK || buf_err(&s->url) != E_OK ? E_LIMIT : write_head(s);
    if (err == E_OK)
        err = url_parse(buf_slice(&s->url), &s->http.url, NULL);
    if (err == E_OK)
        err = http_send(s->http_client, &s->http);
    if (err != E_OK) {
        sending_free(s);
        return cause_set(&call->op.why, err, "the request cannot be made");
    }
    op_begin(&call->op, on_abort, s);
    return E_OK;
}

/* ---- exported ---- */

struct slice blob_call_metadata(const struct blob_call *call, struct slice name)
{
    char text[META_NAME_BYTES];

    snprintf(text, sizeof text, META "%.*s", SLICE_ARG(name));
    return call->answer != NULL ? http_call_header(call->answer, slice_of(text)) : SLICE_NONE;
}

enum err blob_put(const struct blob_place *place, const struct blob_writing *writing,
                  struct blob_call *call)
{
    struct sending *s = sending_new(place, "PUT", call);

    add_name(s, writing->name);
    s->body = writing->body;
    s->request.content_type = SLICE("application/json");
    add_header(s, SLICE("x-ms-blob-type"), SLICE("BlockBlob"));
    add_header(s, SLICE("x-ms-date"), buf_slice(&s->date));
    for (size_t i = 0; i < writing->metadata_count; i++) {
        snprintf(s->meta_names[i], META_NAME_BYTES, META "%.*s",
                 SLICE_ARG(writing->metadata[i].name));
        add_header(s, slice_of(s->meta_names[i]), writing->metadata[i].value);
    }
    return send(s);
}

/* All of a blob must be equally long. */
static void add_block_id(struct buf *out, const struct blob_blocks *blocks, uint32_t index)
{
    char id[BLOCK_ID_MAX_BYTES];

    snprintf(id, sizeof id, "%.*s-%06u", SLICE_ARG(blocks->set), index);
    base64_add(out, slice_of(id));
}

enum err blob_put_block(const struct blob_place *place, const struct blob_blocks *blocks,
                        uint32_t index, struct slice body, struct blob_call *call)
{
    struct sending *s = sending_new(place, "PUT", call);

    add_name(s, blocks->name);
    buf_init(&s->block, TEXT_MAX_BYTES);
    add_block_id(&s->block, blocks, index);
    s->body = body;
    s->http.timeout_ms = BLOB_BLOCK_TIMEOUT_MS;
    add_header(s, SLICE("x-ms-date"), buf_slice(&s->date));
    add_parameter(s, "blockid", buf_slice(&s->block));
    add_parameter(s, "comp", SLICE("block"));
    return send(s);
}

enum err blob_commit(const struct blob_place *place, const struct blob_blocks *blocks,
                     uint32_t count, struct blob_call *call)
{
    struct sending *s = sending_new(place, "PUT", call);

    add_name(s, blocks->name);
    buf_init(&s->block, BLOCK_LIST_MAX_BYTES);
    buf_add(&s->block, SLICE("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>"));
    for (uint32_t i = 0; i < count; i++) {
        buf_add(&s->block, SLICE("<Latest>"));
        add_block_id(&s->block, blocks, i);
        buf_add(&s->block, SLICE("</Latest>"));
    }
    buf_add(&s->block, SLICE("</BlockList>"));
    s->body = buf_slice(&s->block);
    add_header(s, SLICE("x-ms-blob-content-type"), SLICE("application/octet-stream"));
    add_header(s, SLICE("x-ms-date"), buf_slice(&s->date));
    add_parameter(s, "comp", SLICE("blocklist"));
    return send(s);
}

enum err blob_get(const struct blob_place *place, struct slice name, struct blob_call *call)
{
    struct sending *s = sending_new(place, "GET", call);

    add_name(s, name);
    add_header(s, SLICE("x-ms-date"), buf_slice(&s->date));
    return send(s);
}

enum err blob_delete(const struct blob_place *place, struct slice name, struct blob_call *call)
{
    struct sending *s = sending_new(place, "DELETE", call);

    add_name(s, name);
    add_header(s, SLICE("x-ms-date"), buf_slice(&s->date));
    return send(s);
}

enum err blob_list(const struct blob_place *place, struct slice prefix, struct slice marker,
                   size_t count, struct blob_call *call)
{
    struct sending *s = sending_new(place, "GET", call);

    snprintf(s->count, sizeof s->count, "%zu", count);
    add_header(s, SLICE("x-ms-date"), buf_slice(&s->date));
    add_parameter(s, "comp", SLICE("list"));
    if (marker.len > 0)
        add_parameter(s, "marker", marker);
    add_parameter(s, "maxresults", slice_of(s->count));
    add_parameter(s, "prefix", prefix);
    add_parameter(s, "restype", SLICE("container"));
    return send(s);
}
