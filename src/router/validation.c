/* ASK --passed, manual, or failed twice--> (ended)
 *  |------failed for the first time------> PAUSE --> ASK */
#include "router/validation.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "http/client.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define BODY_MAX_BYTES (64 * 1024)
#define CALL_HEADERS 5

struct validation {
    struct loop *loop;
    struct http_client *http;
    struct op *op; /* the owner's */
    struct validation_result *ret;
    struct http_call call;
    struct http_header headers[CALL_HEADERS];
    char *endpoint, *code, *callback, *name, *token;
    struct buf body;
    struct slice part;
    struct timer *timer;
    struct op pause;
    uint32_t retry_ms;
    bool is_notice, is_cloud_event;
    bool was_asked, is_aborted;
};

static void end(struct validation *v, enum err err)
{
    struct op *op = v->op;

    timer_free(v->timer);
    buf_done(&v->body);
    free(v->endpoint);
    free(v->code);
    free(v->callback);
    free(v->name);
    free(v->token);
    free(v);
    op_end(op, err);
}

static void ask(struct validation *v);

static void on_paused(struct op *op, enum err err)
{
    struct validation *v = container_of(op, struct validation, pause);

    (void)err;
    if (v->is_aborted)
        end(v, E_CANCELED);
    else
        ask(v);
}

/* The endpoint's query may hold a secret. */
static void tell_failure(struct validation *v, unsigned status, const char *why)
{
    struct slice shown = slice_of(v->endpoint);
    char code[16] = "Unknown";

    shown = slice_first(shown, slice_find_byte(shown, '?'));
    if (status != 0)
        snprintf(code, sizeof code, "%u", status);
    (void)cause_set(&v->ret->why, E_DENIED,
                    "Webhook validation handshake failed for %.*s. Http %s request failed with "
                    "response code %s%s%s. For troubleshooting, visit https://aka.ms/esvalidation.",
                    SLICE_ARG(slice_first(shown, 200)), v->is_cloud_event ? "OPTIONS" : "POST",
                    code, why[0] != '\0' ? ": " : "", why);
}

static void judge(struct validation *v, enum err err)
{
    const struct http_call *call = &v->call;
    unsigned status = err == E_OK ? (unsigned)call->status : 0;
    struct slice body = err == E_OK ? call->response : SLICE_NONE;

    v->ret->verdict =
        v->is_cloud_event
            ? handshake_judge_options(
                  status, status != 0 ? http_call_header(call, SLICE("WebHook-Allowed-Origin"))
                                      : SLICE_NONE)
            : handshake_judge_post(status, body, slice_of(v->code));
    if (v->ret->verdict != HANDSHAKE_FAILED)
        return;
    if (err != E_OK)
        tell_failure(v, 0, cause_text(&call->op.why, err));
    else if (v->is_cloud_event && status / 100 == 2)
        tell_failure(v, status, "it allows other origins only");
    else if (status == 200)
        tell_failure(v, status, "it does not send the validation code back");
    else
        tell_failure(v, status, "");
}

static void on_answered(struct op *op, enum err err)
{
    struct validation *v = container_of(op, struct validation, call.op);

    if (v->is_aborted) {
        end(v, E_CANCELED);
        return;
    }
    if (v->is_notice) {
        v->op->why = op->why;
        end(v, err);
        return;
    }
    judge(v, err);
    if (v->ret->verdict != HANDSHAKE_FAILED || v->was_asked) {
        end(v, E_OK);
        return;
    }
    v->was_asked = true;
    v->pause = (struct op){.done = on_paused};
    timer_wait(v->timer, v->retry_ms, &v->pause);
}

static void set_headers(struct validation *v)
{
    const struct http_header event[] = {
        {SLICE("Content-Type"), SLICE("application/json; charset=utf-8")},
        {SLICE("aeg-event-type"),
         v->is_notice ? SLICE("SubscriptionDeletion") : SLICE("SubscriptionValidation")},
        {SLICE("aeg-subscription-name"), slice_of(v->name)},
        {SLICE("aeg-metadata-version"), SLICE("1")},
        {SLICE("Authorization"), slice_of(v->token)},
    };
    const struct http_header options[] = {
        {SLICE("WebHook-Request-Origin"), SLICE(HANDSHAKE_ORIGIN)},
        {SLICE("WebHook-Request-Callback"), slice_of(v->callback)},
        {SLICE("Origin"), SLICE(HANDSHAKE_ORIGIN)},
        {SLICE("aeg-subscription-name"), slice_of(v->name)},
        {SLICE("Authorization"), slice_of(v->token)},
    };
    for (size_t i = 0; i < CALL_HEADERS; i++)
        v->headers[i] = v->is_cloud_event ? options[i] : event[i];
}

static void ask(struct validation *v)
{
    struct cause why = {0};

    v->call =
        (struct http_call){.op.done = on_answered,
                           .method = v->is_cloud_event ? SLICE("OPTIONS") : SLICE("POST"),
                           .headers = v->headers,
                           .header_count = CALL_HEADERS - (v->token[0] == '\0'), /* the last */
                           .body = &v->part,
                           .body_count = v->part.len > 0,
                           .timeout_ms = v->is_notice ? NOTICE_TIMEOUT_MS : VALIDATION_TIMEOUT_MS};
    enum err err = url_parse(slice_of(v->endpoint), &v->call.url, &why);
    if (err == E_OK)
        err = http_send(v->http, &v->call);
    if (err == E_OK)
        return;
    if (why.text[0] != '\0')
        v->call.op.why = why;
    loop_later(v->loop, &v->call.op, err);
}

static void on_abort(struct op *op)
{
    struct validation *v = op->runner;

    v->is_aborted = true;
    op_abort(&v->call.op);
    op_abort(&v->pause);
}

static void begin(struct validation *v, const struct validation_options *options, struct op *op)
{
    v->loop = options->loop;
    v->http = options->http;
    v->retry_ms = options->retry_ms;
    v->endpoint = slice_dup(options->endpoint);
    v->code = slice_dup(options->code);
    v->callback = slice_dup(options->callback);
    v->name = slice_dup(options->name);
    v->token = slice_dup(options->token);
    for (char *at = v->name; *at != '\0'; at++)
        *at = upper_of(*at);
    v->timer = timer_new(options->loop, NULL, NULL);
    v->op = op;
    op_begin(op, on_abort, v);
    struct id id = id_next();
    const struct handshake handshake = {id_slice(&id), options->scope, slice_of(v->code),
                                        slice_of(v->callback)};
    buf_init(&v->body, BODY_MAX_BYTES);
    if (v->is_notice)
        handshake_write_deleted(&v->body, &handshake, clock_unix_us());
    else if (!v->is_cloud_event)
        handshake_write(&v->body, &handshake, clock_unix_us());
    v->part = buf_slice(&v->body);
    set_headers(v);
    ask(v);
}

void validation_start(const struct validation_options *options, struct validation_result *ret,
                      struct op *op)
{
    struct validation *v = mem_new(struct validation);

    v->ret = ret;
    v->is_cloud_event = options->is_cloud_event;
    begin(v, options, op);
}

void validation_notify(const struct validation_options *options, struct op *op)
{
    struct validation *v = mem_new(struct validation);

    v->is_notice = true;
    begin(v, options, op);
}
