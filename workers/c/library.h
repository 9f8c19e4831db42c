/* workers/c/library.h - functions in shared objects. For the io thread. */
#ifndef WORKER_C_LIBRARY_H
#define WORKER_C_LIBRARY_H

#include <redgrid/function.h>

#include "base/err.h"
#include "base/map.h"
#include "wire/rpc.h"

struct function {
    char *name;
    char *log_category; /* "Function.<name>.User" */
    redgrid_function *call;
};

/* Loaded functions by id. Nothing is ever unloaded: a function may have started threads. */
struct library {
    struct map functions;
};

/* library_load opens the shared object and finds the function. A second load of an id replaces it
 * for later runs. E_BAD_INPUT, E_NOT_FOUND, E_UNSUPPORTED: text in why. */
enum err library_load(struct library *library, const struct rpc_function_load_request *request,
                      struct cause *why);
/* library_find: NULL if there is no such id. */
const struct function *library_find(const struct library *library, struct slice function_id);

#endif
