/* workers/c/invocation.h - one run of a function, from its request to its response.
 * Rules: the io thread makes it, decodes the request into it and encodes the response out of it; in
 * between it belongs to the function. The handle that functions are given is a pointer to it. */
#ifndef WORKER_C_INVOCATION_H
#define WORKER_C_INVOCATION_H

#include <redgrid/function.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/list.h"
#include "wire/rpc.h"

struct exchange;
struct function;

struct redgrid_invocation {
    struct list_node node;   /* in the queue of whoever has it */
    struct list_node active; /* the io thread's: of all that are not answered yet */
    struct exchange *exchange;
    const struct function *function;
    struct arena arena;         /* holds the request, and what the function gave back */
    struct rpc_message request; /* RPC_INVOCATION_REQUEST */
    atomic_bool is_canceled;
    /* 2 while the function runs; its return and redgrid_complete() take one each, and who takes the
     * last hands the invocation back. 0 = over. */
    atomic_int open_ends;
    int result; /* enum redgrid_result */
    bool has_return_value;
    bool is_too_large; /* the arena is full */
    struct slice return_value;
    struct slice error;
    struct output {
        struct slice name;
        struct slice value;
    } * outputs;
    size_t output_count;
    size_t output_cap;
};

struct redgrid_invocation *invocation_new(struct exchange *exchange);
void invocation_free(struct redgrid_invocation *run);
/* invocation_reset makes it ready for the next request; keeps its memory. */
void invocation_reset(struct redgrid_invocation *run);
/* invocation_read copies a frame's content and decodes it into run->request. Errors as
 * rpc_decode(). */
enum err invocation_read(struct redgrid_invocation *run, struct slice frame, struct cause *why);

/* invocation_call runs the function. True if it has ended; false if redgrid_complete() is still to
 * come, and then `run` may be gone already. */
bool invocation_call(struct redgrid_invocation *run);

/* invocation_answer appends the frame of its response. */
void invocation_answer(struct redgrid_invocation *run, struct buf *out);

/* invocation_refuse gives it the outcome of a function that could not be called. */
void invocation_refuse(struct redgrid_invocation *run, const char *error);

#endif
