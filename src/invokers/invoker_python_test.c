/* Real worker processes over a real socketpair: the built-in worker for Python. */
#include "invokers/invoker_fixture.h"

#include <fcntl.h>

static void put_python_app(struct fixture *f)
{
    fixture_init(f);
    fixture_put(f, "app/local.settings.json",
                "{\"Values\":{\"FUNCTIONS_WORKER_RUNTIME\":\"python\"}}");
    fixture_put_function(f, "Py", "__init__.py");
    fixture_put(f, "app/Py/__init__.py",
                "import logging, os, sys\n"
                "def main(entry: str) -> str:\n"
                "    logging.warning('got ' + entry)\n"
                "    if entry == 'fail': raise ValueError('no luck')\n"
                "    if entry == 'exit': os._exit(1)\n"
                "    if entry == 'python': return sys.executable\n"
                "    return entry.upper()\n");
}

static void python_functions_run(void **state)
{
    struct fixture f;
    struct fixture_run run;
    (void)state;
    put_python_app(&f);
    fixture_put(&f, "app/requirements.txt", "# nothing\nazure-functions>=1.2\n");
    fixture_start_ready(&f, 1, 1);
    fixture_call(&f, &run, "Py", "hello");
    assert_int_equal(run.err, E_OK);
    assert_true(fixture_logged(&f, "Function.Py.User [Py] got hello"));
    fixture_call(&f, &run, "Py", "fail");
    assert_int_equal(run.err, E_FAILED);
    assert_non_null(strstr(run.why, "no luck"));
    fixture_call(&f, &run, "Py", "exit");
    assert_int_equal(run.err, E_CRASHED);
    fixture_call(&f, &run, "Py", "again");
    assert_int_equal(run.err, E_OK);
    fixture_end(&f);
}

/* A python3 in front of the real one, that makes environments but cannot install into them. */
static void put_poor_python(const struct fixture *f)
{
    char path[1024];
    fixture_put(f, "bin/python3",
                "#!/bin/sh\n"
                "[ \"$2\" = venv ] || { echo no such package; exit 1; }\n"
                "mkdir -p \"$4/bin\" && cp \"$0\" \"$4/bin/python3\"\n");
    (void)snprintf(path, sizeof path, "%s/bin/python3", f->folder);
    assert_int_equal(chmod(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/bin:%.600s", f->folder, getenv("PATH"));
    assert_int_equal(setenv("PATH", path, 1), 0);
}

static void packages_that_cannot_be_installed_are_the_apps_error(void **state)
{
    struct fixture f;
    struct fixture_run run;
    char *path = strdup(getenv("PATH"));
    (void)state;
    put_python_app(&f);
    put_poor_python(&f);
    fixture_put(&f, "app/requirements.txt", "redis\n");
    fixture_start(&f, 1, 1);
    fixture_until(&f, fixture_is_unhealthy, &f);
    assert_string_equal(f.why, "requirements.txt: no such package");
    assert_string_equal(f.load_error, f.why);
    assert_true(fixture_logged(&f, "PYTHON-PACKAGES  [] app: no such package"));
    fixture_call(&f, &run, "Py", "x");
    assert_int_equal(run.err, E_FAILED);
    assert_string_equal(run.why, f.why);
    fixture_end(&f);
    assert_int_equal(setenv("PATH", path, 1), 0);
    free(path);
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_DEBUG, false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(python_functions_run),
        cmocka_unit_test(packages_that_cannot_be_installed_are_the_apps_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
