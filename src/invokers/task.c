#include "invokers/task.h"

#include <signal.h>
#include <string.h>

#include "loop/process.h"

static void on_line(void *ctx, bool is_stderr, struct slice line)
{
    struct task *task = ctx;
    (void)is_stderr;
    if (task->options.line != NULL)
        task->options.line(task->options.ctx, line);
    line = slice_first(line, TASK_OUTPUT_MAX_BYTES / 2);
    if (task->output.len + line.len + 1 > TASK_OUTPUT_MAX_BYTES)
        buf_consume(&task->output, task->output.len / 2);
    if (task->output.len + line.len + 1 > TASK_OUTPUT_MAX_BYTES)
        buf_clear(&task->output);
    buf_add(&task->output, line);
    buf_add_byte(&task->output, '\n');
}

static enum err judge(struct task *task, int exit_code, int signal_number)
{
    const char *name = task->options.args[0];
    if (task->is_aborted)
        return E_CANCELED;
    if (signal_number != 0)
        return cause_set(&task->op->why, E_FAILED, "%s: was killed by SIG%s", name,
                         sigabbrev_np(signal_number) ? sigabbrev_np(signal_number) : "?");
    if (exit_code != 0)
        return cause_set(&task->op->why, E_FAILED, "%s: exit code %d", name, exit_code);
    return E_OK;
}

static void on_exited(void *ctx, int exit_code, int signal_number)
{
    struct task *task = ctx;
    process_free(task->process);
    task->process = NULL;
    op_end(task->op, judge(task, exit_code, signal_number));
}

static void on_abort(struct op *op)
{
    struct task *task = op->runner;
    task->is_aborted = true;
    process_signal(task->process, SIGKILL);
}

enum err task_start(struct task *task, const struct task_options *options, struct op *op)
{
    struct process_options process = {
        .file = options->args[0],
        .args = options->args,
        .env = (const char *const *)options->environment,
        .cwd = options->cwd,
        .fd = -1,
        .death_signal = SIGKILL,
        .line = on_line,
        .exited = on_exited,
        .ctx = task,
    };
    *task = (struct task){.op = op, .options = *options};
    buf_init(&task->output, TASK_OUTPUT_MAX_BYTES);
    op->why.text[0] = '\0';
    enum err err = process_start(options->loop, &process, &task->process, &op->why);
    if (err == E_OK)
        op_begin(op, on_abort, task);
    return err;
}

void task_done(struct task *task)
{
    process_free(task->process);
    buf_done(&task->output);
    *task = (struct task){0};
}

struct slice task_last_lines(const struct task *task, size_t count)
{
    struct slice all = slice_trim(buf_slice(&task->output));
    size_t at = all.len;
    while (at > 0 && !(all.data[at - 1] == '\n' && --count == 0))
        at--;
    return slice_from(all, at);
}
