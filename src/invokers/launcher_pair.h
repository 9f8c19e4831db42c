/* invokers/launcher_pair.h - built-in workers: a process with its end of a socketpair as
 * descriptor
 * 3. Behaviour: workers.md 2.2 and 4. */
#ifndef INVOKERS_LAUNCHER_PAIR_H
#define INVOKERS_LAUNCHER_PAIR_H

#include "invokers/transport.h"

struct loop;

struct launcher_pair_options {
    struct loop *loop;
    const char *executable;   /* looked up in PATH of the environment if it has no slash */
    const char *script;       /* the interpreter's first argument; NULL = none */
    const char *directory;    /* the app's */
    char *const *environment; /* NULL-terminated; REDGRID_RPC_FD is added */
};

/* launcher_pair_new copies what it is given. launcher_pair_free: after all of its transports. */
struct launcher *launcher_pair_new(const struct launcher_pair_options *options);
void launcher_pair_free(struct launcher *launcher); /* NULL is fine */

#endif
