#include "invokers/launcher_pair.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apps/environment.h"
#include "base/id.h"
#include "base/mem.h"
#include "invokers/channel.h"
#include "loop/process.h"

#define MESSAGE_LENGTH "2147483647"

struct launcher_pair {
    struct launcher launcher;
    struct loop *loop;
    char *executable, *script, *directory;
    struct environment environment;
};

struct pair {
    struct transport transport;
    struct transport_events events;
    struct process *process;
    struct channel *channel;
};

static void on_message(void *ctx, struct slice bytes)
{
    struct pair *pair = ctx;
    pair->events.message(pair->events.ctx, bytes);
}

static void on_closed(void *ctx, enum err err, const struct cause *why)
{
    struct pair *pair = ctx;
    pair->events.closed(pair->events.ctx, err, why);
}

static void on_line(void *ctx, bool is_stderr, struct slice line)
{
    struct pair *pair = ctx;
    pair->events.line(pair->events.ctx, is_stderr, line);
}

static void on_exited(void *ctx, int exit_code, int signal_number)
{
    struct pair *pair = ctx;
    pair->events.exited(pair->events.ctx, exit_code, signal_number);
}

static enum err pair_send(struct transport *transport, const struct rpc_message *message)
{
    return channel_send(container_of(transport, struct pair, transport)->channel, message);
}

static void pair_end(struct transport *transport)
{
    channel_end(container_of(transport, struct pair, transport)->channel);
}

static void pair_signal(struct transport *transport, int signal_number)
{
    process_signal(container_of(transport, struct pair, transport)->process, signal_number);
}

static pid_t pair_process(const struct transport *transport)
{
    /* `transport` is the first member; container_of() would cast const away. */
    return process_id(((const struct pair *)(const void *)transport)->process);
}

static void pair_free(struct transport *transport)
{
    struct pair *pair = container_of(transport, struct pair, transport);
    process_free(pair->process);
    channel_free(pair->channel);
    free(pair);
}

static const struct transport_kind pair_kind = {pair_send, pair_end, pair_signal, pair_process,
                                                pair_free};

/* Both sets of arguments, old and new, because workers differ in which one they read. A socketpair
 * has no host and port, but a worker that demands them is content with any. */
static enum err start_process(struct launcher_pair *launcher, const char *worker_id, int fd,
                              struct pair *pair, struct cause *why)
{
    struct id request = id_next();
    const char *args[32] = {launcher->executable, launcher->script};
    const char *const rest[] = {"--host",
                                "127.0.0.1",
                                "--port",
                                "0",
                                "--workerId",
                                worker_id,
                                "--requestId",
                                request.text,
                                "--grpcMaxMessageLength",
                                MESSAGE_LENGTH,
                                "--functions-uri",
                                "http://127.0.0.1:0/",
                                "--functions-worker-id",
                                worker_id,
                                "--functions-request-id",
                                request.text,
                                "--functions-grpc-max-message-length",
                                MESSAGE_LENGTH};
    size_t count = launcher->script == NULL ? 1 : 2;
    _Static_assert(COUNT_OF(rest) + 3 <= COUNT_OF(args), "the arguments fit");
    memcpy(&args[count], rest, sizeof rest);
    struct process_options options = {
        .file = launcher->executable,
        .args = args,
        .env = (const char *const *)launcher->environment.items,
        .cwd = launcher->directory,
        .fd = fd,
        .death_signal = SIGKILL,
        .line = on_line,
        .exited = on_exited,
        .ctx = pair,
    };
    return process_start(launcher->loop, &options, &pair->process, why);
}

static enum err launch(struct launcher *base, struct slice worker_id,
                       const struct transport_events *events, struct transport **ret,
                       struct cause *why)
{
    struct launcher_pair *launcher = container_of(base, struct launcher_pair, launcher);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return cause_set(why, err_from_errno(errno), "socketpair: %s", strerror(errno));
    struct pair *pair = mem_new(struct pair);
    pair->transport.kind = &pair_kind;
    pair->events = *events;
    struct channel_options options = {
        .loop = launcher->loop, .message = on_message, .closed = on_closed, .ctx = pair};
    char *id = slice_dup(worker_id);
    enum err err = channel_start(&options, ends[0], &pair->channel, why);
    if (err == E_OK)
        err = start_process(launcher, id, ends[1], pair, why);
    free(id);
    (void)close(ends[1]);
    if (err) {
        channel_free(pair->channel);
        free(pair);
        return err;
    }
    *ret = &pair->transport;
    return E_OK;
}

struct launcher *launcher_pair_new(const struct launcher_pair_options *options)
{
    struct launcher_pair *launcher = mem_new(struct launcher_pair);
    launcher->launcher.launch = launch;
    launcher->loop = options->loop;
    launcher->executable = slice_dup(slice_of(options->executable));
    launcher->script = options->script == NULL ? NULL : slice_dup(slice_of(options->script));
    launcher->directory = slice_dup(slice_of(options->directory));
    environment_init(&launcher->environment, options->environment);
    environment_set(&launcher->environment, "REDGRID_RPC_FD", "3");
    return &launcher->launcher;
}

void launcher_pair_free(struct launcher *base)
{
    if (base == NULL)
        return;
    struct launcher_pair *launcher = container_of(base, struct launcher_pair, launcher);
    free(launcher->executable);
    free(launcher->script);
    free(launcher->directory);
    environment_done(&launcher->environment);
    free(launcher);
}
