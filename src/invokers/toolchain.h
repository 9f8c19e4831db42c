/* invokers/toolchain.h - what must be there before an app's workers can start: the interpreter
 * with its packages, compiled functions. To add a runtime: a row in runtimes[]. */
#ifndef INVOKERS_TOOLCHAIN_H
#define INVOKERS_TOOLCHAIN_H

#include "apps/environment.h"
#include "invokers/worker.h"

struct loop;
struct toolchain;

struct toolchain_options {
    struct loop *loop;
    const struct app *app;
    const char *worker_dir;
    const char *cache_dir;
    const char *include_dir;               /* NULL = beside worker_dir */
    const struct environment *environment; /* of the workers */
    struct worker_function *functions;     /* script_file and error are filled in; both are
                                              malloc()ed, for their owner to free() */
    size_t function_count;
};

/* toolchain_serves: is there a row for this runtime? toolchain_is_serial: do the app's workers run
 * one function at a time, in order? toolchain_add_names appends the runtimes' names: "c, python".
 */
bool toolchain_serves(const char *runtime);
bool toolchain_is_serial(const struct app *app);
void toolchain_add_names(struct buf *out);

/* toolchain_new copies `options`; what they point to is borrowed. The app's runtime must be served.
 */
struct toolchain *toolchain_new(const struct toolchain_options *options);
/* toolchain_prepare. Later: E_OK, though single functions may be in error; or nothing of the app
 * can run: E_FAILED, E_NOT_FOUND, E_IO with the text in op->why; E_CANCELED. */
void toolchain_prepare(struct toolchain *toolchain, struct op *op);
/* The worker's command and its directory, once prepared. Borrowed. */
const char *toolchain_executable(const struct toolchain *toolchain);
const char *toolchain_script(const struct toolchain *toolchain); /* NULL = none */
const char *toolchain_directory(const struct toolchain *toolchain);
void toolchain_free(struct toolchain *toolchain); /* when the op has ended. NULL is fine */

#endif
