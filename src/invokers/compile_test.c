/* The compiler and the installer are real processes: the system's C compiler, and a script that
 * plays Python. */
#include <fcntl.h>

#include "invokers/compile.h"
#include "invokers/digest.h"
#include "invokers/invoker_fixture.h"
#include "invokers/task.h"
#include "invokers/venv.h"

struct wait {
    struct op op;
    bool is_done;
    enum err err;
};

static void on_done(struct op *op, enum err err)
{
    struct wait *wait = container_of(op, struct wait, op);
    wait->is_done = true;
    wait->err = err;
}

static bool is_done(void *ctx)
{
    return ((struct wait *)ctx)->is_done;
}

/* ---- compile ---- */

static void load(struct fixture *f)
{
    char directory[300];
    extern char **environ;
    (void)snprintf(directory, sizeof directory, "%s/app", f->folder);
    f->app = app_load(
        &(struct app_options){.directory = directory, .environment = (const char *const *)environ});
    assert_null(f->app->error);
}

static void reload(struct fixture *f)
{
    app_free(f->app);
    load(f);
}

static enum err compile(struct fixture *f, char *ret_output, char *ret_why)
{
    struct wait wait = {.op.done = on_done};
    struct environment environment;
    environment_init_app(&environment, f->app);
    struct compile_options options = {f->loop, f->cache_dir, f->include_dir, &environment};
    struct compile *compile = compile_new(&options, f->app->functions[0]);
    compile_run(compile, &wait.op);
    fixture_until(f, is_done, &wait);
    (void)snprintf(ret_output, 1024, "%s", compile_output(compile));
    (void)snprintf(ret_why, CAUSE_MAX_BYTES, "%s", wait.op.why.text);
    compile_free(compile);
    environment_done(&environment);
    return wait.err;
}

static void put_c(struct fixture *f, const char *settings, const char *text)
{
    char json[512];
    (void)snprintf(json, sizeof json, "{\"Values\":{\"FUNCTIONS_WORKER_RUNTIME\":\"c\"%s}}",
                   settings);
    fixture_put(f, "app/local.settings.json", json);
    fixture_put_function(f, "F", "f.c");
    fixture_put(f, "app/F/f.c", text);
}

static ino_t inode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_ino;
}

static void a_result_is_kept_until_something_changes(void **state)
{
    struct fixture f;
    char first[1024], output[1024], why[CAUSE_MAX_BYTES];
    (void)state;
    fixture_init(&f);
    put_c(&f, "", "#include \"h.h\"\nint F(void)\n{\n    return N;\n}\n");
    fixture_put(&f, "app/F/h.h", "#define N 1\n");
    load(&f);
    assert_int_equal(compile(&f, first, why), E_OK);
    assert_int_equal(access(first, R_OK), 0);
    ino_t at = inode_of(first);
    assert_int_equal(compile(&f, output, why), E_OK);
    assert_string_equal(output, first);
    assert_int_equal(inode_of(first), at); /* the very same file */

    fixture_put(&f, "app/F/h.h", "#define N 2\n");
    assert_int_equal(compile(&f, output, why), E_OK);
    assert_string_not_equal(output, first);
    fixture_put(&f, "app/F/h.h", "#define N 1\n");
    put_c(&f, ",\"C_FLAGS\":\"-DX -lm\"", "#include \"h.h\"\nint F(void)\n{\n    return N;\n}\n");
    reload(&f);
    assert_int_equal(compile(&f, output, why), E_OK);
    assert_string_not_equal(output, first);
    fixture_done(&f);
}

static void mistakes_are_told(void **state)
{
    struct fixture f;
    char output[1024], why[CAUSE_MAX_BYTES];
    (void)state;
    fixture_init(&f);
    put_c(&f, "", "int F(void)\n{\n    return 1\n}\n");
    load(&f);
    assert_int_equal(compile(&f, output, why), E_FAILED);
    assert_non_null(strstr(why, "it does not compile: "));
    assert_non_null(strstr(why, "f.c:3:13: error: "));
    assert_int_not_equal(access(output, F_OK), 0);
    assert_true(fixture_logged(&f, "4 FUNCTION-COMPILE  [F] "));

    put_c(&f, "", "int F(void)\n{\n    int unused;\n    return 1;\n}\n");
    assert_int_equal(compile(&f, output, why), E_OK);
    assert_true(fixture_logged(&f, "3 FUNCTION-COMPILE  [F] "));

    put_c(&f, ",\"languageWorkers:c:compiler\":\"no-such-cc\"", "int F;\n");
    reload(&f);
    assert_int_equal(compile(&f, output, why), E_NOT_FOUND);
    assert_non_null(strstr(why, "no-such-cc"));
    fixture_done(&f);
}

static void an_aborted_compile_ends(void **state)
{
    struct fixture f;
    struct wait wait = {.op.done = on_done};
    struct environment environment;
    (void)state;
    fixture_init(&f);
    put_c(&f, ",\"languageWorkers:c:compiler\":\"sleep 100 #\"", "int F;\n");
    load(&f);
    environment_init_app(&environment, f.app);
    struct compile_options options = {f.loop, f.cache_dir, f.include_dir, &environment};
    struct compile *compile = compile_new(&options, f.app->functions[0]);
    compile_run(compile, &wait.op);
    op_abort(&wait.op);
    fixture_until(&f, is_done, &wait);
    assert_int_not_equal(wait.err, E_OK);
    compile_free(compile);
    environment_done(&environment);
    fixture_done(&f);
}

/* ---- Python ---- */

