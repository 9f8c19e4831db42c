/* loop/process.h - a supervised child process.
 * Rules: a child leads its own process group, gets `death_signal` when this process dies however it
 * dies, inherits no descriptor but 0 (its input, else empty), 1 and 2 (captured, line by line, or a
 * file) and the one it is given as 3. One that is detached outlives this process and its own
 * struct. The program must hand its arguments to process_child_main() first thing in main():
 * children pass through it, because the parent-death signal has to be set in the child between fork
 * and exec. */
#ifndef LOOP_PROCESS_H
#define LOOP_PROCESS_H

#include <signal.h>
#include <sys/types.h>

#include "base/str.h"
#include "loop/op.h"

#define PROCESS_LINE_MAX_BYTES (64 * 1024) /* longer lines come in pieces */

struct loop;
struct process;

struct process_options {
    const char *file;        /* looked up in PATH of `env` if it has no slash */
    const char *const *args; /* NULL-terminated, args[0] included */
    const char *const *env;  /* NULL-terminated "NAME=value"; NULL = this process's */
    const char *cwd;         /* NULL = this process's */
    struct slice input; /* what it reads from descriptor 0, secrets too: sealed memory, no file */
    int output;         /* becomes descriptors 1 and 2, nothing is captured; 0 = captured. Stays
                           the caller's */
    int fd;             /* becomes descriptor 3 of the child; -1 = none. Stays the caller's */
    int death_signal;   /* SIGKILL, or SIGTERM for servers that must shut down cleanly */
    bool is_detached;   /* no death signal, process_free() leaves it alone; needs `output` */
    void (*line)(void *ctx, bool is_stderr,
                 struct slice line); /* without its newline; NULL = drop */
    void (*exited)(void *ctx, int exit_code, int signal_number); /* after the last line; once */
    void *ctx;
};

/* process_start: E_OK and *ret, and `exited` comes once, later; or E_NOT_FOUND, E_DENIED, E_IO with
 * the file named. A file that cannot be executed after all shows as exit code 127 with a line on
 * stderr. */
enum err process_start(struct loop *loop, const struct process_options *options,
                       struct process **ret, struct cause *why);
pid_t process_id(const struct process *process);
/* process_signal signals the whole group. Harmless after the exit. */
void process_signal(struct process *process, int signal_number);
/* process_free kills the group if it still runs and is not detached, without waiting; no callback
 * runs any more. NULL is fine. In callbacks: yes. */
void process_free(struct process *process);

/* process_child_main does nothing unless argv names the hidden child mode; then it execs, or exits
 * with 127. */
void process_child_main(int argc, char **argv);

/* signal_watch calls back on the loop for every arrival of a signal; NULL ends it. One watcher per
 * signal. */
struct signal_watch;
struct signal_watch *signal_watch_new(struct loop *loop, int signal_number,
                                      void (*arrived)(void *ctx), void *ctx);
void signal_watch_free(struct signal_watch *watch);

#endif
