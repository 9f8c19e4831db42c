#include "invokers/venv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "invokers/digest.h"
#include "invokers/task.h"
#include "loop/loop.h"

/*   LOOK --packages wanted, none built--> MAKE --> INSTALL --> MARK --> end
 *    | else                                | badly    | badly
 *    +--> end                              +--> end   +--> end
 * An environment cannot be moved once it is made, so it is made where it stays; the mark tells that
 * it is whole. LOOK and MARK work with files, on the pool. */
enum state { LOOK, MAKE, INSTALL, MARK };

#define PATH_BYTES 4096
#define REQUIREMENTS_MAX_BYTES (256 * 1024)
#define LAST_LINES 3

struct venv {
    struct venv_options options;
    enum state state;
    struct op step;
    struct op *op;
    struct task task;
    char requirements[PATH_BYTES];
    char base[PATH_BYTES];      /* the interpreter that makes it */
    char directory[PATH_BYTES]; /* ours */
    char mark[PATH_BYTES];
    char python[PATH_BYTES]; /* the answer */
    const char *args[16];
    bool is_settled;
};

/* What the built-in worker provides under the same name. */
static const struct slice provided[] = {
    SLICE_INIT("azure-functions"),
    SLICE_INIT("azure_functions"),
    SLICE_INIT("azure-functions-worker"),
};

static bool is_provided(struct slice line)
{
    size_t len = 0;
    while (len < line.len && strchr("=<>!~;[ \t", line.data[len]) == NULL)
        len++;
    for (size_t i = 0; i < COUNT_OF(provided); i++)
        if (slice_eq_nocase(slice_first(line, len), provided[i]))
            return true;
    return false;
}

bool venv_requires(struct slice requirements)
{
    for (struct slice line; slice_cut(&requirements, '\n', &line);) {
        line = slice_trim(slice_first(line, slice_find_byte(line, '#')));
        if (line.len > 0 && !is_provided(line))
            return true;
    }
    return false;
}

