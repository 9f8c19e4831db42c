#include "invokers/toolchain.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "invokers/compile.h"
#include "invokers/venv.h"
#include "loop/loop.h"

#define PATH_BYTES 4096

struct toolchain {
    struct toolchain_options options;
    const struct runtime *runtime;
    char directory[PATH_BYTES];
    char executable[PATH_BYTES];
    char script[PATH_BYTES];
    char include[PATH_BYTES];
    struct op step;
    struct op *op;
    struct venv *venv;
    struct compile *compile;
    size_t at; /* the function that is prepared */
    bool is_aborted;
};

struct runtime {
    const char *name;
    const char *threads;    /* setting for more than one thread, if one is the default; else NULL */
    const char *executable; /* in the worker's directory; NULL = an interpreter that begin finds */
    const char *script;     /* in the worker's directory; NULL = none */
    /* Begins the next wait (t->step) and returns true, or false when nothing is left to do. */
    bool (*begin)(struct toolchain *t);
    /* Takes in its result. An error ends the preparation: nothing of the app can run. */
    enum err (*judge)(struct toolchain *t, enum err err);
};

/* ---- C: compile one function after the other ---- */

static bool c_begin(struct toolchain *t)
{
    struct compile_options options = {t->options.loop, t->options.cache_dir, t->include,
                                      t->options.environment};
    while (t->at < t->options.function_count &&
           !compile_is_source(t->options.functions[t->at].script_file))
        t->at++;
    if (t->at == t->options.function_count)
        return false;
    t->compile = compile_new(&options, t->options.functions[t->at].function);
    compile_run(t->compile, &t->step);
    return true;
}

static enum err c_judge(struct toolchain *t, enum err err)
{
    struct worker_function *function = &t->options.functions[t->at++];
    if (err == E_OK) {
        free(function->script_file);
        function->script_file = slice_dup(slice_of(compile_output(t->compile)));
    } else {
        function->error = slice_dup(slice_of(cause_text(&t->step.why, err)));
    }
    compile_free(t->compile);
    t->compile = NULL;
    return err == E_CANCELED ? err : E_OK;
}

/* ---- Python: find or make the environment ---- */

static bool python_begin(struct toolchain *t)
{
    struct venv_options options = {t->options.loop, t->options.app, t->options.cache_dir,
                                   t->options.environment};
    if (t->venv != NULL)
        return false;
    t->venv = venv_new(&options);
    venv_run(t->venv, &t->step);
    return true;
}

static enum err python_judge(struct toolchain *t, enum err err)
{
    if (err == E_OK)
        (void)snprintf(t->executable, sizeof t->executable, "%s", venv_python(t->venv));
    return err;
}

static const struct runtime runtimes[] = {
    {"c", "C_THREADPOOL_THREAD_COUNT", "redgrid-worker-c", NULL, c_begin, c_judge},
    {"python", NULL, NULL, "worker.py", python_begin, python_judge},
};

static const struct runtime *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(runtimes); i++)
        if (strcmp(runtimes[i].name, name) == 0)
            return &runtimes[i];
    return NULL;
}

bool toolchain_serves(const char *runtime)
{
    return find(runtime) != NULL;
}

bool toolchain_is_serial(const struct app *app)
{
    const struct runtime *row = find(app->runtime);
    if (row == NULL || row->threads == NULL)
        return false;
    const char *threads = app_setting(app, slice_of(row->threads));
    return threads == NULL || strcmp(threads, "1") == 0;
}

void toolchain_add_names(struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(runtimes); i++)
        buf_addf(out, "%s%s", i == 0 ? "" : ", ", runtimes[i].name);
}

static void finish(struct toolchain *t, enum err err)
{
    t->op->why = t->step.why;
    op_end(t->op, t->is_aborted ? E_CANCELED : err);
}

static void on_step(struct op *step, enum err err)
{
    struct toolchain *t = container_of(step, struct toolchain, step);
    err = t->runtime->judge(t, err);
    if (err != E_OK || t->is_aborted || !t->runtime->begin(t))
        finish(t, err);
}

static void on_abort(struct op *op)
{
    struct toolchain *t = op->runner;
    t->is_aborted = true;
    op_abort(&t->step);
}

struct toolchain *toolchain_new(const struct toolchain_options *options)
{
    struct toolchain *t = mem_new(struct toolchain);
    t->options = *options;
    t->runtime = find(options->app->runtime);
    assert(t->runtime != NULL);
    t->step.done = on_step;
    (void)snprintf(t->directory, sizeof t->directory, "%.3900s/%s", options->worker_dir,
                   t->runtime->name);
    if (t->runtime->executable != NULL)
        (void)snprintf(t->executable, sizeof t->executable, "%.4000s/%s", t->directory,
                       t->runtime->executable);
    if (t->runtime->script != NULL)
        (void)snprintf(t->script, sizeof t->script, "%.4000s/%s", t->directory, t->runtime->script);
    if (options->include_dir != NULL)
        (void)snprintf(t->include, sizeof t->include, "%s", options->include_dir);
    else
        (void)snprintf(t->include, sizeof t->include, "%.3900s/../include", options->worker_dir);
    return t;
}

void toolchain_prepare(struct toolchain *t, struct op *op)
{
    t->op = op;
    if (t->runtime->begin(t))
        op_begin(op, on_abort, t);
    else
        loop_later(t->options.loop, op, E_OK);
}

const char *toolchain_executable(const struct toolchain *t)
{
    return t->executable;
}

const char *toolchain_script(const struct toolchain *t)
{
    return t->script[0] == '\0' ? NULL : t->script;
}

const char *toolchain_directory(const struct toolchain *t)
{
    return t->directory;
}

void toolchain_free(struct toolchain *t)
{
    if (t == NULL)
        return;
    compile_free(t->compile);
    venv_free(t->venv);
    free(t);
}
