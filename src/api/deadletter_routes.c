#include "api/deadletter_routes.h"

#include <stdlib.h>

#include "api/answer.h"
#include "api/subscription_routes.h"
#include "base/mem.h"
#include "router/dead_blob.h"
#include "router/sweep.h"
#include "json/json.h"

#define QUERY_MAX_BYTES 65536
#define ROWS 100 /* when nobody says how many */
#define ROWS_MAX 1000
#define ROWS_MAX_BYTES (8 * 1024 * 1024) /* the last may go beyond */

/* A sweep that somebody waits for. */
struct asked {
    struct sweep sweep;
    struct http_request *request;
    struct buf rows;
    uint32_t rows_max, row_count;
    bool is_one; /* asked for by its id */
};

/* ---- a dead letter ---- */

/* As it lies in Azure's storage; what is no event any more as the text that it is. */
static void write_letter(struct buf *out, const struct sweep *sweep, const struct dead_found *found)
{
    if (found->event == NULL) {
        member_text(out, "unreadable", found->body);
        return;
    }
    member_open(out, "deadLetter");
    dead_blob_write(out, &sweep->subscription, found->event, &found->dead);
}

static void write_row(struct buf *out, const struct sweep *sweep, const struct dead_found *found)
{
    const struct dead_letter *dead = &found->dead;

    member_text(out, "id", found->id);
    member_text(out, "place", slice_of(found->place));
    member_time(out, "diedAt", found->died_unix_ms * 1000, 3);
    member_text(out, "reason", dead->reason);
    member_u64(out, "attempts", dead->attempts);
    if (dead->outcome.len > 0)
        member_text(out, "lastOutcome", dead->outcome);
    if (dead->http_status != 0)
        member_u64(out, "lastStatus", dead->http_status);
    if (dead->attempted_unix_us != 0)
        member_time(out, "lastAttemptAt", dead->attempted_unix_us, 3);
    if (found->event != NULL)
        member_time(out, "publishedAt", found->event->published_unix_us, 3);
    write_letter(out, sweep, found);
    buf_add_byte(out, '}');
}

static bool on_found(struct sweep *sweep, const struct dead_found *found)
{
    struct asked *asked = container_of(sweep, struct asked, sweep);

    buf_add(&asked->rows, asked->row_count++ > 0 ? SLICE(",") : SLICE(""));
    write_row(&asked->rows, sweep, found);
    return asked->row_count < asked->rows_max && asked->rows.len < ROWS_MAX_BYTES;
}

/* ---- answers ---- */

static void tell_failure(const struct asked *asked, enum err err)
{
    const struct sweep *sweep = &asked->sweep;
    const char *done = sweep->kind == SWEEP_REDRIVE ? "redriven" : "purged";
    struct buf so_far;

    buf_init(&so_far, ANSWER_MAX_BYTES);
    if (sweep->kind != SWEEP_LIST)
        buf_addf(&so_far, "; %llu %s %s before that", (unsigned long long)sweep->done,
                 sweep->done == 1 ? "was" : "were", done);
    if (err == E_NOT_FOUND)
        answer_error(asked->request, 404, "ResourceNotFound", "%s%s",
                     cause_text(&sweep->op.why, err), buf_text(&so_far));
    else if (err == E_CANCELED)
        answer_error(asked->request, 503, "Stopping", "the server is stopping: try again%s",
                     buf_text(&so_far));
    else
        answer_error(asked->request, 503, "ServiceUnavailable", "the store failed: %s; try again%s",
                     cause_text(&sweep->op.why, err), buf_text(&so_far));
    buf_done(&so_far);
}

static void answer_one(struct asked *asked)
{
    struct http_request *request = asked->request;

    if (asked->sweep.trouble != NULL) {
        answer_error(request, 503, "StorageFailed", "the storage of dead letters failed: %s",
                     asked->sweep.trouble);
        return;
    }
    if (asked->row_count == 0) {
        answer_error(request, 404, "DeadLetterNotFound",
                     "subscription '%s' has no dead letter '%s': `redgrid deadletter list` shows "
                     "all",
                     asked->sweep.subscription.name, asked->sweep.query.ids[0]);
        return;
    }
    buf_add_byte(&asked->rows, '\n');
    answer_json(request, 200, &asked->rows);
}

static void answer_all(struct asked *asked)
{
    const struct sweep *sweep = &asked->sweep;
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES + ROWS_MAX_BYTES);
    if (sweep->kind == SWEEP_REDRIVE)
        member_u64(&body, "redriven", sweep->done);
    if (sweep->kind == SWEEP_PURGE)
        member_u64(&body, "purged", sweep->done);
    if (sweep->kind != SWEEP_LIST)
        member_u64(&body, "matched", sweep->matched);
    if (sweep->query.id_count > 0)
        member_u64(&body, "notFound", sweep->query.id_count - sweep->matched);
    if (sweep->kind == SWEEP_LIST || sweep->query.is_dry) {
        member_open(&body, "value");
        buf_addf(&body, "[");
        buf_add(&body, buf_slice(&asked->rows));
        buf_addf(&body, "]");
    }
    if (sweep->next != NULL)
        member_text(&body, "next", slice_of(sweep->next));
    if (sweep->next != NULL && sweep->until != NULL)
        member_text(&body, "until", slice_of(sweep->until));
    if (sweep->trouble != NULL)
        member_text(&body, "storageError", slice_of(sweep->trouble));
    buf_add(&body, SLICE("}\n"));
    answer_json(asked->request, 200, &body);
}

