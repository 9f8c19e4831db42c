#include "invokers/handler_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/id.h"
#include "http/client.h"
#include "loop/loop.h"
#include "loop/process.h"
#include "loop/timer.h"

/*   PROBE --any HTTP answer--> READY --stop--> TERM --2 s--> KILL
 *     | too late                 | killed
 *     +--> KILL                  +--> KILL          an exit in any state: ENDED */
enum state { PROBE, READY, TERM, KILL, ENDED };

#define PROBE_MS 25u
#define TERM_MS 2000u

struct handler_process {
    struct handler_process_options options;
    enum state state;
    struct process *process;
    struct timer *timer;
    struct http_call probe;
    uint16_t port;
    uint64_t started_at_ms;
    bool was_ready;
    bool is_asked;  /* to end */
    bool is_spared; /* killed for one run's timeout: no error of its own */
    bool is_freed;
    struct cause why; /* why it was killed; empty = nobody killed it */
};

static uint64_t now_of(const struct handler_process *h)
{
    return loop_now_ms(h->options.loop);
}

/* A port that is free now. Somebody may take it before the handler does: then the handler fails,
 * and its next life gets another one. */
static enum err free_port(uint16_t *ret, struct cause *why)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_good = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                   getsockname(fd, (struct sockaddr *)&address, &len) == 0;
    int number = errno;
    if (fd >= 0)
        (void)close(fd);
    if (!is_good)
        return cause_set(why, err_from_errno(number), "no free port: %s", strerror(number));
    *ret = ntohs(address.sin_port);
    return E_OK;
}

static void kill_because(struct handler_process *h, const char *why)
{
    if (h->state >= KILL)
        return;
    if (!h->is_asked)
        (void)cause_set(&h->why, E_FAILED, "%s", why);
    h->state = KILL;
    timer_clear(h->timer);
    process_signal(h->process, SIGKILL);
}

/* ---- is it ready? ---- */

static void probe_again(struct handler_process *h);

static void on_probed(struct op *op, enum err err)
{
    struct handler_process *h = container_of(op, struct handler_process, probe.op);
    if (h->is_freed) {
        free(h);
        return;
    }
    if (h->state != PROBE)
        return;
    if (err != E_OK) {
        timer_set(h->timer, PROBE_MS);
        return;
    }
    h->state = READY;
    h->was_ready = true;
    timer_clear(h->timer);
    h->options.ready(h->options.ctx);
}

static void probe_again(struct handler_process *h)
{
    uint64_t limit_ms = h->options.app->handler.initialization_timeout_ms;
    uint64_t spent_ms = now_of(h) - h->started_at_ms;
    if (spent_ms >= limit_ms) {
        char text[160];
        (void)snprintf(text, sizeof text,
                       "it did not answer HTTP on 127.0.0.1:%u (FUNCTIONS_CUSTOMHANDLER_PORT) "
                       "within %llu ms (customHandler.initializationTimeout)",
                       (unsigned)h->port, (unsigned long long)limit_ms);
        kill_because(h, text);
        return;
    }
    h->probe = (struct http_call){
        .op.done = on_probed,
        .method = SLICE("GET"),
        .url = {.host = SLICE("127.0.0.1"), .port = h->port, .path = SLICE("/")},
        .timeout_ms = (uint32_t)(limit_ms - spent_ms),
    };
    if (http_send(h->options.http, &h->probe) != E_OK)
        timer_set(h->timer, PROBE_MS);
}

static void on_timer(void *ctx)
{
    struct handler_process *h = ctx;
    if (h->state == PROBE)
        probe_again(h);
    else if (h->state == TERM)
        kill_because(h, "it did not end when it was asked to");
}

/* ---- its end ---- */

static enum ending ending_of(const struct handler_process *h, int exit_code, int signal_number)
{
    if (h->is_asked)
        return ENDING_ASKED;
    if (h->is_spared)
        return ENDING_AGAIN;
    return h->why.text[0] != '\0' ? ENDING_ERROR
                                  : restart_ending(exit_code, signal_number, h->was_ready);
}