static void what_the_worker_brings_needs_no_environment(void **state)
{
    static const struct {
        const char *text;
        bool requires;
    } rows[] = {
        {"", false},
        {"# only a comment\n\n", false},
        {"azure-functions\n", false},
        {"azure-functions>=1.2,<2 # host\r\n", false},
        {"Azure_Functions==1.0; python_version > '3'\n", false},
        {"redis\n", true},
        {"azure-functions\nredis==5\n", true},
        {"azure-functions-extra\n", true},
        {"-r other.txt", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(venv_requires(slice_of(rows[i].text)), rows[i].requires);
}

/* A python3 that notes what it is asked, and fails to install "bad". */
static const char python[] = "#!/bin/sh\n"
                             "echo \"$*\" >> \"$PYTHON_CALLS\"\n"
                             "if [ \"$2\" = venv ]; then\n"
                             "    mkdir -p \"$4/bin\" && cp \"$0\" \"$4/bin/python3\"\n"
                             "elif grep -q bad \"$7\"; then\n"
                             "    echo one; echo two; echo three; echo four; exit 1\n"
                             "fi\n";

static void put_python(struct fixture *f, const char *name)
{
    char path[512];
    fixture_put(f, name, python);
    (void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
    assert_int_equal(chmod(path, 0700), 0);
}

static void put_python_app(struct fixture *f, const char *settings)
{
    char json[512];
    fixture_init(f);
    put_python(f, "bin/python3");
    (void)snprintf(json, sizeof json, "{\"Values\":{\"FUNCTIONS_WORKER_RUNTIME\":\"python\"%s}}",
                   settings);
    fixture_put(f, "app/local.settings.json", json);
    load(f);
}

static enum err prepare(struct fixture *f, char *ret_python, char *ret_why)
{
    struct wait wait = {.op.done = on_done};
    struct environment environment;
    char path[1024];
    environment_init_app(&environment, f->app);
    (void)snprintf(path, sizeof path, "%s/bin:%s", f->folder, getenv("PATH"));
    environment_set(&environment, "PATH", path);
    (void)snprintf(path, sizeof path, "%s/calls", f->folder);
    environment_set(&environment, "PYTHON_CALLS", path);
    struct venv_options options = {f->loop, f->app, f->cache_dir, &environment};
    struct venv *venv = venv_new(&options);
    venv_run(venv, &wait.op);
    fixture_until(f, is_done, &wait);
    (void)snprintf(ret_python, 1024, "%s", venv_python(venv));
    (void)snprintf(ret_why, CAUSE_MAX_BYTES, "%s", wait.op.why.text);
    venv_free(venv);
    environment_done(&environment);
    return wait.err;
}

static size_t calls(const struct fixture *f)
{
    char path[512];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "%s/calls", f->folder);
    FILE *file = fopen(path, "r");
    for (int c; file != NULL && (c = fgetc(file)) != EOF;)
        count += c == '\n';
    if (file != NULL)
        (void)fclose(file);
    return count;
}

static void interpreters_are_found_in_order(void **state)
{
    struct fixture f;
    char found[1024], why[CAUSE_MAX_BYTES], expected[512];
    (void)state;
    put_python_app(&f, "");
    assert_int_equal(prepare(&f, found, why), E_OK);
    (void)snprintf(expected, sizeof expected, "%s/bin/python3", f.folder);
    assert_string_equal(found, expected);
    fixture_put(&f, "app/requirements.txt", "redis\n");
    put_python(&f, "app/venv/bin/python3");
    assert_int_equal(prepare(&f, found, why), E_OK);
    assert_non_null(strstr(found, "/app/venv/bin/python3"));
    put_python(&f, "app/.venv/bin/python3");
    assert_int_equal(prepare(&f, found, why), E_OK);
    assert_non_null(strstr(found, "/app/.venv/bin/python3"));
    assert_int_equal(calls(&f), 0);
    fixture_done(&f);

    put_python_app(&f, ",\"languageWorkers:python:defaultExecutablePath\":\"/bin/sh\"");
    assert_int_equal(prepare(&f, found, why), E_OK);
    assert_string_equal(found, "/bin/sh");
    fixture_done(&f);

    put_python_app(&f, ",\"languageWorkers:python:defaultExecutablePath\":\"no-python\"");
    assert_int_equal(prepare(&f, found, why), E_NOT_FOUND);
    assert_non_null(strstr(why, "no-python: not found"));
    fixture_done(&f);
}

static void packages_are_installed_once(void **state)
{
    struct fixture f;
    char found[1024], again[1024], why[CAUSE_MAX_BYTES];
    (void)state;
    put_python_app(&f, "");
    fixture_put(&f, "app/requirements.txt", "redis\n");
    assert_int_equal(prepare(&f, found, why), E_OK);
    assert_non_null(strstr(found, "/cache/venv/"));
    assert_int_equal(calls(&f), 2);
    assert_int_equal(prepare(&f, again, why), E_OK);
    assert_string_equal(again, found);
    assert_int_equal(calls(&f), 2);
    fixture_put(&f, "app/requirements.txt", "redis\nbad\n");
    for (size_t i = 1; i <= 2; i++) { /* a failure is not kept */
        assert_int_equal(prepare(&f, again, why), E_FAILED);
        assert_string_equal(why, "requirements.txt: two\nthree\nfour");
        assert_int_equal(calls(&f), 2 + 2 * i);
    }
    fixture_done(&f);
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_DEBUG, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_is_kept_until_something_changes),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(an_aborted_compile_ends),
        cmocka_unit_test(what_the_worker_brings_needs_no_environment),
        cmocka_unit_test(interpreters_are_found_in_order),
        cmocka_unit_test(packages_are_installed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
