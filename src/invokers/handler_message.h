/* invokers/handler_message.h - what a custom handler is sent and what it answers, as JSON. Pure
 * but for the clock and chance in "sys". Behaviour: functions.md 14.1 and 14.2. */
#ifndef INVOKERS_HANDLER_MESSAGE_H
#define INVOKERS_HANDLER_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "invokers/invoker.h"
#include "json/json.h"

/* handler_write_request appends the body for one run. Ask buf_err(out) afterwards. */
void handler_write_request(struct buf *out, const struct invocation *run);

/* An answer, read. What it points to is its own, or borrowed from the body's run. */
struct handler_answer {
    struct rpc_named *outputs;
    size_t output_count;
    struct rpc_data return_value;
    const json_t *logs; /* an array, or NULL */
    json_t *root;
    struct arena texts; /* what had to be written anew */
};

/* handler_read_answer reads the body of a 2xx answer. E_OK and *ret, handler_answer_done() ends it;
 * an empty body and null are answers without anything. E_FAILED: not what a handler answers, text
 * in why, *ret untouched. */
enum err handler_read_answer(struct slice body, struct slice content_type,
                             const struct function *function, struct handler_answer *ret,
                             struct cause *why);
void handler_answer_done(struct handler_answer *answer);

#endif
