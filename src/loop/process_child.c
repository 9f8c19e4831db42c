/* What a child does between fork and exec. It is this program again, so that it can do it in plain
 * code: after a fork only few calls are safe, after the exec all of them are. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/process_internal.h"

#define EXIT_NOT_EXECUTED 127 /* as shells have it */

static _Noreturn void fail(const char *file, const char *reason)
{
    dprintf(STDERR_FILENO, "%s: cannot be executed: %s\n", file, reason);
    _exit(EXIT_NOT_EXECUTED);
}

static void die_with_parent(uint64_t parent, uint64_t death_signal)
{
    if (death_signal == 0)
        return; /* detached */
    prctl(PR_SET_PDEATHSIG, (unsigned long)death_signal);
    if ((uint64_t)getppid() != parent)
        _exit(EXIT_NOT_EXECUTED); /* it died before we asked: nobody is left to read a reason */
}

static void close_from(unsigned first)
{
    if (close_range(first, ~0u, 0) == 0)
        return;
    long count = sysconf(_SC_OPEN_MAX); /* a kernel or a sandbox without close_range */
    for (int fd = (int)first; fd < count && fd < 65536; fd++)
        close(fd);
}

static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

bool process_child_was_asked;

void process_child_main(int argc, char **argv)
{
    uint64_t numbers[3];

    process_child_was_asked = true;
    if (argc <= ARG_FILE || strcmp(argv[ARG_MODE], CHILD_MODE) != 0)
        return;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (!slice_to_u64(slice_of(argv[ARG_SIGNAL + i]), &numbers[i]))
            fail(argv[ARG_FILE], "bad arguments");
    die_with_parent(numbers[ARG_PARENT - ARG_SIGNAL], numbers[0]);
    close_from((unsigned)numbers[ARG_CLOSE_FROM - ARG_SIGNAL]);
    reset_signals();
    execvp(argv[ARG_FILE], argv + ARG_ARGS);
    fail(argv[ARG_FILE], strerror(errno));
}
