/* A child's life, as its parent sees it:
 *
 *   running --exit--> draining --both outputs at their end, or 1 s--> exited()
 *
 * Draining waits for what the child wrote last. A grandchild may hold the outputs open for ever,
 * hence the limit. libuv closes handles in the background: the process's memory goes with the last
 * of them after process_free(). */
#include "loop/process.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "loop/internal.h"
#include "loop/process_internal.h"
#include "loop/timer.h"

#define DRAIN_MS 1000
#define READ_BYTES 4096

struct output {
    uv_pipe_t uv;
    struct process *process;
    struct buf buf; /* the line that is not complete */
    bool is_stderr;
    bool is_open;
};

struct process {
    uv_process_t uv;
    struct output outputs[2];
    struct timer *drain;
    void (*line)(void *ctx, bool is_stderr, struct slice line);
    void (*exited)(void *ctx, int exit_code, int signal_number);
    void *ctx;
    pid_t id;
    int exit_code;
    int signal_number;
    int handles;     /* that libuv still holds */
    bool is_running; /* not waited for yet */
    bool is_detached;
    bool is_freed;
};

static void free_if_closed(struct process *process)
{
    if (process->handles > 0 || !process->is_freed)
        return;
    for (size_t i = 0; i < COUNT_OF(process->outputs); i++)
        buf_done(&process->outputs[i].buf);
    free(process);
}

static void unhold(struct process *process)
{
    process->handles--;
    free_if_closed(process);
}

static void on_process_closed(uv_handle_t *handle)
{
    unhold(container_of(handle, struct process, uv));
}

static void on_output_closed(uv_handle_t *handle)
{
    unhold(container_of(handle, struct output, uv)->process);
}

static void output_close(struct output *output)
{
    if (output->is_open)
        uv_close((uv_handle_t *)&output->uv, on_output_closed);
    output->is_open = false;
}

/* ---- lines ---- */

static void give_line(struct output *output, struct slice line)
{
    struct process *process = output->process;
    if (!process->is_freed && process->line != NULL)
        process->line(process->ctx, output->is_stderr, line);
}

/* Gives out the lines that are complete, the new bytes beginning at `scan_from`. The owner may free
 * the process in any of them; its memory stays until the handles are closed. */
static void give_lines(struct output *output, size_t scan_from)
{
    struct slice bytes = buf_slice(&output->buf);
    size_t start = 0, end = scan_from;

    while (!output->process->is_freed) {
        end += slice_find_byte(slice_from(bytes, end), '\n');
        if (end >= bytes.len)
            break;
        give_line(output, slice_first(slice_from(bytes, start), end - start));
        start = ++end;
    }
    if (start == 0 && bytes.len == PROCESS_LINE_MAX_BYTES) { /* a piece of a long line */
        give_line(output, bytes);
        start = bytes.len;
    }
    buf_consume(&output->buf, start);
}

static void give_rest(struct output *output)
{
    if (output->buf.len > 0)
        give_line(output, buf_slice(&output->buf));
    buf_clear(&output->buf);
}

/* ---- the end ---- */

static bool is_drained(const struct process *process)
{
    return !process->outputs[0].is_open && !process->outputs[1].is_open;
}

static void end_if_drained(struct process *process)
{
    if (process->is_running || process->is_freed || !is_drained(process))
        return;
    timer_clear(process->drain);
    process->exited(process->ctx, process->exit_code, process->signal_number);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct output *output = container_of(handle, struct output, uv);
    size_t room = PROCESS_LINE_MAX_BYTES - output->buf.len; /* never 0: a full buf was given out */

    (void)suggested;
    if (room > READ_BYTES)
        room = READ_BYTES;
    *ret = (uv_buf_t){buf_reserve(&output->buf, room), room};
}

static void on_output(uv_stream_t *uv, ssize_t got, const uv_buf_t *buf)
{
    struct output *output = container_of(uv, struct output, uv);
    struct process *process = output->process;

    (void)buf;
    if (got > 0) {
        size_t before = output->buf.len;
        buf_grow(&output->buf, (size_t)got);
        give_lines(output, before);
    } else if (got < 0) {
        output_close(output);
        give_rest(output);
        end_if_drained(process);
    }
}

static void on_drain_timeout(void *ctx)
{
    struct process *process = ctx;

    for (size_t i = 0; i < COUNT_OF(process->outputs); i++) {
        struct output *output = &process->outputs[i];
        output_close(output);
        give_rest(output);
    }
    end_if_drained(process);
}

static void on_exit_status(uv_process_t *uv, int64_t exit_code, int signal_number)
{
    struct process *process = container_of(uv, struct process, uv);

    process->is_running = false;
    process->exit_code = (int)exit_code;
    process->signal_number = signal_number;
    uv_close((uv_handle_t *)uv, on_process_closed);
    if (process->is_freed)
        return;
    if (!is_drained(process))
        timer_set(process->drain, DRAIN_MS);
    end_if_drained(process);
}

void process_left(uv_process_t *uv)
{
    struct process *process = container_of(uv, struct process, uv);

    process->is_running = false;
    if (!process->is_detached) {
        kill(-process->id, SIGKILL);
        waitpid(process->id, NULL, 0);
    }
    uv_close((uv_handle_t *)uv, on_process_closed);
}

/* ---- the start ---- */