static void on_exited(void *ctx, int exit_code, int signal_number)
{
    struct handler_process *h = ctx;
    struct cause why;
    int pid = (int)process_id(h->process);
    const char *name = sigabbrev_np(signal_number);
    if (h->why.text[0] != '\0')
        (void)cause_set(&why, E_CRASHED, "handler process %d was killed: %s", pid, h->why.text);
    else if (signal_number != 0)
        (void)cause_set(&why, E_CRASHED, "handler process %d was killed by SIG%s", pid,
                        name == NULL ? "?" : name);
    else
        (void)cause_set(&why, E_CRASHED, "handler process %d exited with code %d", pid, exit_code);
    h->state = ENDED;
    timer_clear(h->timer);
    op_abort(&h->probe.op);
    h->options.ended(h->options.ctx, ending_of(h, exit_code, signal_number), &why);
}

static void on_line(void *ctx, bool is_stderr, struct slice line)
{
    const struct handler_process *h = ctx;
    h->options.line(h->options.ctx, is_stderr, line);
}

/* ---- life ---- */

static enum err start_process(struct handler_process *h, struct cause *why)
{
    const struct custom_handler *declared = &h->options.app->handler;
    struct environment environment;
    struct id id = id_secret();
    char port[8];
    size_t count = 0;

    while (declared->arguments != NULL && declared->arguments[count] != NULL)
        count++;
    const char **args = mem_new_array(count + 2, const char *);
    args[0] = declared->executable;
    for (size_t i = 0; i < count; i++)
        args[i + 1] = declared->arguments[i];
    (void)snprintf(port, sizeof port, "%u", (unsigned)h->port);
    environment_init(&environment, h->options.environment->items);
    environment_set(&environment, "FUNCTIONS_CUSTOMHANDLER_PORT", port);
    environment_set(&environment, "FUNCTIONS_HTTPWORKER_PORT", port);
    environment_set(&environment, "FUNCTIONS_CUSTOMHANDLER_WORKER_ID", id.text);
    environment_set(&environment, "FUNCTIONS_HTTPWORKER_ID", id.text);
    struct process_options options = {
        .file = declared->executable,
        .args = args,
        .env = (const char *const *)environment.items,
        .cwd = declared->working_directory,
        .fd = -1,
        .death_signal = SIGKILL,
        .line = on_line,
        .exited = on_exited,
        .ctx = h,
    };
    enum err err = process_start(h->options.loop, &options, &h->process, why);
    environment_done(&environment);
    free(args);
    return err;
}

enum err handler_process_start(const struct handler_process_options *options,
                               struct handler_process **ret, struct cause *why)
{
    struct handler_process *h = mem_new(struct handler_process);
    h->options = *options;
    h->started_at_ms = now_of(h);
    enum err err = free_port(&h->port, why);
    if (err == E_OK)
        err = start_process(h, why);
    if (err) {
        free(h);
        return err;
    }
    h->timer = timer_new(options->loop, on_timer, h);
    timer_set(h->timer, PROBE_MS);
    *ret = h;
    return E_OK;
}

uint16_t handler_process_port(const struct handler_process *h)
{
    return h->port;
}

pid_t handler_process_id(const struct handler_process *h)
{
    return process_id(h->process);
}

uint64_t handler_process_started_at_ms(const struct handler_process *h)
{
    return h->started_at_ms;
}

void handler_process_stop(struct handler_process *h)
{
    h->is_asked = true;
    if (h->state >= TERM)
        return;
    h->state = TERM;
    process_signal(h->process, SIGTERM);
    timer_set(h->timer, TERM_MS);
}

void handler_process_kill(struct handler_process *h)
{
    h->is_spared = true;
    kill_because(h, "a function ran longer than functionTimeout");
}

void handler_process_free(struct handler_process *h)
{
    if (h == NULL)
        return;
    process_free(h->process);
    timer_free(h->timer);
    h->is_freed = true;
    if (h->probe.op.is_busy)
        op_abort(&h->probe.op); /* its end frees */
    else
        free(h);
}