static void on_swept(struct op *op, enum err err)
{
    struct asked *asked = container_of(op, struct asked, sweep.op);

    if (err != E_OK)
        tell_failure(asked, err);
    else if (asked->is_one)
        answer_one(asked);
    else
        answer_all(asked);
    sweep_done(&asked->sweep);
    buf_done(&asked->rows);
    free(asked);
}

/* ---- questions ---- */

/* asked_new takes the query. */
static struct asked *asked_new(struct http_request *request, enum sweep_kind kind,
                               const struct dead_query *query)
{
    struct asked *asked = mem_new(struct asked);

    asked->request = request;
    asked->sweep.kind = kind;
    asked->sweep.query = *query;
    asked->sweep.found = on_found;
    asked->sweep.op.done = on_swept;
    asked->rows_max = query->limit > 0 && query->limit <= ROWS_MAX ? query->limit : ROWS;
    buf_init(&asked->rows, ANSWER_MAX_BYTES);
    return asked;
}

static void ask_of(struct router *router, const struct member *member, struct http_request *request,
                   enum sweep_kind kind, struct slice json)
{
    struct dead_query query;
    struct cause why = {0};

    enum err err = dead_query_read(json, &query, &why);
    if (err != E_OK) {
        answer_error(request, 400, "BadRequest", "%s", cause_text(&why, err));
        return;
    }
    if (kind == SWEEP_LIST)
        query.limit = query.limit == 0 ? ROWS : query.limit < ROWS_MAX ? query.limit : ROWS_MAX;
    if (kind == SWEEP_PURGE && !query.is_dry && !query.wants_all && !dead_query_is_narrow(&query)) {
        answer_error(request, 400, "BadRequest",
                     "this would purge all dead letters: say \"all\":true, or which ones: ids, "
                     "diedAfter, diedBefore, reason, filter");
        dead_query_done(&query);
        return;
    }
    sweep_start(&asked_new(request, kind, &query)->sweep, router, member);
}

static void ask(struct router *router, struct http_request *request, enum sweep_kind kind,
                struct slice json)
{
    const struct member *member = subscription_of(router, request);

    if (member != NULL)
        ask_of(router, member, request, kind, json);
}

void deadletters_ask(struct router *router, const struct member *member,
                     struct http_request *request, enum sweep_kind kind)
{
    ask_of(router, member, request, kind, http_request_body(request));
}

/* The query's parameters as JSON. */
static void write_parameters(struct buf *out, const struct http_request *request)
{
    static const char *const texts[] = {"reason", "diedAfter", "diedBefore",
                                        "from",   "until",     "limit"};
    struct slice filter = http_request_parameter(request, SLICE("filter"));

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct slice value = http_request_parameter(request, slice_of(texts[i]));
        if (value.len > 0)
            member_text(out, texts[i], value);
    }
    if (filter.len > 0) {
        member_open(out, "filter");
        buf_add(out, filter);
    }
    if (out->len > 0)
        buf_add_byte(out, '}');
}

void deadletters_get(struct router *router, struct http_request *request)
{
    struct buf json;

    buf_init(&json, QUERY_MAX_BYTES);
    write_parameters(&json, request);
    if (buf_err(&json) != E_OK)
        answer_error(request, 400, "BadRequest", "the query is longer than %d bytes",
                     QUERY_MAX_BYTES);
    else
        ask(router, request, SWEEP_LIST, buf_slice(&json));
    buf_done(&json);
}

void deadletter_get(struct router *router, struct http_request *request)
{
    const struct member *member = subscription_of(router, request);
    struct dead_query query;
    struct cause why = {0};
    struct buf json;

    if (member == NULL)
        return;
    buf_init(&json, QUERY_MAX_BYTES);
    member_open(&json, "ids");
    buf_add_byte(&json, '[');
    jx_write_string(&json, http_request_segment(request, 4));
    buf_add(&json, SLICE("]}"));
    enum err err = dead_query_read(buf_slice(&json), &query, &why);
    buf_done(&json);
    if (err != E_OK) {
        answer_error(request, 404, "DeadLetterNotFound", "%s", cause_text(&why, err));
        return;
    }
    struct asked *asked = asked_new(request, SWEEP_LIST, &query);
    asked->is_one = true;
    sweep_start(&asked->sweep, router, member);
}

void deadletters_list(struct router *router, struct http_request *request)
{
    ask(router, request, SWEEP_LIST, http_request_body(request));
}

void deadletters_redrive(struct router *router, struct http_request *request)
{
    ask(router, request, SWEEP_REDRIVE, http_request_body(request));
}

void deadletters_purge(struct router *router, struct http_request *request)
{
    ask(router, request, SWEEP_PURGE, http_request_body(request));
}
