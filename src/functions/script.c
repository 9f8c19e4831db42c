#include "functions/script.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha1.h"

#define FEW 64
#define NUMBER_MAX_BYTES 24
#define MEMORY_MAX_BYTES ((size_t)4 << 30) /* copies of arguments, each REDIS_COPY_MAX at most */

/* --- by script --- */

static enum err eval(struct redis *redis, const char *lua, const struct slice *keys,
                     size_t key_count, const struct slice *args, size_t arg_count,
                     struct redis_call *call)
{
    struct slice few[FEW];
    char number[24];
    size_t count = 3 + key_count + arg_count;
    struct slice *all = count <= FEW ? few : mem_new_array(count, struct slice);
    int len = snprintf(number, sizeof number, "%zu", key_count);

    all[0] = SLICE("EVAL");
    all[1] = slice_of(lua);
    all[2] = (struct slice){number, (size_t)len};
    memcpy(all + 3, keys, key_count * sizeof *keys);
    if (arg_count > 0)
        memcpy(all + 3 + key_count, args, arg_count * sizeof *args);
    enum err err = redis_call(redis, all, count, call);
    if (all != few)
        free(all);
    return err;
}

/* --- by plain commands --- */

struct plain_call {
    struct redis_call call;
    struct plain *program;
    size_t place; /* in replies */
};

static void plain_free(struct plain *p)
{
    plain_forget(p);
    free(p->replies);
    arena_done(&p->memory);
    free(p);
}

/* The reply is lent, as a connection lends it. */
static void finish(struct plain *p)
{
    struct redis_call *call = p->call;
    struct reply reply = {.refs = 1, .root = p->root};
    bool is_error = p->root != NULL && p->root->type == RESP_ERROR;
    enum err err = p->err != E_OK ? p->err : is_error ? E_REDIS : E_OK;

    if (is_error && p->err == E_OK)
        (void)cause_set(&p->why, err, "%.*s", SLICE_ARG(p->root->text));
    call->op.why = p->why;
    call->reply = p->err == E_OK ? &reply : NULL;
    op_end(&call->op, err);
    assert(reply.refs == 1);
    plain_free(p);
}

/* Calls the program for its next round. */
static void go_on(struct plain *p)
{
    p->round_end = p->reply_count;
    p->takes_errors = false;
    p->script->plain(p);
    p->round_at = p->round_end;
    assert(p->pending > 0 || p->root != NULL || p->err != E_OK);
}

static void judge_round(struct plain *p)
{
    for (size_t i = p->round_at; !p->takes_errors && p->err == E_OK && i < p->reply_count; i++)
        if (p->root == NULL && p->replies[i]->root->type == RESP_ERROR)
            p->root = p->replies[i]->root;
    if (p->err == E_OK && p->root == NULL)
        go_on(p);
    if (p->pending == 0)
        finish(p);
}

static void on_call_done(struct op *op, enum err err)
{
    struct plain_call *one = container_of(op, struct plain_call, call.op);
    struct plain *p = one->program;

    if (one->call.reply != NULL)
        p->replies[one->place] = reply_ref(one->call.reply);
    else if (p->err == E_OK)
        p->err = cause_set(&p->why, err, "%s", op->why.text);
    free(one);
    if (--p->pending == 0)
        judge_round(p);
}

void plain_ask(struct plain *p, const struct slice *args, size_t count)
{
    struct plain_call *one = mem_new(struct plain_call);

    if (p->reply_count == p->reply_cap) {
        p->reply_cap = p->reply_cap == 0 ? 8 : p->reply_cap * 2;
        p->replies = mem_resize(p->replies, p->reply_cap, sizeof(struct reply *));
    }
    one->program = p;
    one->place = p->reply_count;
    one->call.op.done = on_call_done;
    enum err err = p->err != E_OK ? p->err : redis_call(p->redis, args, count, &one->call);
    if (err == E_OK) {
        p->replies[p->reply_count++] = NULL;
        p->pending++;
        return;
    }
    if (p->err == E_OK) /* what has left already is waited for */
        p->err = cause_set(&p->why, err, "%s", one->call.op.why.text);
    free(one);
}

const struct resp *plain_reply(const struct plain *p, size_t index)
{
    assert(p->round_at + index < p->round_end);
    return p->replies[p->round_at + index]->root;
}