/* Real pipes, not the socket pairs that libuv would make: /dev/stdout must open in the child. */
static int open_output(struct loop *loop, struct process *process, size_t i, int *ret_child_fd)
{
    struct output *output = &process->outputs[i];
    uv_file fds[2];

    *ret_child_fd = -1;
    output->process = process;
    output->is_stderr = i == 1;
    buf_init(&output->buf, PROCESS_LINE_MAX_BYTES);
    uv_pipe_init(loop_uv(loop), &output->uv, 0);
    output->is_open = true;
    process->handles++;
    int status = uv_pipe(fds, UV_NONBLOCK_PIPE, 0);
    if (status < 0)
        return status;
    *ret_child_fd = fds[1];
    status = uv_pipe_open(&output->uv, fds[0]);
    if (status < 0)
        close(fds[0]);
    else
        status = uv_read_start((uv_stream_t *)&output->uv, on_room, on_output);
    return status;
}

/* The hidden arguments and then the program's own; free() ends the array alone. */
static char **child_args(const struct process_options *options, const char *file,
                         char numbers[3][16])
{
    size_t count = 0;
    int death_signal = options->death_signal > 0 ? options->death_signal : SIGKILL;

    if (options->is_detached)
        death_signal = 0;
    while (options->args[count] != NULL)
        count++;
    const char **args = mem_new_array(ARG_ARGS + count + 1, const char *);
    snprintf(numbers[0], sizeof numbers[0], "%d", death_signal);
    snprintf(numbers[1], sizeof numbers[1], "%d", (int)getpid());
    snprintf(numbers[2], sizeof numbers[2], "%d", options->fd >= 0 ? 4 : 3);
    args[ARG_NAME] = CHILD_NAME;
    args[ARG_MODE] = CHILD_MODE;
    for (size_t i = 0; i < 3; i++)
        args[ARG_SIGNAL + i] = numbers[i];
    args[ARG_FILE] = file;
    memcpy(args + ARG_ARGS, options->args, count * sizeof *args);
    return (char **)(uintptr_t)args;
}

static int spawn(struct loop *loop, struct process *process, const struct process_options *options,
                 const char *file, const int child_fds[3])
{
    char numbers[3][16];
    char **args = child_args(options, file, numbers);
    uv_stdio_container_t stdio[4] = {
        /* the null device, unless there is something to read */
        {.flags = child_fds[0] >= 0 ? UV_INHERIT_FD : UV_IGNORE, .data.fd = child_fds[0]},
        {.flags = UV_INHERIT_FD, .data.fd = child_fds[1]},
        {.flags = UV_INHERIT_FD, .data.fd = child_fds[2]},
        {.flags = UV_INHERIT_FD, .data.fd = options->fd},
    };
    uv_process_options_t uv = {
        .exit_cb = on_exit_status,
        .file = "/proc/self/exe",
        .args = args,
        .env = (char **)(uintptr_t)options->env, /* libuv does not write to it */
        .cwd = options->cwd,
        .flags = UV_PROCESS_DETACHED, /* a session and group of its own */
        .stdio_count = options->fd >= 0 ? 4 : 3,
        .stdio = stdio,
    };

    process->handles++;
    int status = uv_spawn(loop_uv(loop), &process->uv, &uv);
    free(args);
    if (status < 0) {
        uv_close((uv_handle_t *)&process->uv, on_process_closed);
        return status;
    }
    process->id = process->uv.pid;
    process->is_running = true;
    process->is_detached = options->is_detached;
    return 0;
}

static int start(struct loop *loop, struct process *process, const struct process_options *options,
                 const char *file, int input)
{
    int child_fds[3] = {input, options->output, options->output}, status = 0;
    int pipes[2] = {-1, -1};

    for (size_t i = 0; i < COUNT_OF(pipes) && status == 0 && options->output == 0; i++) {
        status = open_output(loop, process, i, &pipes[i]);
        child_fds[1 + i] = pipes[i];
    }
    if (status == 0)
        status = spawn(loop, process, options, file, child_fds);
    for (size_t i = 0; i < COUNT_OF(pipes); i++)
        if (pipes[i] >= 0)
            close(pipes[i]);
    return status;
}

enum err process_start(struct loop *loop, const struct process_options *options,
                       struct process **ret, struct cause *why)
{
    char *file;
    int input = -1;

    assert(process_child_was_asked);
    assert(!options->is_detached || options->output > 0); /* nobody would read its pipes */
    /* A main() without process_child_main() starts itself, which starts itself, without end. */
    assert(strcmp(program_invocation_name, CHILD_NAME) != 0);
    enum err err = process_find(options, &file, why);
    if (err != E_OK)
        return err;
    if (options->input.len > 0)
        err = process_input(options->input, &input, why);
    if (err != E_OK) {
        free(file);
        return cause_wrap(why, err, "%s", options->file);
    }
    struct process *process = mem_new(struct process);
    process->line = options->line;
    process->exited = options->exited;
    process->ctx = options->ctx;
    process->drain = timer_new(loop, on_drain_timeout, process);
    int status = start(loop, process, options, file, input);
    free(file);
    if (input >= 0)
        close(input);
    if (status < 0) {
        process_free(process);
        return cause_set(why, E_IO, "%s: %s", options->file, uv_text(status));
    }
    *ret = process;
    return E_OK;
}

pid_t process_id(const struct process *process)
{
    return process->id;
}

void process_signal(struct process *process, int signal_number)
{
    if (process->is_running)
        kill(-process->id, signal_number);
}

void process_free(struct process *process)
{
    if (process == NULL)
        return;
    /* An open output after the exit is held by one of the group, whose id is thus not anew in use.
     */
    if (process->is_detached && process->is_running)
        uv_unref((uv_handle_t *)&process->uv); /* its end is taken if we live to see it */
    else if (process->is_running || (process->id > 0 && !is_drained(process)))
        kill(-process->id, SIGKILL);
    process->is_freed = true;
    for (size_t i = 0; i < COUNT_OF(process->outputs); i++)
        output_close(&process->outputs[i]);
    timer_free(process->drain);
    free_if_closed(process);
}
