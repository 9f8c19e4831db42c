#include "fake_host.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES (256u * 1024)

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "fake host: %s\n", what);
    abort();
}

static _Noreturn void run_child(const char *path, int fd, int output_fd, const char *threads)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output_fd, STDOUT_FILENO);
    if (fd == 3)
        fd = dup(fd);
    if (fd < 0 || dup2(fd, 3) < 0) /* without close-on-exec */
        _exit(127);
    setenv("REDGRID_RPC_FD", "3", 1);
    if (threads != NULL)
        setenv("C_THREADPOOL_THREAD_COUNT", threads, 1);
    else
        unsetenv("C_THREADPOOL_THREAD_COUNT");
    execl(path, path, "--host", "127.0.0.1", "--functions-worker-id", "w1",
          "--functions-request-id", "r1", (char *)NULL);
    _exit(127);
}

void fake_host_start(struct fake_host *host, const char *path, const char *threads)
{
    int pair[2], output[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || pipe(output) < 0)
        give_up("socketpair");
    *host = (struct fake_host){.fd = pair[0], .output_fd = output[0]};
    buf_init(&host->in, (size_t)2 * RPC_MESSAGE_MAX_BYTES);
    buf_init(&host->out, (size_t)2 * RPC_MESSAGE_MAX_BYTES);
    arena_init(&host->arena, 64 << 20);
    host->pid = fork();
    if (host->pid == 0)
        run_child(path, pair[1], output[1], threads);
    close(pair[1]);
    close(output[1]);
}

int fake_host_wait(struct fake_host *host)
{
    int status = -1;

    while (waitpid(host->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    host->pid = 0;
    return status;
}

void fake_host_done(struct fake_host *host)
{
    if (host->pid > 0) {
        kill(host->pid, SIGKILL);
        fake_host_wait(host);
    }
    close(host->fd);
    close(host->output_fd);
    buf_done(&host->in);
    buf_done(&host->out);
    arena_done(&host->arena);
}

void fake_host_write(struct fake_host *host, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(host->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (n < 0)
            give_up(strerror(errno));
        bytes = slice_from(bytes, (size_t)n);
    }
}

void fake_host_say(struct fake_host *host, const struct rpc_message *message)
{
    buf_clear(&host->out);
    rpc_frame_add(&host->out, RPC_FRAME_PLAIN, message);
    fake_host_write(host, buf_slice(&host->out));
}

static bool read_more(struct fake_host *host)
{
    struct pollfd fd = {.fd = host->fd, .events = POLLIN};

    if (poll(&fd, 1, FAKE_HOST_TIMEOUT_MS) <= 0)
        give_up("the worker says nothing");
    char *to = buf_reserve(&host->in, READ_BYTES);
    ssize_t n = to == NULL ? -1 : recv(host->fd, to, READ_BYTES, 0);
    if (n > 0)
        buf_grow(&host->in, (size_t)n);
    return n > 0;
}

bool fake_host_hear(struct fake_host *host, struct rpc_message *ret)
{
    struct slice frame;
    size_t used;

    arena_reset(&host->arena);
    for (;;) {
        struct slice rest = slice_from(buf_slice(&host->in), host->heard);
        enum err err = rpc_frame_next(rest, RPC_FRAME_PLAIN, RPC_MESSAGE_MAX_BYTES, &frame, &used);
        if (err == E_OK)
            break;
        if (err != E_MORE)
            give_up(err_text(err));
        buf_consume(&host->in, host->heard); /* once per read, not per message */
        host->heard = 0;
        if (!read_more(host))
            return false;
    }
    host->heard += used;
    if (rpc_decode(frame, &host->arena, ret, NULL) != E_OK)
        give_up("malformed message");
    return true;
}

struct rpc_result fake_host_load(struct fake_host *host, const char *file, const char *entry_point,
                                 const char *name)
{
    struct rpc_message heard;

    fake_host_say(host, &(struct rpc_message){.type = RPC_FUNCTION_LOAD_REQUEST,
                                              .function_load_request = {
                                                  .function_id = slice_of(name),
                                                  .function = {.script_file = slice_of(file),
                                                               .entry_point = slice_of(entry_point),
                                                               .name = slice_of(name)}}});
    if (!fake_host_hear(host, &heard) || heard.type != RPC_FUNCTION_LOAD_RESPONSE ||
        !slice_eq(heard.function_load_response.function_id, slice_of(name)))
        give_up("no answer to a load");
    return heard.function_load_response.result;
}
