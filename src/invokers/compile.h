/* invokers/compile.h - makes a shared object of a function that is a .c file, once: the result is
 * kept in the cache directory under the digest of all that went into it (source, the other files of
 * its directory, compiler, flags, redgrid/function.h).
 * Settings of the app: languageWorkers:c:compiler (cc), C_FLAGS (added last, so -lm works). */
#ifndef INVOKERS_COMPILE_H
#define INVOKERS_COMPILE_H

#include "apps/environment.h"
#include "loop/op.h"

struct loop;
struct compile;

struct compile_options {
    struct loop *loop;
    const char *cache_dir;
    const char *include_dir;
    const struct environment *environment;
};

/* compile_is_source: does this script have to be compiled? */
bool compile_is_source(const char *script_file);

/* compile_new: `options` are copied, what they and the function point to is borrowed. */
struct compile *compile_new(const struct compile_options *options, const struct function *function);
/* compile_run. Later: E_OK, and compile_output() names the file; E_FAILED with the compiler's first
 * error in op->why, its lines are in the log under the function's name; E_IO; E_CANCELED. */
void compile_run(struct compile *compile, struct op *op);
const char *compile_output(const struct compile *compile);
void compile_free(struct compile *compile); /* when the op has ended. NULL is fine */

#endif
