#include "invocation.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "exchange.h"
#include "library.h"

/* A request of the largest size, its parts, and results as large. */
#define ARENA_MAX_BYTES ((size_t)4 * RPC_MESSAGE_MAX_BYTES)

struct redgrid_invocation *invocation_new(struct exchange *exchange)
{
    struct redgrid_invocation *run = mem_new(struct redgrid_invocation);

    run->exchange = exchange;
    arena_init(&run->arena, ARENA_MAX_BYTES);
    return run;
}

void invocation_free(struct redgrid_invocation *run)
{
    if (run == NULL)
        return;
    arena_done(&run->arena);
    free(run->outputs);
    free(run);
}

void invocation_reset(struct redgrid_invocation *run)
{
    arena_reset(&run->arena);
    run->function = NULL;
    atomic_store_explicit(&run->is_canceled, false, memory_order_relaxed);
    run->result = REDGRID_OK;
    run->has_return_value = false;
    run->is_too_large = false;
    run->return_value = run->error = SLICE_NONE;
    run->output_count = 0;
}

enum err invocation_read(struct redgrid_invocation *run, struct slice frame, struct cause *why)
{
    struct slice copy = arena_copy(&run->arena, frame);

    if (copy.data == NULL)
        return cause_set(why, E_LIMIT, "a message of %zu bytes", frame.len);
    return rpc_decode(copy, &run->arena, &run->request, why);
}

/* Ends. */

static bool take_end(struct redgrid_invocation *run)
{
    int open = atomic_fetch_sub(&run->open_ends, 1);
    if (open <= 0) {
        fprintf(stderr, "redgrid_complete() was called for an invocation that is over\n");
        abort(); /* it may be another one's by now */
    }
    return open == 1;
}

bool invocation_call(struct redgrid_invocation *run)
{
    atomic_store_explicit(&run->open_ends, 2, memory_order_relaxed);
    int result = run->function->call(run);
    if (result == REDGRID_LATER)
        return take_end(run);
    run->result = result;
    atomic_store_explicit(&run->open_ends, 0, memory_order_relaxed);
    return true;
}

void redgrid_complete(struct redgrid_invocation *run, int result)
{
    run->result = result;
    if (take_end(run))
        exchange_done(run->exchange, run, true);
}

void invocation_refuse(struct redgrid_invocation *run, const char *error)
{
    run->result = REDGRID_FAILED;
    run->error = arena_copy(&run->arena, slice_of(error));
}

/* The response. */

static struct rpc_data data_of(struct slice value)
{
    return (struct rpc_data){.kind = utf8_is_valid(value) ? RPC_STRING : RPC_BYTES, .text = value};
}

static bool is_first_of_name(const struct redgrid_invocation *run, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (slice_eq(run->outputs[i].name, run->outputs[index].name))
            return false;
    return true;
}

/* All values of the output at `index`: one as it is, several as a collection. False if the arena is
 * full. */
static bool gather_output(struct redgrid_invocation *run, size_t index, struct rpc_named *ret)
{
    struct slice name = run->outputs[index].name;
    size_t count = 0;
    bool is_text = true;

    for (size_t i = index; i < run->output_count; i++)
        count += slice_eq(run->outputs[i].name, name);
    *ret = (struct rpc_named){name, data_of(run->outputs[index].value)};
    if (count == 1)
        return true;
    struct slice *items = arena_array(&run->arena, count, struct slice);
    if (items == NULL)
        return false;
    for (size_t i = index, at = 0; i < run->output_count; i++) {
        if (!slice_eq(run->outputs[i].name, name))
            continue;
        items[at++] = run->outputs[i].value;
        is_text = is_text && utf8_is_valid(run->outputs[i].value);
    }
    ret->data = (struct rpc_data){
        .kind = is_text ? RPC_STRINGS : RPC_BYTES_LIST, .items = items, .item_count = count};
    return true;
}

static bool gather_outputs(struct redgrid_invocation *run, struct rpc_names *ret)
{
    if (run->output_count == 0)
        return true;
    struct rpc_named *named = arena_array(&run->arena, run->output_count, struct rpc_named);
    if (named == NULL)
        return false;
    ret->items = named;
    for (size_t i = 0; i < run->output_count; i++)
        if (is_first_of_name(run, i) && !gather_output(run, i, &named[ret->count++]))
            return false;
    return true;
}

static struct slice error_of(struct redgrid_invocation *run, struct buf *text)
{
    if (run->error.data != NULL)
        return run->error;
    buf_addf(text, "the function returned %d", run->result);
    return buf_slice(text);
}

static void add_failure(struct redgrid_invocation *run, struct slice error, struct buf *out)
{
    bool is_canceled = atomic_load_explicit(&run->is_canceled, memory_order_relaxed);
    struct rpc_message response = {
        .request_id = run->request.request_id,
        .type = RPC_INVOCATION_RESPONSE,
        .invocation_response = {
            .invocation_id = run->request.invocation_request.invocation_id,
            .result = {.status = is_canceled ? RPC_CANCELLED : RPC_FAILURE,
                       .exception = {.is_set = true,
                                     .is_user_exception = run->function != NULL,
                                     .source = slice_of(run->function ? run->function->name : ""),
                                     .message = error}}}};
    rpc_frame_add(out, RPC_FRAME_PLAIN, &response);
}

/* False, with `out` as it was, if that is larger than a message may be. */
static bool add_success(struct redgrid_invocation *run, struct buf *out)
{
    struct rpc_message response = {
        .request_id = run->request.request_id,
        .type = RPC_INVOCATION_RESPONSE,
        .invocation_response = {.invocation_id = run->request.invocation_request.invocation_id,
                                .result = {.status = RPC_SUCCESS}}};
    size_t before = out->len;

    if (run->is_too_large || !gather_outputs(run, &response.invocation_response.outputs))
        return false;
    if (run->has_return_value)
        response.invocation_response.return_value = data_of(run->return_value);
    rpc_frame_add(out, RPC_FRAME_PLAIN, &response);
    if (out->missed || out->len - before <= RPC_MESSAGE_MAX_BYTES)
        return true;
    out->len = before;
    return false;
}

void invocation_answer(struct redgrid_invocation *run, struct buf *out)
{
    struct buf text;

    if (run->result == REDGRID_OK && add_success(run, out))
        return;
    buf_init(&text, 64);
    if (run->result == REDGRID_OK)
        add_failure(run, SLICE("the outputs are larger than 256 MiB"), out);
    else
        add_failure(run, error_of(run, &text), out);
    buf_done(&text);
}
