#include "arm/cache_routes.h"

#include <stdlib.h>
#include <string.h>

#include "arm/accepted.h"
#include "arm/arm_internal.h"
#include "arm/scope.h"
#include "base/mem.h"
#include "caches/caches.h"
#include "json/scan.h"

/* A request for a change, until it is stored. */
struct asking {
    struct caches_request request;
    struct arm *arm;
    struct http_request *http;
    char *id; /* of the cache */
    void (*answer)(struct asking *asking);
};

/* ---- answering ---- */

/* Later than the call. */
static void tell_not_found(struct arm *arm, struct http_request *http, struct slice id)
{
    arm_not_found(&(struct arm_call){.arm = arm, .router = arm->router, .request = http}, id);
}

static void fail(const struct asking *asking, enum err err, const struct cause *why)
{
    static const struct answer_row rows[] = {
        {E_BAD_INPUT, 400, "InvalidRequestContent"},
        {E_LIMIT, 400, "InvalidRequestContent"},
        {E_UNSUPPORTED, 400, "NotSupported"},
        {E_EXISTS, 409, "Conflict"},
        {E_FULL, 409, "QuotaExceeded"},
        {E_CLOSED, 503, "ServiceUnavailable"},
        {E_TIMEOUT, 503, "ServiceUnavailable"},
        {E_CANCELED, 503, "ServiceUnavailable"},
    };

    if (err == E_NOT_FOUND)
        tell_not_found(asking->arm, asking->http, slice_of(asking->id));
    else if (!answer_failure(asking->http, rows, COUNT_OF(rows), err, why))
        answer_error(asking->http, 500, "InternalServerError", "%s", cause_text(why, err));
}

static void drop(struct asking *asking)
{
    free(asking->id);
    free(asking);
}

static void on_stored(struct op *op, enum err err)
{
    struct asking *asking = container_of(op, struct asking, request.op);

    if (err != E_OK)
        fail(asking, err, &op->why);
    else
        asking->answer(asking);
    drop(asking);
}

static struct asking *ask(const struct arm_call *call, struct slice id,
                          void (*answer)(struct asking *asking))
{
    struct asking *asking = mem_new(struct asking);

    asking->request.op.done = on_stored;
    asking->arm = call->arm;
    asking->http = call->request;
    asking->id = slice_dup(id);
    asking->answer = answer;
    return asking;
}

static void asked(struct asking *asking, enum err err)
{
    if (err == E_OK)
        return;
    fail(asking, err, &asking->request.op.why);
    drop(asking);
}

static struct accepted accepted(const struct asking *asking, enum accepted_form form, int status)
{
    return (struct accepted){form, status, slice_of(asking->id),
                             slice_of(asking->request.operation)};
}

/* The cache as it is now. Its poll tells the rest, unless there is nothing to wait for. */
static void answer_cache(struct asking *asking)
{
    bool is_put = slice_eq(http_request_method(asking->http), SLICE("PUT"));
    struct accepted answer = accepted(asking, ACCEPTED_CACHE, asking->request.is_new ? 201 : 200);
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    if (!caches_write(asking->arm->caches, slice_of(asking->id), is_put, &body)) {
        buf_done(&body);
        tell_not_found(asking->arm, asking->http, slice_of(asking->id));
    } else if (asking->request.operation[0] != '\0') {
        accepted_answer(asking->http, &answer, &body);
    } else {
        answer_json(asking->http, answer.status, &body);
    }
}

static void answer_accepted(struct asking *asking)
{
    struct accepted answer = accepted(asking, ACCEPTED_ACTION, 202);

    accepted_answer(asking->http, &answer, NULL);
}

/* Azure's clients take it for done; ours wait for the operation that it names too. */
static void answer_reboot(struct asking *asking)
{
    struct accepted answer = accepted(asking, ACCEPTED_ACTION, 200);
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    member_text(&body, "message",
                SLICE("The requested reboot operation has been successfully scheduled."));
    buf_add(&body, SLICE("}\n"));
    accepted_answer(asking->http, &answer, &body);
}

static void answer_keys(struct arm *arm, struct http_request *http, struct slice id)
{
    char primary[ACCESS_KEY_TEXT_MAX], secondary[ACCESS_KEY_TEXT_MAX];
    struct buf body;

    if (!caches_key(arm->caches, id, 0, primary) || !caches_key(arm->caches, id, 1, secondary)) {
        tell_not_found(arm, http, id);
        return;
    }
    buf_init(&body, ANSWER_MAX_BYTES);
    member_text(&body, "primaryKey", slice_of(primary));
    member_text(&body, "secondaryKey", slice_of(secondary));
    buf_add(&body, SLICE("}\n"));
    answer_json(http, 200, &body);
}

static void answer_new_keys(struct asking *asking)
{
    answer_keys(asking->arm, asking->http, slice_of(asking->id));
}

/* ---- looking ---- */

