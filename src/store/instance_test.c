/* Against a real redis-server in a fresh folder. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/process.h"
#include "loop/timer.h"
#include "store/instance.h"
#include "store/server_find.h"

#define DEADLINE_MS 20000

static struct world {
    char folder[256];
    struct loop *loop;
    struct op op;
    enum err err;
    int ended, downs, ups;
    struct timer *deadline;
    bool is_late;
} world;

static void on_done(struct op *op, enum err err)
{
    (void)op;
    world.err = err;
    world.ended++;
    loop_stop(world.loop);
}

static void on_deadline(void *ctx)
{
    (void)ctx;
    world.is_late = true;
    loop_stop(world.loop);
}

static void on_changed(void *ctx, bool is_up)
{
    (void)ctx;
    if (is_up)
        world.ups++;
    else
        world.downs++;
    if (is_up)
        loop_stop(world.loop);
}

static void run_loop(void)
{
    timer_set(world.deadline, DEADLINE_MS);
    loop_run(world.loop);
    assert_false(world.is_late);
}

static int set_up(void **state)
{
    (void)state;
    world = (struct world){.op = {.done = on_done}};
    snprintf(world.folder, sizeof world.folder, "/tmp/redgrid-instance-XXXXXX");
    if (mkdtemp(world.folder) == NULL)
        return 1;
    world.loop = loop_new();
    world.deadline = timer_new(world.loop, on_deadline, NULL);
    return 0;
}

static int tear_down(void **state)
{
    char command[512];

    (void)state;
    timer_free(world.deadline);
    loop_free(world.loop);
    snprintf(command, sizeof command, "rm -rf '%s'", world.folder);
    return system(command);
}

static enum err start(uint16_t port, const char *server, struct instance **ret, struct cause *why)
{
    return instance_start(&(struct instance_options){.loop = world.loop,
                                                     .name = "test",
                                                     .server = server,
                                                     .directory = world.folder,
                                                     .port = port,
                                                     .fsync = "always",
                                                     .events = "KEA",
                                                     .changed = on_changed},
                          &world.op, ret, why);
}

static struct instance *start_ready(uint16_t port)
{
    struct instance *instance = NULL;
    struct cause why = {0};

    assert_int_equal(start(port, NULL, &instance, &why), E_OK);
    world.ended = 0;
    run_loop();
    assert_string_equal(world.op.why.text, "");
    assert_int_equal(world.err, E_OK);
    assert_int_equal(world.ended, 1);
    return instance;
}

static void stop(struct instance *instance)
{
    world.ended = 0;
    instance_stop(instance, &world.op);
    run_loop();
    assert_int_equal(world.ended, 1);
    instance_free(instance);
}

/* cli asks the server through redis-cli, somebody else's client. */
static const char *cli(const struct instance *instance, const char *command)
{
    static char answer[256];
    char line[512];

    if (instance_port(instance) != 0)
        snprintf(line, sizeof line, "redis-cli -p %u %s", instance_port(instance), command);
    else
        snprintf(line, sizeof line, "redis-cli -s %s %s",
                 instance_connection(instance) + strlen("unix://"), command);
    FILE *pipe = popen(line, "r");
    size_t len = fread(answer, 1, sizeof answer - 1, pipe);
    answer[len] = '\0';
    pclose(pipe);
    return answer;
}

static void it_answers_and_keeps_what_it_was_told(void **state)
{
    (void)state;
    struct instance *instance = start_ready(0);
    assert_string_equal(cli(instance, "SET a b"), "OK\n");
    assert_string_equal(cli(instance, "CONFIG GET appendfsync"), "appendfsync\nalways\n");
    assert_int_equal(instance_port(instance), 0);
    pid_t pid = instance_pid(instance);
    stop(instance);
    assert_int_equal(kill(pid, 0), -1);
    instance = start_ready(0);
    assert_string_equal(cli(instance, "GET a"), "b\n");
    stop(instance);
}

