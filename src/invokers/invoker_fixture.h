/* invokers/invoker_fixture.h - for tests: an app in a temporary folder, an invoker on a real loop,
 * and runs of its functions. */
#ifndef INVOKERS_INVOKER_FIXTURE_H
#define INVOKERS_INVOKER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/client.h"
#include "invokers/invoker.h"
#include "loop/loop.h"
#include "loop/process.h"
#include "loop/timer.h"

#define FIXTURE_MS 20000u
#define LOG_LINES_MAX 256

struct fixture {
    char folder[256];
    char worker_dir[512], include_dir[512], cache_dir[512];
    struct loop *loop;
    struct http_client *http;
    struct app *app;
    struct invoker *invoker;
    enum invoker_state state;
    unsigned states; /* all that were told, as bits */
    char why[CAUSE_MAX_BYTES];
    unsigned loaded;
    char load_error[CAUSE_MAX_BYTES];
    char *lines[LOG_LINES_MAX];
    size_t line_count;
    struct op stop;
    bool is_stopped;
    struct timer *pulse;
    uint64_t deadline_ms;
    bool (*is_true)(void *ctx);
    void *ctx;
};

struct fixture_run {
    struct invocation run;
    struct rpc_named input;
    int ended;
    enum err err;
    char why[CAUSE_MAX_BYTES];
    char result[4096];
    enum rpc_kind kind;
    char outputs[4096]; /* "name=text;" each */
};

