#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/mem.h"
#include "exchange.h"
#include "invocation.h"
#include "library.h"

#define READ_BYTES (256u * 1024)
#define IN_MAX_BYTES ((size_t)RPC_MESSAGE_MAX_BYTES + 2 * READ_BYTES)
#define OUT_MAX_BYTES ((size_t)4 * RPC_MESSAGE_MAX_BYTES)
#define OUT_HIGH_BYTES (16u << 20) /* the host is slow: results and logs stay where they are */
#define KEEP_MAX_BYTES (4u << 20)
#define STACK_BYTES (1u << 20) /* of each function thread when there are many */

struct worker {
    const struct worker_options *options;
    struct exchange exchange;
    struct library library;
    struct buf in;
    struct buf out;
    size_t sent;        /* bytes at the front of `out` */
    struct list ready;  /* read, not yet given to the function threads */
    struct list done;   /* not yet answered */
    struct list active; /* all that is not answered */
    struct list spare;
    struct redgrid_invocation *next; /* what the next frame is read into */
    bool is_ending;
    uint64_t ends_at_ms;
};

static size_t unsent(const struct worker *worker)
{
    return worker->out.len - worker->sent;
}

/* Function threads. */

static void *run_functions(void *ctx)
{
    struct exchange *exchange = ctx;

    for (;;) {
        struct list batch;
        exchange_take(exchange, &batch);
        for (struct list_node *node; (node = list_shift(&batch)) != NULL;) {
            struct redgrid_invocation *run = container_of(node, struct redgrid_invocation, node);
            if (invocation_call(run))
                exchange_done(exchange, run, list_is_empty(&batch));
        }
    }
    return NULL;
}

static enum err start_threads(struct worker *worker, struct cause *why)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int number = 0;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (worker->options->threads > 1)
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (unsigned i = 0; number == 0 && i < worker->options->threads; i++)
        number = pthread_create(&thread, &attributes, run_functions, &worker->exchange);
    pthread_attr_destroy(&attributes);
    if (number != 0)
        return cause_set(why, err_from_errno(number), "cannot start %u threads",
                         worker->options->threads);
    return E_OK;
}

/* Invocations: spare -> next -> ready (active) -> .. -> done -> spare. */

static struct redgrid_invocation *take_spare(struct worker *worker)
{
    struct list_node *node = list_shift(&worker->spare);
    if (node == NULL)
        return invocation_new(&worker->exchange);
    return container_of(node, struct redgrid_invocation, node);
}

static void finish(struct worker *worker, struct redgrid_invocation *run)
{
    invocation_answer(run, &worker->out);
    list_remove(&run->active);
    invocation_reset(run);
    list_unshift(&worker->spare, &run->node); /* the warmest first */
}

static void answer_done(struct worker *worker)
{
    for (struct list_node *node; (node = list_shift(&worker->done)) != NULL;)
        finish(worker, container_of(node, struct redgrid_invocation, node));
}

/* What the host says. */

static void say(struct worker *worker, struct rpc_message *message)
{
    message->request_id = worker->next->request.request_id;
    rpc_frame_add(&worker->out, RPC_FRAME_PLAIN, message);
}

static void on_init(struct worker *worker)
{
    static const struct rpc_pair capabilities[] = {
        {SLICE_INIT("TypedDataCollection"), SLICE_INIT("true")},
        {SLICE_INIT("WorkerStatus"), SLICE_INIT("true")},
        {SLICE_INIT("HandlesWorkerTerminateMessage"), SLICE_INIT("true")},
        {SLICE_INIT("HandlesInvocationCancelMessage"), SLICE_INIT("true")},
    };
    struct utsname system = {0};

    uname(&system);
    say(worker,
        &(struct rpc_message){
            .type = RPC_WORKER_INIT_RESPONSE,
            .worker_init_response = {.worker_version = SLICE(REDGRID_VERSION),
                                     .capabilities = {capabilities, COUNT_OF(capabilities)},
                                     .result = {.status = RPC_SUCCESS},
                                     .metadata = {.runtime_name = SLICE("c"),
                                                  .runtime_version = SLICE("17"),
                                                  .worker_version = SLICE(REDGRID_VERSION),
                                                  .worker_bitness = slice_of(system.machine)}}});
}

/* Functions are described by function.json alone. */
static void on_metadata(struct worker *worker)
{
    say(worker, &(struct rpc_message){
                    .type = RPC_FUNCTION_METADATA_RESPONSE,
                    .function_metadata_response = {.result = {.status = RPC_SUCCESS},
                                                   .use_default_metadata_indexing = true}});
}

