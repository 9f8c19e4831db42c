/* invokers/venv.h - the Python that an app runs with. In this order: the setting
 * languageWorkers:python:defaultExecutablePath, the app's .venv or venv, an environment of our own
 * when requirements.txt asks for packages (built once, in the cache directory), python3. */
#ifndef INVOKERS_VENV_H
#define INVOKERS_VENV_H

#include "apps/environment.h"
#include "loop/op.h"

struct loop;
struct venv;

struct venv_options {
    struct loop *loop;
    const struct app *app;
    const char *cache_dir;
    const struct environment *environment;
};

/* venv_requires: does the text of a requirements.txt ask for more than the built-in worker brings?
 */
bool venv_requires(struct slice requirements);

/* venv_new: `options` are copied, what they point to is borrowed. */
struct venv *venv_new(const struct venv_options *options);
/* venv_run. Later: E_OK, and venv_python() names the interpreter; E_FAILED with pip's last lines in
 * op->why; E_NOT_FOUND, E_IO, E_CANCELED. */
void venv_run(struct venv *venv, struct op *op);
const char *venv_python(const struct venv *venv);
void venv_free(struct venv *venv); /* when the op has ended. NULL is fine */

#endif
