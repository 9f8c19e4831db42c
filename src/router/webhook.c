#include "router/webhook.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/write.h"
#include "http/client.h"
#include "router/headers.h"
#include "router/identity.h"
#include "router/targets.h"

#define BODY_MAX_BYTES (64u * 1024 * 1024)
#define SIGNATURE_MAX_BYTES 256
#define TOKEN_KEPT_MS ((uint64_t)IDENTITY_TOKEN_S * 1000 / 2)

struct webhook {
    struct target target;
    const struct targets *targets;
    struct url url;               /* points into the subscription */
    struct buf token;             /* "Bearer ..": empty = none is sent */
    uint64_t token_until_unix_ms; /* then it is made anew */
    unsigned token_round;         /* of the key it was signed with */
};

struct post {
    struct http_call call;
    struct op *op; /* the router's */
    struct parcel_result *ret;
    struct headers headers;
    struct buf body;
    struct slice part;
};

static void post_free(struct post *post)
{
    headers_done(&post->headers);
    buf_done(&post->body);
    free(post);
}

static uint64_t retry_after_ms(const struct http_call *call)
{
    struct slice text = http_call_header(call, SLICE("Retry-After"));
    uint64_t ms = 0;

    if (text.data != NULL && (call->status == 429 || call->status == 503))
        (void)retry_after_parse(text, clock_unix_ms(), &ms);
    return ms;
}

static void on_posted(struct op *op, enum err err)
{
    struct post *post = container_of(op, struct post, call.op);
    struct op *waiting = post->op;
    unsigned status = err == E_OK ? (unsigned)post->call.status : 0;

    waiting->why = op->why;
    if (err != E_CANCELED)
        *post->ret =
            (struct parcel_result){.outcome = outcome_of(status, err),
                                   .http_status = status,
                                   .retry_after_ms = err == E_OK ? retry_after_ms(&post->call) : 0};
    post_free(post);
    op_end(waiting, err == E_CANCELED ? E_CANCELED : E_OK);
}

static void on_abort(struct op *op)
{
    struct post *post = op->runner;
    op_abort(&post->call.op);
}

static void write_body(struct buf *out, const struct parcel *parcel)
{
    const struct subscription *subscription = parcel->subscription;
    bool is_object =
        subscription->delivery == SCHEMA_CLOUD_EVENT && subscription->destination.batch_events == 1;

    if (is_object)
        event_write(out, parcel->events[0], subscription->delivery, NULL);
    else
        event_write_all(out, parcel->events, parcel->count, subscription->delivery);
}

/* Signing takes longer than all the rest, so one token serves many attempts. */
static void add_token(struct webhook *webhook, const struct parcel *parcel, struct headers *headers)
{
    uint64_t now_unix_ms = clock_unix_ms();

    if (now_unix_ms >= webhook->token_until_unix_ms ||
        webhook->token_round != identity_round(webhook->targets->identity)) {
        buf_clear(&webhook->token);
        webhook->token_round = identity_round(webhook->targets->identity);
        webhook->token_until_unix_ms =
            identity_write_bearer(&webhook->token, webhook->targets->identity,
                                  &parcel->subscription->destination, now_unix_ms / 1000)
                ? now_unix_ms + TOKEN_KEPT_MS
                : UINT64_MAX;
    }
    if (webhook->token.len > 0)
        headers_add(headers, SLICE("Authorization"), buf_slice(&webhook->token));
}

static void add_signature(struct headers *headers, const struct parcel *parcel, struct slice body)
{
    const struct signing *signing = &parcel->subscription->destination.signing;
    uint64_t now_unix_s = clock_unix_ms() / 1000;
    struct buf text;

    if (!signing->is_enabled)
        return;
    headers_add(headers, SLICE("webhook-id"), parcel->id);
    buf_init(&text, SIGNATURE_MAX_BYTES);
    buf_add_u64(&text, now_unix_s);
    headers_add(headers, SLICE("webhook-timestamp"), buf_slice(&text));
    buf_clear(&text);
    signing_sign(&text, signing, &(struct signed_message){parcel->id, now_unix_s, body});
    headers_add(headers, SLICE("webhook-signature"), buf_slice(&text));
    buf_done(&text);
}

static enum err webhook_deliver(struct target *target, const struct parcel *parcel,
                                struct parcel_result *ret, struct op *op)
{
    struct webhook *webhook = container_of(target, struct webhook, target);
    struct post *post = mem_new(struct post);

    post->op = op;
    post->ret = ret;
    buf_init(&post->body, BODY_MAX_BYTES);
    write_body(&post->body, parcel);
    post->part = buf_slice(&post->body);
    headers_init(&post->headers, parcel);
    add_token(webhook, parcel, &post->headers);
    add_signature(&post->headers, parcel, post->part);
    headers_end(&post->headers);
    post->call = (struct http_call){.op.done = on_posted,
                                    .method = SLICE("POST"),
                                    .url = webhook->url,
                                    .headers = post->headers.fields,
                                    .header_count = post->headers.count,
                                    .body = &post->part,
                                    .body_count = 1,
                                    .timeout_ms = webhook->targets->timeout_ms > 0
                                                      ? webhook->targets->timeout_ms
                                                      : WEBHOOK_TIMEOUT_MS};
    enum err err = buf_err(&post->body);
    if (err == E_OK)
        err = http_send(webhook->targets->http, &post->call);
    if (err != E_OK) {
        op->why = post->call.op.why;
        post_free(post);
        return err;
    }
    op_begin(op, on_abort, post);
    return E_OK;
}

enum err webhook_new(const struct targets *targets, const struct subscription *subscription,
                     struct target **ret, struct cause *why)
{
    struct url url;
    enum err err = url_parse(slice_of(subscription->destination.url), &url, why);

    if (err != E_OK)
        return err;
    struct webhook *webhook = mem_new(struct webhook);
    *webhook = (struct webhook){.target.deliver = webhook_deliver, .targets = targets, .url = url};
    buf_init(&webhook->token, IDENTITY_BEARER_MAX_BYTES);
    *ret = &webhook->target;
    return E_OK;
}

void webhook_free(struct target *target)
{
    struct webhook *webhook = container_of(target, struct webhook, target);

    buf_done(&webhook->token);
    free(webhook);
}
