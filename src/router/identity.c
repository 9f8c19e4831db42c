#include "router/identity.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/token.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "store/secret.h"

#define URL_MAX_BYTES 4096
#define AGAIN_MS 1000

struct identity {
    struct loop *loop;
    struct redis *redis;
    struct token_key *key;
    struct buf issuer;
    unsigned round; /* of keys */
    struct redis_call call;
    struct timer *timer;
    struct op *stopped;
    bool is_stopping;
};

static void take(struct identity *identity, struct slice text)
{
    struct token_key *key = token_key_read(text);

    if (key == NULL) {
        log_error("IDENTITY-BAD",
                  "the store's key for bearer tokens (rg:{meta}:secret:token) cannot "
                  "be read: delete it, and start again; tokens of this node are "
                  "good for nobody else");
        return;
    }
    token_key_free(identity->key);
    identity->key = key;
    identity->round++;
}

static void on_shared(struct op *op, enum err err)
{
    struct identity *identity = container_of(op, struct identity, call.op);

    if (identity->is_stopping) {
        op_end(identity->stopped, E_OK);
        return;
    }
    if (err == E_OK)
        take(identity, identity->call.reply->root->text);
    else
        timer_set(identity->timer, AGAIN_MS);
}

static void share(void *ctx)
{
    struct identity *identity = ctx;
    struct buf text;

    buf_init(&text, SECRET_MAX_BYTES);
    token_key_write(&text, identity->key);
    enum err err = secret_share(identity->redis, SLICE("token"), buf_slice(&text), &identity->call);
    if (err != E_OK)
        loop_later(identity->loop, &identity->call.op, err);
    buf_done(&text);
}

struct identity *identity_start(struct loop *loop, struct redis *redis, const char *url)
{
    struct identity *identity = mem_new(struct identity);

    identity->loop = loop;
    identity->redis = redis;
    identity->key = token_key_new();
    identity->timer = timer_new(loop, share, identity);
    identity->call.op.done = on_shared;
    buf_init(&identity->issuer, URL_MAX_BYTES);
    buf_addf(&identity->issuer, "%s/adfs", url);
    share(identity);
    return identity;
}

void identity_stop(struct identity *identity, struct op *op)
{
    op_begin(op, NULL, identity);
    identity->is_stopping = true;
    identity->stopped = op;
    timer_clear(identity->timer);
    if (identity->call.op.is_busy)
        op_abort(&identity->call.op);
    else
        loop_later(identity->loop, &identity->call.op, E_OK);
}

void identity_free(struct identity *identity)
{
    if (identity == NULL)
        return;
    timer_free(identity->timer);
    token_key_free(identity->key);
    buf_done(&identity->issuer);
    free(identity);
}

void identity_write_token(struct buf *out, const struct identity *identity,
                          const struct identity_request *request)
{
    token_write(out, identity->key,
                &(struct token_claims){.issuer = buf_slice(&identity->issuer),
                                       .audience = request->audience,
                                       .subject = SLICE("redgrid"),
                                       .tenant = request->tenant,
                                       .issued_unix_s = request->now_unix_s,
                                       .expires_unix_s = request->now_unix_s + IDENTITY_TOKEN_S});
}

bool identity_write_bearer(struct buf *out, const struct identity *identity,
                           const struct destination *destination, uint64_t now_unix_s)
{
    if (destination->tenant_id == NULL || destination->application_id == NULL)
        return false;
    buf_add(out, SLICE("Bearer "));
    identity_write_token(
        out, identity,
        &(struct identity_request){.audience = slice_of(destination->application_id),
                                   .tenant = slice_of(destination->tenant_id),
                                   .now_unix_s = now_unix_s});
    return true;
}

unsigned identity_round(const struct identity *identity)
{
    return identity->round;
}

void identity_write_keys(struct buf *out, const struct identity *identity)
{
    token_key_write_set(out, identity->key);
}

struct slice identity_issuer(const struct identity *identity)
{
    return buf_slice(&identity->issuer);
}

enum err identity_verify(const struct identity *identity, struct slice token, struct slice audience,
                         struct cause *why)
{
    return token_verify(identity->key, token, audience, clock_unix_ms() / 1000, why);
}
