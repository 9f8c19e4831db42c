/* workers/c/fake_host.h - the host's side of the socketpair, for tests: starts the worker program
 * and says what it is told to. Blocks; gives up after FAKE_HOST_TIMEOUT_MS. */
#ifndef WORKER_C_FAKE_HOST_H
#define WORKER_C_FAKE_HOST_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "wire/rpc.h"

#define FAKE_HOST_TIMEOUT_MS 20000

struct fake_host {
    int fd;
    int output_fd; /* its standard output */
    pid_t pid;
    struct buf in;
    struct buf out;
    size_t heard; /* bytes at the front of `in` that the last message took */
    struct arena arena;
};

/* fake_host_start runs the program at `path`; `threads` is C_THREADPOOL_THREAD_COUNT, NULL = unset.
 */
void fake_host_start(struct fake_host *host, const char *path, const char *threads);
/* fake_host_done kills what still runs. */
void fake_host_done(struct fake_host *host);

void fake_host_say(struct fake_host *host, const struct rpc_message *message);
/* fake_host_write sends bytes as they are. */
void fake_host_write(struct fake_host *host, struct slice bytes);
/* fake_host_hear waits for the next message; false at the end of the stream. Valid until the next
 * call. */
bool fake_host_hear(struct fake_host *host, struct rpc_message *ret);
/* fake_host_load loads a function under its name as id and returns the outcome. */
struct rpc_result fake_host_load(struct fake_host *host, const char *file, const char *entry_point,
                                 const char *name);
/* fake_host_wait is the status of waitpid(). */
int fake_host_wait(struct fake_host *host);

#endif