static inline void fixture_put(const struct fixture *f, const char *name, const char *text)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    for (char *at = strchr(path + strlen(f->folder) + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(path, 0700);
        *at = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static inline void fixture_put_function(const struct fixture *f, const char *name,
                                        const char *script)
{
    char path[300], text[600];
    (void)snprintf(path, sizeof path, "app/%s/function.json", name);
    (void)snprintf(
        text, sizeof text,
        "{\"bindings\":[{\"type\":\"redisListTrigger\",\"connectionStringSetting\":"
        "\"127.0.0.1:6379\",\"key\":\"k\",\"name\":\"entry\",\"direction\":\"in\"}]%s%s%s}",
        script ? ",\"scriptFile\":\"" : "", script ? script : "", script ? "\"" : "");
    fixture_put(f, path, text);
}

static inline void fixture_tap(void *ctx, const struct log_record *record)
{
    struct fixture *f = ctx;
    char line[2048];
    if (f->line_count == LOG_LINES_MAX)
        return;
    (void)snprintf(line, sizeof line, "%d %.*s %.*s [%.*s] %.*s", (int)record->level,
                   SLICE_ARG(record->id), SLICE_ARG(record->category), SLICE_ARG(record->function),
                   SLICE_ARG(record->text));
    f->lines[f->line_count++] = strdup(line);
}

static inline bool fixture_logged(const struct fixture *f, const char *part)
{
    for (size_t i = 0; i < f->line_count; i++)
        if (strstr(f->lines[i], part) != NULL)
            return true;
    return false;
}

static inline void fixture_on_pulse(void *ctx)
{
    struct fixture *f = ctx;
    if (f->is_true(f->ctx) || clock_now_ms() > f->deadline_ms)
        loop_stop(f->loop);
}

/* fixture_until runs the loop until it is true; the test fails when that takes too long. */
static inline void fixture_until(struct fixture *f, bool (*is_true)(void *ctx), void *ctx)
{
    f->is_true = is_true;
    f->ctx = ctx;
    f->deadline_ms = clock_now_ms() + FIXTURE_MS;
    timer_every(f->pulse, 1);
    if (!is_true(ctx))
        loop_run(f->loop);
    timer_clear(f->pulse);
    if (!is_true(ctx)) {
        for (size_t i = 0; i < f->line_count; i++)
            print_message("log: %s\n", f->lines[i]);
        fail_msg("what the test waits for did not happen; state %d, %s", (int)f->state, f->why);
    }
}

static inline void fixture_on_state(void *ctx, enum invoker_state state, const struct cause *why)
{
    struct fixture *f = ctx;
    f->state = state;
    f->states |= 1u << state;
    (void)snprintf(f->why, sizeof f->why, "%s", why->text);
}

static inline void fixture_on_loaded(void *ctx, const struct function *function, const char *error)
{
    struct fixture *f = ctx;
    (void)function;
    f->loaded++;
    if (error != NULL)
        (void)snprintf(f->load_error, sizeof f->load_error, "%s", error);
}

static inline bool fixture_is_ready(void *ctx)
{
    return ((struct fixture *)ctx)->state == INVOKER_READY;
}

static inline bool fixture_is_unhealthy(void *ctx)
{
    return ((struct fixture *)ctx)->state == INVOKER_UNHEALTHY;
}

static inline bool fixture_is_stopped(void *ctx)
{
    return ((struct fixture *)ctx)->is_stopped;
}

static inline void fixture_on_stop(struct op *op, enum err err)
{
    struct fixture *f = container_of(op, struct fixture, stop);
    assert_int_equal(err, E_OK);
    f->is_stopped = true;
}

/* The build folder is beside the test program, the sources are where this file was compiled from.
 */
static inline void fixture_places(struct fixture *f)
{
    char exe[256] = "";
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    assert_true(len > 0);
    *strrchr(exe, '/') = '\0'; /* build/src */
    (void)snprintf(f->worker_dir, sizeof f->worker_dir, "%s/../workers", exe);
    char file[] = __FILE__;
    *strrchr(file, '/') = '\0';
    (void)snprintf(f->include_dir, sizeof f->include_dir, "%s%s%s/../../include",
                   file[0] == '/' ? "" : exe, file[0] == '/' ? "" : "/../", file);
    (void)snprintf(f->cache_dir, sizeof f->cache_dir, "%s/cache", f->folder);
}

static inline void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/redgrid-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    fixture_places(f);
    fixture_put(f, "app/host.json", "{\"version\":\"2.0\"}");
    log_tap(fixture_tap, f);
    f->loop = loop_new();
    f->pulse = timer_new(f->loop, fixture_on_pulse, f);
    f->http = http_client_new(f->loop, &(struct http_client_options){0});
    f->stop.done = fixture_on_stop;
}

/* fixture_start loads the app and starts its invoker with so many processes. */
static inline void fixture_start(struct fixture *f, uint32_t min, uint32_t max)
{
    char directory[300];
    struct cause why = {{0}};
    extern char **environ;
    (void)snprintf(directory, sizeof directory, "%s/app", f->folder);
    f->app = app_load(
        &(struct app_options){.directory = directory, .environment = (const char *const *)environ});
    assert_null(f->app->error);
    struct invoker_options options = {
        .loop = f->loop,
        .http = f->http,
        .app = f->app,
        .host_version = "4.0.0",
        .worker_dir = f->worker_dir,
        .cache_dir = f->cache_dir,
        .include_dir = f->include_dir,
        .process_min = min,
        .process_max = max,
        .events = {fixture_on_state, fixture_on_loaded, f},
    };
    if (invoker_start(&options, &f->invoker, &why) != E_OK)
        fail_msg("invoker_start: %s", why.text);
}

static inline void fixture_start_ready(struct fixture *f, uint32_t min, uint32_t max)
{
    fixture_start(f, min, max);
    fixture_until(f, fixture_is_ready, f);
}

static inline void fixture_stop(struct fixture *f)
{
    f->invoker->kind->stop(f->invoker, &f->stop);
    fixture_until(f, fixture_is_stopped, f);
}

static inline void fixture_done(struct fixture *f)
{
    char command[300];
    if (f->invoker != NULL)
        f->invoker->kind->free(f->invoker);
    http_client_free(f->http);
    timer_free(f->pulse);
    loop_free(f->loop);
    app_free(f->app);
    log_tap(NULL, NULL);
    for (size_t i = 0; i < f->line_count; i++)
        free(f->lines[i]);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
}

static inline void fixture_end(struct fixture *f)
{
    fixture_stop(f);
    fixture_done(f);
}

static inline void fixture_text(const struct rpc_data *data, char *ret, size_t size)
{
    switch (data->kind) {
    case RPC_INT:
        (void)snprintf(ret, size, "%lld", (long long)data->integer);
        break;
    case RPC_DOUBLE:
        (void)snprintf(ret, size, "%g", data->number);
        break;
    default:
        (void)snprintf(ret, size, "%.*s", SLICE_ARG(data->text));
    }
}

static inline void fixture_on_run(struct op *op, enum err err)
{
    struct fixture_run *r = container_of(op, struct fixture_run, run.op);
    r->ended++;
    r->err = err;
    (void)snprintf(r->why, sizeof r->why, "%s", op->why.text);
    if (err != E_OK)
        return;
    r->kind = r->run.return_value.kind;
    fixture_text(&r->run.return_value, r->result, sizeof r->result);
    for (size_t i = 0; i < r->run.output_count; i++) {
        size_t used = strlen(r->outputs);
        (void)snprintf(r->outputs + used, sizeof r->outputs - used,
                       "%.*s=", SLICE_ARG(r->run.outputs[i].name));
        used = strlen(r->outputs);
        fixture_text(&r->run.outputs[i].data, r->outputs + used, sizeof r->outputs - used);
        used = strlen(r->outputs);
        (void)snprintf(r->outputs + used, sizeof r->outputs - used, ";");
    }
}

static inline const struct function *fixture_function(const struct fixture *f, const char *name)
{
    for (size_t i = 0; i < f->app->function_count; i++)
        if (strcmp(f->app->functions[i]->name, name) == 0)
            return f->app->functions[i];
    fail_msg("no function %s", name);
    return NULL;
}

static inline void fixture_invoke(struct fixture *f, struct fixture_run *r, const char *function,
                                  const char *text)
{
    memset(r, 0, sizeof *r);
    r->run.op.done = fixture_on_run;
    r->run.function = fixture_function(f, function);
    r->run.id = id_next();
    r->input = (struct rpc_named){SLICE("entry"), {.kind = RPC_STRING, .text = slice_of(text)}};
    r->run.inputs = &r->input;
    r->run.input_count = 1;
    assert_int_equal(f->invoker->kind->invoke(f->invoker, &r->run), E_OK);
}

/* As a retry does: the same run with another id. */
static inline void fixture_invoke_again(struct fixture *f, struct fixture_run *r)
{
    r->ended = 0;
    r->run.id = id_next();
    assert_int_equal(f->invoker->kind->invoke(f->invoker, &r->run), E_OK);
}

static inline bool fixture_has_ended(void *ctx)
{
    return ((struct fixture_run *)ctx)->ended > 0;
}

static inline void fixture_await(struct fixture *f, struct fixture_run *r)
{
    fixture_until(f, fixture_has_ended, r);
    assert_int_equal(r->ended, 1);
}

static inline void fixture_call(struct fixture *f, struct fixture_run *r, const char *function,
                                const char *text)
{
    fixture_invoke(f, r, function, text);
    fixture_await(f, r);
}

#endif