static void on_load(struct worker *worker)
{
    const struct rpc_function_load_request *request = &worker->next->request.function_load_request;
    struct cause why = {0};
    enum err err = library_load(&worker->library, request, &why);
    struct rpc_message response = {.type = RPC_FUNCTION_LOAD_RESPONSE,
                                   .function_load_response = {.function_id = request->function_id}};

    response.function_load_response.result = (struct rpc_result){
        .status = err ? RPC_FAILURE : RPC_SUCCESS,
        .exception = {.is_set = err != E_OK, .message = slice_of(cause_text(&why, err))}};
    say(worker, &response);
}

static void on_invocation(struct worker *worker)
{
    struct redgrid_invocation *run = worker->next;

    run->function = library_find(&worker->library, run->request.invocation_request.function_id);
    list_push(&worker->active, &run->active);
    if (run->function == NULL) {
        invocation_refuse(run, "the function is not loaded");
        list_push(&worker->done, &run->node);
    } else {
        list_push(&worker->ready, &run->node);
    }
    worker->next = NULL;
}

static void on_cancel(struct worker *worker)
{
    struct slice id = worker->next->request.invocation_cancel.invocation_id;
    struct redgrid_invocation *run;

    list_each (&worker->active, struct redgrid_invocation, active, run)
        if (slice_eq(run->request.invocation_request.invocation_id, id))
            atomic_store_explicit(&run->is_canceled, true, memory_order_relaxed);
}

static void on_status(struct worker *worker)
{
    say(worker, &(struct rpc_message){.type = RPC_WORKER_STATUS_RESPONSE});
}

static void on_terminate(struct worker *worker)
{
    struct rpc_duration grace = worker->next->request.worker_terminate.grace_period;
    int64_t ms = grace.seconds > INT32_MAX ? (int64_t)INT32_MAX * 1000
                                           : grace.seconds * 1000 + grace.nanos / 1000000;

    worker->is_ending = true;
    worker->ends_at_ms = clock_now_ms() + (uint64_t)(ms > 0 ? ms : 0);
}

static void on_message(struct worker *worker)
{
    switch (worker->next->request.type) {
    case RPC_WORKER_INIT_REQUEST:
        on_init(worker);
        break;
    case RPC_FUNCTIONS_METADATA_REQUEST:
        on_metadata(worker);
        break;
    case RPC_FUNCTION_LOAD_REQUEST:
        on_load(worker);
        break;
    case RPC_INVOCATION_REQUEST:
        on_invocation(worker);
        break;
    case RPC_INVOCATION_CANCEL:
        on_cancel(worker);
        break;
    case RPC_WORKER_STATUS_REQUEST:
        on_status(worker);
        break;
    case RPC_WORKER_TERMINATE:
        on_terminate(worker);
        break;
    case RPC_UNKNOWN: /* of a later protocol, or what only workers say */
    case RPC_LOG:
    case RPC_INVOCATION_RESPONSE:
    case RPC_FUNCTION_LOAD_RESPONSE:
    case RPC_WORKER_STATUS_RESPONSE:
    case RPC_WORKER_INIT_RESPONSE:
    case RPC_START_STREAM:
    case RPC_FUNCTION_METADATA_RESPONSE:
        break;
    }
}

static enum err on_frame(struct worker *worker, struct slice frame, struct cause *why)
{
    if (worker->next == NULL)
        worker->next = take_spare(worker);
    enum err err = invocation_read(worker->next, frame, why);
    if (err)
        return err;
    on_message(worker);
    if (worker->next != NULL)
        invocation_reset(worker->next);
    return E_OK;
}

/* Bytes. */

/* One huge message must not hold its memory for ever. */
static void release(struct buf *buf)
{
    size_t max_bytes = buf->max_bytes;

    if (buf->len > 0 || buf->cap <= KEEP_MAX_BYTES)
        return;
    buf_done(buf);
    buf_init(buf, max_bytes);
}

/* Handles all whole frames of `in`; what is left begins with a frame's first byte. *ret_missing is
 * how many bytes that frame lacks, 0 = unknown. */
static enum err parse(struct worker *worker, size_t *ret_missing, struct cause *why)
{
    struct slice rest = buf_slice(&worker->in), frame;
    size_t used;
    enum err err;

    while ((err = rpc_frame_next(rest, RPC_FRAME_PLAIN, RPC_MESSAGE_MAX_BYTES, &frame, &used)) ==
           E_OK) {
        if (frame.len > 0 && (err = on_frame(worker, frame, why)) != E_OK)
            return err;
        rest = slice_from(rest, used);
    }
    if (err != E_MORE)
        return cause_set(why, err, "a message above %u bytes", RPC_MESSAGE_MAX_BYTES);
    *ret_missing = used > rest.len ? used - rest.len : 0;
    buf_consume(&worker->in, worker->in.len - rest.len);
    release(&worker->in);
    exchange_give(&worker->exchange, &worker->ready);
    return E_OK;
}