static void it_comes_back_when_it_is_killed(void **state)
{
    (void)state;
    struct instance *instance = start_ready(0);
    pid_t pid = instance_pid(instance);

    assert_string_equal(cli(instance, "SET a b"), "OK\n");
    kill(pid, SIGKILL);
    run_loop();
    assert_int_equal(world.downs, 1);
    assert_int_equal(world.ups, 1);
    assert_int_not_equal(instance_pid(instance), pid);
    assert_string_equal(cli(instance, "GET a"), "b\n");
    stop(instance);
}

static void a_taken_port_leads_to_the_next(void **state)
{
    uint16_t port = port_free(27000);

    (void)state;
    struct instance *first = start_ready(port);
    char folder[256];
    snprintf(folder, sizeof folder, "%s", world.folder);
    snprintf(world.folder, sizeof world.folder, "%.200s/second", folder);
    struct instance *second = start_ready(port);
    memcpy(world.folder, folder, sizeof folder);
    assert_int_equal(instance_port(first), port);
    assert_in_range(instance_port(second), port + 1, port + 99);
    assert_string_equal(cli(second, "PING"), "PONG\n");
    assert_string_equal(cli(second, "CONFIG GET bind"), "bind\n127.0.0.1\n");
    stop(first);
    stop(second);
}

/* The server of a killed daemon still has the folder when the next daemon starts. */
static void a_leftover_is_ended_before_the_folder_is_opened(void **state)
{
    char path[128];
    int answer[2];
    pid_t leftover = 0;

    (void)state;
    assert_int_equal(pipe(answer), 0);
    pid_t daemon = fork();
    if (daemon == 0) {
        world.loop = loop_new(); /* the parent's cannot be used on this side */
        world.deadline = timer_new(world.loop, on_deadline, NULL);
        struct instance *instance = start_ready(0);
        cli(instance, "SET a b");
        leftover = instance_pid(instance);
        kill(leftover, SIGSTOP); /* so that it outlives us for sure */
        (void)!write(answer[1], &leftover, sizeof leftover);
        _exit(0);
    }
    assert_int_equal(read(answer[0], &leftover, sizeof leftover), sizeof leftover);
    waitpid(daemon, NULL, 0);
    assert_int_equal(kill(leftover, 0), 0);
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)leftover);
    assert_int_equal(access(path, F_OK), 0);
    kill(leftover, SIGCONT);
    struct instance *instance = start_ready(0);
    assert_int_not_equal(instance_pid(instance), leftover);
    assert_string_equal(cli(instance, "GET a"), "b\n");
    stop(instance);
    close(answer[0]);
    close(answer[1]);
}

static void a_server_that_cannot_start_says_why(void **state)
{
    struct instance *instance = NULL;
    struct cause why = {0};

    (void)state;
    assert_int_equal(start(0, "/nowhere/redis-server", &instance, &why), E_NOT_FOUND);
    assert_non_null(strstr(why.text, "/nowhere/redis-server"));
    assert_int_equal(start(0, "/bin/false", &instance, &why), E_OK);
    run_loop();
    assert_int_equal(world.err, E_CRASHED);
    assert_non_null(strstr(world.op.why.text, "/bin/false ended with code 1"));
    instance_free(instance);
}

static void a_stop_in_the_middle_of_the_start_ends_both(void **state)
{
    struct instance *instance = NULL;
    struct cause why = {0};
    struct op stopped = {.done = on_done};

    (void)state;
    assert_int_equal(start(0, NULL, &instance, &why), E_OK);
    instance_stop(instance, &stopped);
    run_loop();
    assert_int_equal(world.ended, 2);
    assert_false(world.op.is_busy);
    assert_false(stopped.is_busy);
    instance_free(instance);
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    log_open(STDERR_FILENO, LOG_OFF, false);
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(it_answers_and_keeps_what_it_was_told),
        CASE(it_comes_back_when_it_is_killed),
        CASE(a_taken_port_leads_to_the_next),
        CASE(a_leftover_is_ended_before_the_folder_is_opened),
        CASE(a_server_that_cannot_start_says_why),
        CASE(a_stop_in_the_middle_of_the_start_ends_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