static bool is_program(const char *path)
{
    struct stat status;
    return access(path, X_OK) == 0 && stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Finds `name` as execvp would. */
static bool find_program(const struct environment *environment, const char *name, char *ret)
{
    const char *path = environment_get(environment, "PATH");
    struct slice rest = slice_of(path == NULL ? "/usr/local/bin:/usr/bin:/bin" : path);
    if (strchr(name, '/') != NULL) {
        (void)snprintf(ret, PATH_BYTES, "%s", name);
        return is_program(ret);
    }
    for (struct slice folder; slice_cut(&rest, ':', &folder);) {
        (void)snprintf(ret, PATH_BYTES, "%.*s/%s", SLICE_ARG(folder), name);
        if (is_program(ret))
            return true;
    }
    return false;
}

static bool find_in_app(struct venv *v)
{
    static const char *const folders[] = {".venv", "venv"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        (void)snprintf(v->python, sizeof v->python, "%s/%s/bin/python3", v->options.app->directory,
                       folders[i]);
        if (is_program(v->python))
            return true;
    }
    return false;
}

static enum err read_requirements(const struct venv *v, struct buf *out, struct cause *why)
{
    int fd = open(v->requirements, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;
    if (fd < 0 && errno == ENOENT)
        return E_OK;
    if (fd < 0)
        return cause_set(why, err_from_errno(errno), "requirements.txt: %s", strerror(errno));
    for (char *into; (into = buf_reserve(out, 4096)) != NULL;) {
        n = read(fd, into, 4096);
        if (n <= 0)
            break;
        buf_grow(out, (size_t)n);
    }
    (void)close(fd);
    if (n < 0)
        return cause_set(why, E_IO, "requirements.txt: cannot be read");
    if (buf_err(out))
        return cause_set(why, E_LIMIT, "requirements.txt: is too large");
    return E_OK;
}

static enum err make_directory(const char *path, struct cause *why)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return E_OK;
    return cause_set(why, err_from_errno(errno), "%s: %s", path, strerror(errno));
}

/* The same packages for the same interpreter are one environment, whichever app asks. */
static enum err look_ours(struct venv *v, struct slice requirements, struct cause *why)
{
    struct digest digest;
    char name[DIGEST_TEXT_BYTES];
    char real[PATH_BYTES];
    char parent[PATH_BYTES / 2];
    if (realpath(v->base, real) == NULL)
        return cause_set(why, err_from_errno(errno), "%s: %s", v->base, strerror(errno));
    digest_init(&digest);
    digest_add(&digest, slice_of(real));
    digest_add(&digest, requirements);
    digest_text(&digest, name);
    (void)snprintf(parent, sizeof parent, "%.2000s/venv", v->options.cache_dir);
    enum err err = make_directory(v->options.cache_dir, why);
    if (err == E_OK)
        err = make_directory(parent, why);
    (void)snprintf(v->directory, sizeof v->directory, "%s/%s", parent, name);
    (void)snprintf(v->mark, sizeof v->mark, "%.3000s/.complete", v->directory);
    (void)snprintf(v->python, sizeof v->python, "%.3000s/bin/python3", v->directory);
    v->is_settled = access(v->mark, F_OK) == 0;
    return err;
}

/* On the pool. */
static enum err look(void *ctx, struct cause *why)
{
    struct venv *v = ctx;
    const char *chosen =
        app_setting(v->options.app, SLICE("languageWorkers:python:defaultExecutablePath"));
    const char *name = chosen != NULL && *chosen != '\0' ? chosen : "python3";

    v->is_settled = true;
    if (name != chosen && find_in_app(v))
        return E_OK;
    if (!find_program(v->options.environment, name, v->base))
        return cause_set(why, E_NOT_FOUND,
                         "%s: not found: install it, or name it in setting "
                         "languageWorkers:python:defaultExecutablePath",
                         name);
    (void)snprintf(v->python, sizeof v->python, "%s", v->base);
    if (name == chosen)
        return E_OK;
    struct buf text;
    buf_init(&text, REQUIREMENTS_MAX_BYTES);
    enum err err = read_requirements(v, &text, why);
    if (err == E_OK && venv_requires(buf_slice(&text)))
        err = look_ours(v, buf_slice(&text), why);
    buf_done(&text);
    return err;
}

/* On the pool. */
static enum err mark(void *ctx, struct cause *why)
{
    struct venv *v = ctx;
    int fd = open(v->mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return cause_set(why, err_from_errno(errno), "%s: %s", v->mark, strerror(errno));
    (void)close(fd);
    return E_OK;
}

static void on_line(void *ctx, struct slice line)
{
    const struct venv *v = ctx;
    log_info("PYTHON-PACKAGES", "%s: %.*s", v->options.app->name, SLICE_ARG(line));
}

static enum err run(struct venv *v, const char *const *args)
{
    struct task_options options = {
        .loop = v->options.loop,
        .args = v->args,
        .environment = v->options.environment->items,
        .cwd = v->options.app->directory,
        .line = on_line,
        .ctx = v,
    };
    size_t count = 0;
    for (; args[count] != NULL; count++)
        v->args[count] = args[count];
    v->args[count] = NULL;
    task_done(&v->task);
    return task_start(&v->task, &options, &v->step);
}

static enum err begin(struct venv *v, enum state state)
{
    const char *const make_args[] = {v->base, "-m", "venv", "--clear", v->directory, NULL};
    const char *const install_args[] = {
        v->python,    "-m", "pip",           "install", "--disable-pip-version-check",
        "--no-input", "-r", v->requirements, NULL};
    v->state = state;
    switch (state) {
    case LOOK:
        return work_run(v->options.loop, look, v, &v->step);
    case MAKE:
        log_info("PYTHON-PACKAGES", "%s: installing what requirements.txt asks for into %s",
                 v->options.app->name, v->directory);
        return run(v, make_args);
    case INSTALL:
        return run(v, install_args);
    case MARK:
        return work_run(v->options.loop, mark, v, &v->step);
    }
    return E_OK;
}

static void finish(struct venv *v, enum err err)
{
    struct slice lines = task_last_lines(&v->task, LAST_LINES);
    if (err == E_FAILED && lines.len > 0)
        (void)cause_set(&v->op->why, err, "requirements.txt: %.*s", SLICE_ARG(lines));
    else
        v->op->why = v->step.why;
    task_done(&v->task);
    op_end(v->op, err);
}

static void on_step(struct op *step, enum err err)
{
    struct venv *v = container_of(step, struct venv, step);
    bool is_last = err != E_OK || v->state == MARK || (v->state == LOOK && v->is_settled);
    if (!is_last)
        err = begin(v, v->state + 1);
    if (is_last || err != E_OK)
        finish(v, err);
}

static void on_abort(struct op *op)
{
    struct venv *v = op->runner;
    op_abort(&v->step);
}

struct venv *venv_new(const struct venv_options *options)
{
    struct venv *v = mem_new(struct venv);
    v->options = *options;
    v->step.done = on_step;
    (void)snprintf(v->requirements, sizeof v->requirements, "%s/requirements.txt",
                   options->app->directory);
    return v;
}

void venv_run(struct venv *v, struct op *op)
{
    v->op = op;
    enum err err = begin(v, LOOK);
    if (err)
        loop_later(v->options.loop, op, err);
    else
        op_begin(op, on_abort, v);
}

const char *venv_python(const struct venv *v)
{
    return v->python;
}

void venv_free(struct venv *v)
{
    if (v == NULL)
        return;
    task_done(&v->task);
    free(v);
}