void plain_forget(struct plain *p)
{
    assert(p->pending == 0);
    for (size_t i = 0; i < p->reply_count; i++)
        reply_unref(p->replies[i]);
    p->reply_count = p->round_at = p->round_end = 0;
}

void *plain_memory(struct plain *p, size_t count, size_t size)
{
    void *memory = arena_alloc(&p->memory, count, size);

    assert(memory != NULL); /* far below the limit */
    return memory;
}

struct slice plain_number(struct plain *p, int64_t number)
{
    char *text = plain_memory(p, NUMBER_MAX_BYTES, 1);
    return (struct slice){text, (size_t)snprintf(text, NUMBER_MAX_BYTES, "%" PRId64, number)};
}

struct slice plain_digest(struct plain *p, struct slice text)
{
    char *digest = plain_memory(p, SHA1_HEX_BYTES, 1);

    sha1_hex(text, digest);
    return (struct slice){digest, SHA1_HEX_BYTES};
}

int64_t plain_int_of_text(struct slice text)
{
    int64_t value = 0;

    return slice_to_i64(text, &value) ? value : 0;
}

int64_t plain_int(const struct resp *node)
{
    int64_t value = 0;

    return resp_int(node, &value) ? value : 0;
}

struct resp plain_int_node(int64_t number)
{
    return (struct resp){.type = RESP_INTEGER, .span = 1, .integer = number};
}

struct resp plain_array_node(size_t count)
{
    return (struct resp){.type = RESP_ARRAY, .count = (uint32_t)count, .span = (uint32_t)count + 1};
}

int64_t plain_now_ms(const struct resp *time)
{
    if (time->type != RESP_ARRAY || time->count != 2)
        return 0;
    return plain_int(resp_child(time, 0)) * 1000 + plain_int(resp_child(time, 1)) / 1000;
}

void plain_end(struct plain *p, int64_t number)
{
    struct resp *root = plain_memory(p, 1, sizeof *root);

    *root = plain_int_node(number);
    p->root = root;
}

void plain_end_with(struct plain *p, const struct resp *root)
{
    p->root = root;
}

void plain_fail(struct plain *p, enum err err, const char *text)
{
    p->err = cause_set(&p->why, err, "%s", text);
}

/* Short ones are copied, as redis_call() does; long ones are borrowed until the end anyway. */
static const struct slice *copy(struct plain *p, const struct slice *from, size_t count)
{
    struct slice *to = arena_array(&p->memory, count, struct slice);

    for (size_t i = 0; to != NULL && i < count; i++) {
        to[i] = from[i];
        if (from[i].len <= REDIS_COPY_MAX)
            to[i] = arena_copy(&p->memory, from[i]);
        if (to[i].data == NULL)
            p->err = E_LIMIT;
    }
    if (to == NULL)
        p->err = E_LIMIT;
    return to;
}

static enum err plain_start(struct redis *redis, const struct script *script,
                            const struct slice *keys, size_t key_count, const struct slice *args,
                            size_t arg_count, struct redis_call *call)
{
    struct plain *p = mem_new(struct plain);

    p->redis = redis;
    p->script = script;
    p->call = call;
    p->key_count = key_count;
    p->arg_count = arg_count;
    arena_init(&p->memory, MEMORY_MAX_BYTES);
    p->keys = copy(p, keys, key_count);
    p->args = copy(p, args, arg_count);
    if (p->err == E_OK)
        go_on(p);
    if (p->pending == 0) {
        enum err err = cause_set(&call->op.why, p->err, "%s", p->why.text);
        plain_free(p);
        return err;
    }
    op_begin(&call->op, NULL, p);
    call->reply = NULL;
    return E_OK;
}

enum err script_call(struct redis *redis, const struct script *script, const struct slice *keys,
                     size_t key_count, const struct slice *args, size_t arg_count,
                     struct redis_call *call)
{
    if (!redis_is_ready(redis) || redis_can(redis, REDIS_SCRIPTS))
        return eval(redis, script->lua, keys, key_count, args, arg_count, call);
    if (script->plain == NULL)
        return cause_set(&call->op.why, E_UNSUPPORTED, "%s: it refuses scripts", redis_name(redis));
    return plain_start(redis, script, keys, key_count, args, arg_count, call);
}