void arm_caches_get(const struct arm_call *call)
{
    struct slice group = arm_name(call, "group"), id;
    struct buf body, one;

    buf_init(&body, ANSWER_MAX_BYTES);
    buf_init(&one, ANSWER_MAX_BYTES);
    buf_add(&body, SLICE("{\"value\":["));
    bool is_first = true;
    for (size_t at = 0; caches_next(call->arm->caches, &at, &id);) {
        bool is_wanted = slice_eq_nocase(arm_id_subscription(id), arm_name(call, "subscription")) &&
                         (group.data == NULL || slice_eq_nocase(arm_id_group(id), group));
        buf_clear(&one);
        if (!is_wanted || !caches_write(call->arm->caches, id, false, &one))
            continue;
        buf_add(&body, is_first ? SLICE("") : SLICE(","));
        buf_add(&body, slice_trim(buf_slice(&one)));
        is_first = false;
    }
    buf_add(&body, SLICE("]}\n"));
    buf_done(&one);
    arm_ok(call, &body);
}

void arm_cache_get(const struct arm_call *call)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    if (caches_write(call->arm->caches, arm_id(call), false, &body)) {
        arm_ok(call, &body);
        return;
    }
    buf_done(&body);
    arm_not_found(call, arm_id(call));
}

void arm_cache_none(const struct arm_call *call)
{
    struct buf body;

    buf_init(&body, ANSWER_MAX_BYTES);
    if (!caches_write(call->arm->caches, arm_parent(call), false, &body)) {
        buf_done(&body);
        arm_not_found(call, arm_parent(call));
        return;
    }
    buf_clear(&body);
    buf_add(&body, SLICE("{\"value\":[]}\n"));
    arm_ok(call, &body);
}

void arm_cache_keys(const struct arm_call *call)
{
    answer_keys(call->arm, call->request, arm_parent(call));
}

/* ---- changing ---- */

/* A member of the body; SLICE_NONE for none and null. False, and answered, if it is of the wrong
 * kind. */
static bool read_object(const struct arm_call *call, struct slice body, const char *name,
                        struct slice *ret)
{
    struct slice value = jx_scan_member(body, slice_of(name));

    *ret = slice_eq(value, SLICE("null")) ? SLICE_NONE : value;
    if (ret->data == NULL || ret->data[0] == '{')
        return true;
    answer_error(call->request, 400, "InvalidRequestContent", "%s: is not an object", name);
    return false;
}

static void change(const struct arm_call *call, struct slice id, bool is_patch)
{
    struct cache_wish wish = {.id = id, .is_patch = is_patch};
    struct slice body, location;
    struct buf text;

    if (!arm_body(call, &body) || !read_object(call, body, "tags", &wish.tags) ||
        !read_object(call, body, "properties", &wish.properties))
        return;
    buf_init(&text, ANSWER_MAX_BYTES);
    location = jx_scan_member(body, SLICE("location"));
    if (location.len > 0 && location.data[0] == '"') {
        jx_scan_add_string(&text, location);
        wish.location = buf_slice(&text);
    }
    struct asking *asking = ask(call, wish.id, answer_cache);
    asked(asking, caches_put(call->arm->caches, &wish, &asking->request));
    buf_done(&text);
}

void arm_cache_put(const struct arm_call *call)
{
    struct buf id;

    buf_init(&id, ARM_PATH_MAX_BYTES);
    if (arm_new_id(call, &id))
        change(call, buf_slice(&id), false);
    buf_done(&id);
}

void arm_cache_patch(const struct arm_call *call)
{
    change(call, arm_id(call), true);
}

void arm_cache_delete(const struct arm_call *call)
{
    struct buf none;

    buf_init(&none, ANSWER_MAX_BYTES);
    bool is_there = caches_write(call->arm->caches, arm_id(call), false, &none);
    buf_done(&none);
    if (!is_there) {
        arm_empty(call, 204);
        return;
    }
    struct asking *asking = ask(call, arm_id(call), answer_accepted);
    asked(asking, caches_delete(call->arm->caches, arm_id(call), &asking->request));
}

void arm_cache_act(const struct arm_call *call)
{
    struct slice action = arm_id_name(arm_id(call)), body;
    static const char *const kinds[] = {"export", "import", "flush", "patch", "failover"};
    const char *kind = slice_eq_nocase(action, SLICE("forceReboot")) ? "reboot" : NULL;

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (slice_eq_nocase(action, slice_of(kinds[i])))
            kind = kinds[i];
    if (!arm_body(call, &body))
        return;
    struct asking *asking =
        ask(call, arm_parent(call), strcmp(kind, "reboot") == 0 ? answer_reboot : answer_accepted);
    asked(asking, caches_act(call->arm->caches, arm_parent(call), kind, body, &asking->request));
}

void arm_cache_regenerate(const struct arm_call *call)
{
    struct slice body, text;

    if (!arm_body(call, &body))
        return;
    text = jx_scan_member(body, SLICE("keyType"));
    bool is_primary = jx_scan_is_text_nocase(text, SLICE("Primary"));
    if (!is_primary && !jx_scan_is_text_nocase(text, SLICE("Secondary"))) {
        answer_error(call->request, 400, "InvalidRequestContent",
                     "keyType: is not 'Primary' or 'Secondary'");
        return;
    }
    bool disconnects = slice_eq(jx_scan_member(body, SLICE("disconnect")), SLICE("true"));
    struct asking *asking = ask(call, arm_parent(call), answer_new_keys);
    asked(asking, caches_regenerate(call->arm->caches, arm_parent(call), is_primary ? 0 : 1,
                                    disconnects, &asking->request));
}
