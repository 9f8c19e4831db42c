/* invokers/task.h - a child process that does one thing and ends: a compiler, an installer.
 * Rules: an op like any other; embedded in whoever waits for it. */
#ifndef INVOKERS_TASK_H
#define INVOKERS_TASK_H

#include "base/buf.h"
#include "loop/op.h"

#define TASK_OUTPUT_MAX_BYTES (16 * 1024)

struct loop;
struct process;

struct task_options {
    struct loop *loop;
    const char *const *args;  /* NULL-terminated; args[0] is looked up in PATH of the environment */
    char *const *environment; /* NULL-terminated */
    const char *cwd;
    void (*line)(void *ctx, struct slice line); /* each line of its output; NULL = not wanted */
    void *ctx;
};

struct task {
    struct process *process;
    struct op *op;
    struct task_options options;
    struct buf output; /* its last lines, until task_done() */
    bool is_aborted;
};

/* task_start: E_OK, then the op ends with E_OK for exit code 0; E_FAILED with "cc: exit code 1" in
 * op->why; E_CANCELED when aborted, which kills it. Or the process cannot be started: E_NOT_FOUND,
 * E_DENIED, E_IO with the text in op->why. What the options
 * point to is borrowed until then. */
enum err task_start(struct task *task, const struct task_options *options, struct op *op);
void task_done(struct task *task); /* when the op has ended or never began; leaves zeroes */

/* task_last_lines: the last `count` lines of the output. Borrowed from the task. */
struct slice task_last_lines(const struct task *task, size_t count);

#endif
