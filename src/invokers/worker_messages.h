/* invokers/worker_messages.h - the messages that the host sends to a worker, and how it reads
 * the parts of those that come back. */
#ifndef INVOKERS_WORKER_MESSAGES_H
#define INVOKERS_WORKER_MESSAGES_H

#include "invokers/worker.h"

/* What a worker announced (workers.md 5). Nothing else may be sent to it. */
struct worker_abilities {
    bool collections; /* TypedDataCollection */
    bool status;      /* WorkerStatus */
    bool terminate;   /* HandlesWorkerTerminateMessage */
    bool cancel;      /* HandlesInvocationCancelMessage */
};

struct worker_abilities worker_abilities_of(struct rpc_pairs capabilities);

/* worker_result_text: why a result is no success; a text in any case. */
void worker_result_text(const struct rpc_result *result, struct cause *ret);
/* worker_log_failure logs the stack of a run that failed, if there is one. */
void worker_log_failure(const struct app *app, const struct invocation *run,
                        const struct rpc_exception *exception);

/* worker_plan_find: the place of the function with that id, exact case first, or function_count. */
size_t worker_plan_find(const struct worker_plan *plan, struct slice id);

/* These queue one message. Where nothing is returned, a stream that broke is told by its event. */
void worker_send_init(struct transport *transport, const struct worker_plan *plan);
void worker_send_status(struct transport *transport);
void worker_send_terminate(struct transport *transport, uint32_t grace_ms);
void worker_send_cancel(struct transport *transport, const struct id *id);
/* worker_send_load: E_FAILED with the text in why when the function cannot be loaded. */
enum err worker_send_load(struct transport *transport, const struct worker_function *function,
                          const struct worker_abilities *can, struct cause *why);
/* worker_send_invocation: E_OK, E_LIMIT, E_CLOSED. */
enum err worker_send_invocation(struct transport *transport, const struct invocation *run);

#endif