/* One read. E_MORE: nothing there now. */
static enum err receive(struct worker *worker, size_t *missing, struct cause *why)
{
    size_t room = *missing > READ_BYTES ? *missing : READ_BYTES;
    char *to = buf_reserve(&worker->in, room);

    if (to == NULL)
        return cause_set(why, E_LIMIT, "a message is too large");
    ssize_t got = recv(worker->options->fd, to, room, MSG_DONTWAIT);
    if (got == 0)
        return worker->in.len == 0 ? cause_set(why, E_CLOSED, "the host closed the stream")
                                   : cause_set(why, E_BAD_WIRE, "the stream ends in a message");
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return E_MORE;
    if (got < 0)
        return cause_set(why, err_from_errno(errno), "reading: %s", strerror(errno));
    buf_grow(&worker->in, (size_t)got);
    return parse(worker, missing, why);
}

/* Writes what the socket takes. What was sent stays until it is the larger part: moving the rest
 * each time would take a large message's time squared. */
static enum err send_out(struct worker *worker, struct cause *why)
{
    while (worker->sent < worker->out.len) {
        ssize_t n = send(worker->options->fd, worker->out.data + worker->sent,
                         worker->out.len - worker->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            return cause_set(why, E_CLOSED, "writing: %s", strerror(errno));
        worker->sent += (size_t)n;
    }
    if (worker->sent > worker->out.len / 2) {
        buf_consume(&worker->out, worker->sent);
        worker->sent = 0;
        release(&worker->out);
    }
    return E_OK;
}

static int clamp_timeout(const struct worker *worker, bool lingers)
{
    int timeout = lingers && !list_is_empty(&worker->active) ? EXCHANGE_LINGER_MS : -1;
    if (!worker->is_ending || timeout >= 0)
        return timeout;
    uint64_t now_ms = clock_now_ms();
    uint64_t left_ms = worker->ends_at_ms > now_ms ? worker->ends_at_ms - now_ms : 0;
    return left_ms > 60000 ? 60000 : (int)left_ms;
}

/* Waits until there is something to do. False if the time to linger went by. */
static bool rest(struct worker *worker, bool lingers)
{
    bool is_full = unsent(worker) > OUT_HIGH_BYTES;
    struct pollfd fds[] = {
        {.fd = worker->options->fd, .events = (short)(POLLIN | (unsent(worker) > 0 ? POLLOUT : 0))},
        {.fd = worker->exchange.wake_fd, .events = POLLIN},
    };

    if (!is_full && !exchange_sleep(&worker->exchange))
        return true;
    int ready = poll(fds, is_full ? 1 : 2, clamp_timeout(worker, lingers));
    exchange_awake(&worker->exchange);
    return ready != 0;
}

static bool is_over(const struct worker *worker, bool *ret_is_idle)
{
    bool is_idle = list_is_empty(&worker->active) && unsent(worker) == 0;

    if (!worker->is_ending || (!is_idle && clock_now_ms() < worker->ends_at_ms))
        return false;
    *ret_is_idle = is_idle;
    return true;
}

static enum err turn(struct worker *worker, bool *lingers, size_t *missing, struct cause *why)
{
    bool is_any = false;

    if (unsent(worker) <= OUT_HIGH_BYTES)
        is_any = exchange_collect(&worker->exchange, &worker->done, &worker->out);
    answer_done(worker);
    if (buf_err(&worker->out))
        return cause_set(why, E_LIMIT, "the host does not read");
    enum err err = send_out(worker, why);
    if (err)
        return err;
    err = receive(worker, missing, why);
    if (err == E_MORE && !is_any)
        *lingers = rest(worker, *lingers);
    else
        *lingers = true;
    return err == E_MORE ? E_OK : err;
}

enum err worker_run(const struct worker_options *options, bool *ret_is_idle, struct cause *why)
{
    static struct worker worker; /* threads outlive this call */
    bool lingers = false;
    size_t missing = 0;

    worker = (struct worker){.options = options};
    enum err err = exchange_init(&worker.exchange, options->threads);
    if (err)
        return cause_set(why, err, "no descriptor left");
    buf_init(&worker.in, IN_MAX_BYTES);
    buf_init(&worker.out, OUT_MAX_BYTES);
    list_init(&worker.ready);
    list_init(&worker.done);
    list_init(&worker.active);
    list_init(&worker.spare);
    rpc_frame_add(&worker.out, RPC_FRAME_PLAIN,
                  &(struct rpc_message){.request_id = options->request_id,
                                        .type = RPC_START_STREAM,
                                        .start_stream = {options->worker_id}});
    err = start_threads(&worker, why);
    while (err == E_OK && !is_over(&worker, ret_is_idle))
        err = turn(&worker, &lingers, &missing, why);
    return err;
}
