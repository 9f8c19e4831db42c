#include "invokers/compile.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "invokers/digest.h"
#include "invokers/task.h"
#include "loop/loop.h"

/*   LOOK --not in the cache--> COMPILE --well--> KEEP --> end
 *    | in the cache              | badly
 *    +--> end                    +--> end
 * LOOK and KEEP work with files, on the pool. */
enum state { LOOK, COMPILE, KEEP };

#define PATH_BYTES 4096
#define ARGS_MAX 128
#define LAYOUT "1" /* of the cache: raise it when the same input shall give another output */

static const char *const flags[] = {"-std=gnu17", "-O2", "-g", "-fPIC", "-shared", "-Wall"};

struct compile {
    struct compile_options options;
    const struct function *function;
    enum state state;
    struct op step;
    struct op *op;
    struct task task;
    char *compiler; /* words; what args point into */
    char *extra;
    char include[PATH_BYTES];
    char output[PATH_BYTES];
    char part[PATH_BYTES]; /* what the compiler writes; becomes output in one step */
    const char *args[ARGS_MAX];
    bool is_cached;
    struct cause first_error;
};

bool compile_is_source(const char *script_file)
{
    return script_file != NULL && slice_has_suffix_nocase(slice_of(script_file), SLICE(".c"));
}

static const char *setting(const struct app *app, struct slice name, const char *otherwise)
{
    const char *value = app_setting(app, name);
    return value == NULL || slice_is_blank(slice_of(value)) ? otherwise : value;
}

/* Splits `words` at spaces in place. */
static size_t add_words(const char **args, size_t count, char *words)
{
    char *rest = words;
    for (char *word; (word = strsep(&rest, " \t")) != NULL;)
        if (*word != '\0' && count < ARGS_MAX - 8)
            args[count++] = word;
    return count;
}

static void fill_args(struct compile *c)
{
    size_t count = add_words(c->args, 0, c->compiler);
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        c->args[count++] = flags[i];
    c->args[count++] = c->include;
    c->args[count++] = "-o";
    c->args[count++] = c->part;
    c->args[count++] = c->function->script_file;
    count = add_words(c->args, count, c->extra);
    c->args[count] = NULL;
    assert(count < ARGS_MAX);
}

static void look_digest(const struct compile *c, struct digest *digest)
{
    digest_init(digest);
    digest_add(digest, SLICE(LAYOUT));
    digest_add(digest, slice_of(c->function->script_file));
    for (size_t i = 0; c->args[i] != NULL; i++)
        if (c->args[i] != c->part)
            digest_add(digest, slice_of(c->args[i]));
}

static enum err make_directory(const char *path, struct cause *why)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return E_OK;
    return cause_set(why, err_from_errno(errno), "%s: %s", path, strerror(errno));
}

/* On the pool. */
static enum err look(void *ctx, struct cause *why)
{
    struct compile *c = ctx;
    struct digest digest;
    char name[DIGEST_TEXT_BYTES];
    char directory[PATH_BYTES / 2];
    char header[PATH_BYTES];

    look_digest(c, &digest);
    enum err err = digest_add_directory(&digest, c->function->directory, why);
    (void)snprintf(header, sizeof header, "%.3000s/redgrid/function.h", c->options.include_dir);
    if (err == E_OK)
        err = digest_add_file(&digest, header, why);
    if (err == E_OK)
        err = make_directory(c->options.cache_dir, why);
    (void)snprintf(directory, sizeof directory, "%.2000s/c", c->options.cache_dir);
    if (err == E_OK)
        err = make_directory(directory, why);
    if (err != E_OK)
        return err;
    digest_text(&digest, name);
    (void)snprintf(c->output, sizeof c->output, "%s/%s-%s.so", directory, c->function->name, name);
    (void)snprintf(c->part, sizeof c->part, "%.3900s.%d.part", c->output, (int)getpid());
    c->is_cached = access(c->output, R_OK) == 0;
    return E_OK;
}

/* On the pool. */
static enum err keep(void *ctx, struct cause *why)
{
    struct compile *c = ctx;
    if (rename(c->part, c->output) == 0)
        return E_OK;
    return cause_set(why, err_from_errno(errno), "%s: %s", c->output, strerror(errno));
}

static bool holds(struct slice line, struct slice word)
{
    return slice_find(line, word) < line.len;
}

static void on_line(void *ctx, struct slice line)
{
    struct compile *c = ctx;
    enum log_level level = LOG_INFO;
    if (holds(line, SLICE("error:")) || holds(line, SLICE("undefined reference")))
        level = LOG_ERROR;
    else if (holds(line, SLICE("warning:")))
        level = LOG_WARN;
    if (level == LOG_ERROR && c->first_error.text[0] == '\0')
        (void)cause_set(&c->first_error, E_FAILED, "%.*s", SLICE_ARG(line));
    log_write(&(struct log_record){.level = level,
                                   .id = SLICE("FUNCTION-COMPILE"),
                                   .function = slice_of(c->function->name),
                                   .text = line});
}

static enum err compile_begin(struct compile *c)
{
    struct task_options options = {
        .loop = c->options.loop,
        .args = c->args,
        .environment = c->options.environment->items,
        .cwd = c->function->directory,
        .line = on_line,
        .ctx = c,
    };
    return task_start(&c->task, &options, &c->step);
}

static enum err begin(struct compile *c, enum state state)
{
    c->state = state;
    switch (state) {
    case LOOK:
        return work_run(c->options.loop, look, c, &c->step);
    case COMPILE:
        return compile_begin(c);
    case KEEP:
        return work_run(c->options.loop, keep, c, &c->step);
    }
    return E_OK;
}

static void finish(struct compile *c, enum err err)
{
    struct slice line = slice_of(c->first_error.text);
    if (err == E_FAILED && line.len == 0)
        line = task_last_lines(&c->task, 1);
    if (err == E_FAILED && line.len > 0)
        (void)cause_set(&c->op->why, err, "it does not compile: %.*s", SLICE_ARG(line));
    else
        c->op->why = c->step.why;
    task_done(&c->task);
    op_end(c->op, err);
}

static void on_step(struct op *step, enum err err)
{
    struct compile *c = container_of(step, struct compile, step);
    bool is_last = err != E_OK || c->state == KEEP || (c->state == LOOK && c->is_cached);
    if (!is_last)
        err = begin(c, c->state + 1);
    if (is_last || err != E_OK)
        finish(c, err);
}

static void on_abort(struct op *op)
{
    struct compile *c = op->runner;
    op_abort(&c->step);
}

struct compile *compile_new(const struct compile_options *options, const struct function *function)
{
    struct compile *c = mem_new(struct compile);
    c->options = *options;
    c->function = function;
    c->step.done = on_step;
    c->compiler =
        slice_dup(slice_of(setting(function->app, SLICE("languageWorkers:c:compiler"), "cc")));
    c->extra = slice_dup(slice_of(setting(function->app, SLICE("C_FLAGS"), "")));
    (void)snprintf(c->include, sizeof c->include, "-I%s", options->include_dir);
    fill_args(c);
    return c;
}

void compile_run(struct compile *c, struct op *op)
{
    c->op = op;
    enum err err = begin(c, LOOK);
    if (err) {
        loop_later(c->options.loop, op, err);
        return;
    }
    op_begin(op, on_abort, c);
}

const char *compile_output(const struct compile *c)
{
    return c->output;
}

void compile_free(struct compile *c)
{
    if (c == NULL)
        return;
    task_done(&c->task);
    free(c->compiler);
    free(c->extra);
    free(c);
}
