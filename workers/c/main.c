/* redgrid-worker-c - runs functions in shared objects. Started by redgrid, one per app or more;
 * speaks FunctionRpc on the descriptor that REDGRID_RPC_FD names. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker.h"

#define EXIT_USAGE 2

/* The value behind "--name", or NULL. */
static const char *option(char **argv, const char *name)
{
    for (char **arg = argv + 1; arg[0] != NULL && arg[1] != NULL; arg++)
        if (strcmp(arg[0], name) == 0)
            return arg[1];
    return NULL;
}

static bool environment_number(const char *name, uint64_t min, uint64_t max, uint64_t *ret)
{
    return slice_to_u64(slice_of(getenv(name)), ret) && *ret >= min && *ret <= max;
}

int main(int argc, char **argv)
{
    struct worker_options options = {
        .worker_id = slice_of(argc > 0 ? option(argv, "--functions-worker-id") : NULL),
        .request_id = slice_of(argc > 0 ? option(argv, "--functions-request-id") : NULL),
        .threads = 1,
    };
    struct cause why = {0};
    uint64_t number;
    bool is_idle = false;

    if (!environment_number("REDGRID_RPC_FD", 0, INT32_MAX, &number) ||
        fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0 || options.worker_id.data == NULL) {
        fprintf(stderr, "redgrid-worker-c is started by redgrid: see redgrid(1)\n");
        return EXIT_USAGE;
    }
    options.fd = (int)number;
    if (environment_number("C_THREADPOOL_THREAD_COUNT", 1, WORKER_THREADS_MAX, &number))
        options.threads = (unsigned)number;
    else if (getenv("C_THREADPOOL_THREAD_COUNT") != NULL)
        fprintf(stderr, "warning: C_THREADPOOL_THREAD_COUNT: '%s' is not 1 to %d, 1 is taken\n",
                getenv("C_THREADPOOL_THREAD_COUNT"), WORKER_THREADS_MAX);
    setvbuf(stdout, NULL, _IOLBF, 0); /* functions may print; redgrid reads lines */

    enum err err = worker_run(&options, &is_idle, &why);
    if (err == E_OK && is_idle)
        exit(EXIT_SUCCESS); /* runs the functions' own exit handlers */
    /* Functions are still running: their memory must not be torn down under them. */
    if (err != E_OK && err != E_CLOSED)
        fprintf(stderr, "error: %s\n", cause_text(&why, err));
    _exit(err == E_OK || err == E_CLOSED ? EXIT_SUCCESS : EXIT_FAILURE);
}
