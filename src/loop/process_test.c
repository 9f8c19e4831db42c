#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "loop/loop.h"
#include "loop/pid_watch.h"
#include "loop/process.h"
#include "loop/timer.h"

#define DEADLINE_MS 20000
#define MIDDLE_MODE "middle"

static struct loop *loop;
static struct timer *deadline;
static char dir[32];

struct child {
    struct process_options options;
    struct process *process;
    struct buf lines[2]; /* stdout, stderr; each line ends with '|' */
    int exits;
    int exit_code;
    int signal_number;
    int free_after; /* free the process in the callback of that line; 0 = never */
    int line_count;
    int stop_after; /* stop the loop from that line on; 0 = never */
};

static void on_line(void *ctx, bool is_stderr, struct slice line)
{
    struct child *child = ctx;
    assert_int_equal(child->exits, 0);
    buf_add(&child->lines[is_stderr], line);
    buf_add_byte(&child->lines[is_stderr], '|');
    if (++child->line_count == child->free_after) {
        process_free(child->process);
        child->process = NULL;
        loop_stop(loop);
    }
    if (child->stop_after > 0 && child->line_count >= child->stop_after)
        loop_stop(loop);
}

static void on_exited(void *ctx, int exit_code, int signal_number)
{
    struct child *child = ctx;
    child->exits++;
    child->exit_code = exit_code;
    child->signal_number = signal_number;
    loop_stop(loop);
}

static void child_init(struct child *child, const char *file, const char *const *args)
{
    *child = (struct child){.options = {.file = file,
                                        .args = args,
                                        .fd = -1,
                                        .death_signal = SIGKILL,
                                        .line = on_line,
                                        .exited = on_exited}};
    buf_init(&child->lines[0], 1 << 20);
    buf_init(&child->lines[1], 1 << 20);
}

static void child_start(struct child *child)
{
    struct cause why = {0};
    child->options.ctx = child;
    if (process_start(loop, &child->options, &child->process, &why) != E_OK)
        fail_msg("%s", why.text);
}

static void child_wait_exit(struct child *child)
{
    while (child->exits == 0)
        loop_run(loop);
    assert_int_equal(child->exits, 1);
}

static void child_wait_lines(struct child *child, int count)
{
    while (child->line_count < count)
        loop_run(loop);
}

static void child_done(struct child *child)
{
    process_free(child->process);
    buf_done(&child->lines[0]);
    buf_done(&child->lines[1]);
}

static void run_shell(struct child *child, const char *script)
{
    const char *args[] = {"sh", "-c", script, NULL};
    child_init(child, "sh", args);
    child_start(child);
    child_wait_exit(child);
}

static void on_deadline(void *ctx)
{
    (void)ctx;
    fprintf(stderr, "the test waits for something that does not come\n");
    abort();
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    deadline = timer_new(loop, on_deadline, NULL);
    timer_set(deadline, DEADLINE_MS);
    snprintf(dir, sizeof dir, "/tmp/process_test.XXXXXX");
    return mkdtemp(dir) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    timer_free(deadline);
    loop_free(loop);
    return rmdir(dir);
}

/* We are the reaper of orphans here: waits for one that was never our own child. */
static int wait_orphan(pid_t id)
{
    uint64_t end_ms = clock_now_ms() + DEADLINE_MS;
    int status;

    while (waitpid(id, &status, 0) < 0) {
        assert_int_equal(errno, ECHILD); /* not handed to us yet */
        assert_true(clock_now_ms() < end_ms);
        sched_yield();
    }
    assert_true(WIFSIGNALED(status));
    return WTERMSIG(status);
}

static pid_t last_number(struct child *child)
{
    return (pid_t)atol(buf_text(&child->lines[0])); /* NOLINT(retired): of our own script */
}

/* ---- tests ---- */

static void the_exit_is_told_as_code_or_signal(void **state)
{
    static const struct {
        const char *script;
        int exit_code, signal_number;
    } rows[] = {
        {"exit 0", 0, 0},
        {"exit 3", 3, 0},
        {"kill -TERM $$", 0, SIGTERM},
        {"kill -SEGV $$", 0, SIGSEGV},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct child child;
        run_shell(&child, rows[i].script);
        assert_int_equal(child.exit_code, rows[i].exit_code);
        assert_int_equal(child.signal_number, rows[i].signal_number);
        process_signal(child.process, SIGKILL); /* too late, harmless */
        child_done(&child);
    }
}

static void output_comes_line_by_line_and_does_not_mix(void **state)
{
    static const struct {
        const char *script, *out, *err;
    } rows[] = {
        {"echo a; echo x >&2; echo b; echo y >&2", "a|b|", "x|y|"},
        {"echo; echo; printf 'a\\nb'; printf c >&2", "||a|b|", "c|"},
        {"printf a; printf x >&2; printf 'b\\n'; printf 'y\\n' >&2", "ab|", "xy|"},
        {"cat; echo empty", "empty|", ""},
        {"echo open >/dev/stdout", "open|", ""},
        {"sh -c 'sleep 0.05; echo late' &", "late|", ""}, /* after the exit, before `exited` */
        {"kill -0 -$$ && echo leads", "leads|", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct child child;
        run_shell(&child, rows[i].script);
        assert_string_equal(buf_text(&child.lines[0]), rows[i].out);
        assert_string_equal(buf_text(&child.lines[1]), rows[i].err);
        child_done(&child);
    }
}

static void long_lines_come_in_pieces_and_many_come_all(void **state)
{
    (void)state;
    struct child child;

    run_shell(&child, "head -c 70000 /dev/zero | tr '\\0' x; echo y");
    assert_int_equal(child.line_count, 2);
    assert_int_equal(child.lines[0].len, 70000 + 1 + 2);
    assert_int_equal(child.lines[0].data[PROCESS_LINE_MAX_BYTES], '|');
    child_done(&child);
    run_shell(&child, "seq 1 20000");
    assert_int_equal(child.line_count, 20000);
    assert_int_equal(child.exit_code, 0);
    child_done(&child);
}

static void environment_directory_and_arguments_are_as_given(void **state)
{
    (void)state;
    const char *args[] = {"other name", "-c", "echo $0 $1 $NAME; pwd", "first", "a b", NULL};
    const char *env[] = {"NAME=value", NULL};
    struct child child;
    char expected[80];

    child_init(&child, "/bin/sh", args);
    child.options.env = env;
    child.options.cwd = dir;
    child_start(&child);
    child_wait_exit(&child);
    snprintf(expected, sizeof expected, "first a b value|%s|", dir);
    assert_string_equal(buf_text(&child.lines[0]), expected);
    child_done(&child);
}

static void a_child_holds_no_descriptor_but_its_own(void **state)
{
    (void)state;
    struct child child;
    int leak = dup(STDERR_FILENO), high = dup2(STDERR_FILENO, 200);

    run_shell(&child, "ls /proc/$$/fd; :");
    assert_string_equal(buf_text(&child.lines[0]), "0|1|2|");
    child_done(&child);
    close(leak);
    close(high);
}

static void a_descriptor_is_handed_over_as_3(void **state)
{
    (void)state;
    const char *args[] = {"sh", "-c", "ls /proc/$$/fd; read x <&3; echo got $x >&3", NULL};
    struct child child;
    char answer[32] = "";
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    child_init(&child, "sh", args);
    child.options.fd = fds[1];
    child_start(&child);
    close(fds[1]); /* it stayed ours */
    assert_int_equal(write(fds[0], "it\n", 3), 3);
    child_wait_exit(&child);
    assert_int_equal(read(fds[0], answer, sizeof answer - 1), 7);
    assert_string_equal(answer, "got it\n");
    assert_string_equal(buf_text(&child.lines[0]), "0|1|2|3|");
    close(fds[0]);
    child_done(&child);
}

static void write_file(const char *name, const char *text, mode_t mode, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fchmod(fileno(file), mode), 0);
    fclose(file);
}

/* More than a pipe holds; nobody can change it, and it has no name. */
static void a_child_reads_its_input_to_the_end(void **state)
{
    (void)state;
    const char *args[] = {"sh", "-c", "cat | wc -c; readlink /proc/$$/fd/0", NULL};
    struct child child;
    struct buf text;

    buf_init(&text, 1 << 20);
    while (text.len < 300000)
        buf_add(&text, SLICE("some secret\n"));
    child_init(&child, "sh", args);
    child.options.input = buf_slice(&text);
    child_start(&child);
    buf_done(&text); /* it was copied */
    child_wait_exit(&child);
    assert_string_equal(buf_text(&child.lines[0]), "300000|/memfd:input (deleted)|");
    child_done(&child);
}

static void the_output_may_be_a_file(void **state)
{
    (void)state;
    const char *args[] = {"sh", "-c", "echo out; echo err >&2; ls /proc/$$/fd; :", NULL};
    struct child child;
    char path[64], text[64] = "";

    snprintf(path, sizeof path, "%s/output", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    child_init(&child, "sh", args);
    child.options.output = fd;
    child_start(&child);
    child_wait_exit(&child);
    assert_int_equal(child.line_count, 0);
    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, "out\nerr\n0\n1\n2\n");
    child_done(&child);
    close(fd);
    unlink(path);
}

static void what_cannot_start_says_why(void **state)
{
    (void)state;
    char plain[64], env_path[64];
    const char *args[] = {"x", NULL}, *env[] = {env_path, NULL}, *no_path[] = {"A=b", NULL};

    write_file("plain", "echo hi\n", 0644, plain, sizeof plain);
    snprintf(env_path, sizeof env_path, "PATH=relative:/nowhere:%s", dir);
    const struct {
        const char *file, *cwd, *const *env;
        enum err err;
        const char *text;
    } rows[] = {
        {"no-such-program", NULL, NULL, E_NOT_FOUND, "no-such-program: not found in PATH"},
        {"sh", NULL, env, E_NOT_FOUND, "sh: not found in PATH"},
        {"plain", NULL, env, E_DENIED, "plain: not an executable file"},
        {"no-such-program", NULL, no_path, E_NOT_FOUND, "no-such-program: not found in PATH"},
        {"/no/such/file", NULL, NULL, E_NOT_FOUND, "/no/such/file: not found"},
        {"./plain", dir, NULL, E_DENIED, "./plain: not an executable file"},
        {"/tmp", NULL, NULL, E_DENIED, "/tmp: not an executable file"},
        {"sh", "/no/such/dir", NULL, E_NOT_FOUND, "/no/such/dir: No such file or directory"},
        {"sh", plain, NULL, E_NOT_FOUND, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct child child;
        struct cause why = {0};
        child_init(&child, rows[i].file, args);
        child.options.cwd = rows[i].cwd;
        child.options.env = rows[i].env;
        assert_int_equal(process_start(loop, &child.options, &child.process, &why), rows[i].err);
        if (rows[i].text != NULL)
            assert_string_equal(why.text, rows[i].text);
        assert_null(child.process);
        child_done(&child);
    }
    unlink(plain);
}

static void what_cannot_be_executed_after_all_exits_with_127(void **state)
{
    (void)state;
    const char *args[] = {"x", NULL};
    char path[64];
    struct child child;

    write_file("script", "#!/no/such/interpreter\n", 0755, path, sizeof path);
    child_init(&child, path, args);
    child_start(&child);
    child_wait_exit(&child);
    assert_int_equal(child.exit_code, 127);
    assert_non_null(strstr(buf_text(&child.lines[1]), "cannot be executed: No such file"));
    child_done(&child);
    unlink(path);
}

static void start_family(struct child *child, const char *script, int lines)
{
    const char *args[] = {"sh", "-c", script, NULL};
    child_init(child, "sh", args);
    child->stop_after = 1;
    child_start(child);
    child_wait_lines(child, lines);
}

static void free_kills_the_group_grandchildren_too(void **state)
{
    (void)state;
    struct child child;

    start_family(&child, "sleep 1000 & echo $!; wait", 1);
    pid_t grandchild = last_number(&child);
    pid_t id = process_id(child.process);
    assert_true(grandchild > 1);
    child_done(&child);
    timer_free(deadline);
    loop_free(loop); /* with the child not waited for yet */
    loop = loop_new();
    deadline = timer_new(loop, on_deadline, NULL);
    assert_int_equal(wait_orphan(grandchild), SIGKILL);
    assert_int_equal(waitpid(id, NULL, 0), -1); /* no zombie is left */
}

static void signals_reach_the_whole_group(void **state)
{
    (void)state;
    struct child child;
    uint64_t end_ms = clock_now_ms() + DEADLINE_MS;

    /* The grandchild tells its id itself: only then is it what it will be. */
    start_family(&child, "sh -c 'echo $$; exec sleep 1000' & wait", 1);
    pid_t grandchild = last_number(&child);
    process_signal(child.process, SIGTERM);
    child_wait_exit(&child);
    assert_int_equal(child.signal_number, SIGTERM);
    while (kill(grandchild, 0) == 0) { /* reaped by its parent, or by us */
        (void)waitpid(grandchild, NULL, WNOHANG);
        assert_true(clock_now_ms() < end_ms);
    }
    child_done(&child);
}

static void a_grandchild_that_keeps_the_outputs_delays_the_exit_by_a_second(void **state)
{
    (void)state;
    struct child child;
    uint64_t start_ms = clock_now_ms();

    run_shell(&child, "sleep 1000 & echo $!; printf rest; exit 5");
    assert_in_range(clock_now_ms() - start_ms, 900, 10000);
    assert_int_equal(child.exit_code, 5);
    assert_int_equal(child.line_count, 2);
    pid_t grandchild = last_number(&child);
    child_done(&child);
    kill(grandchild, SIGKILL);
    wait_orphan(grandchild);
}

static void on_ended(void *ctx)
{
    ++*(int *)ctx;
    loop_stop(loop);
}

/* Who is detached outlives process_free() and loop_free(), and a pid_watch still sees its end. */
static void a_detached_child_lives_on(void **state)
{
    (void)state;
    const char *args[] = {"sleep", "1000", NULL};
    struct child child;
    struct pid_watch *watch;
    struct cause why;
    int ends = 0, fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    child_init(&child, "sleep", args);
    child.options.output = fd;
    child.options.is_detached = true;
    child_start(&child);
    pid_t id = process_id(child.process);
    child_done(&child);
    timer_free(deadline);
    loop_free(loop);
    loop = loop_new();
    deadline = timer_new(loop, on_deadline, NULL);
    timer_set(deadline, DEADLINE_MS);
    assert_int_equal(kill(id, 0), 0);
    assert_int_not_equal(pid_start_time(id), 0);
    assert_int_equal(pid_watch_new(loop, id, on_ended, &ends, &watch, &why), E_OK);
    assert_int_equal(kill(id, SIGKILL), 0);
    while (ends == 0)
        loop_run(loop);
    pid_watch_free(watch);
    assert_int_equal(pid_start_time(id), 0); /* not even while it is a zombie */
    assert_int_equal(wait_orphan(id), SIGKILL);
    assert_int_equal(pid_watch_new(loop, id, on_ended, &ends, &watch, &why), E_NOT_FOUND);
    assert_int_equal(ends, 1);
    close(fd);
}

static void a_process_may_be_freed_in_its_callbacks(void **state)
{
    (void)state;
    const char *args[] = {"sh", "-c", "echo a; echo b; echo c; sleep 1000", NULL};
    for (int line = 1; line <= 3; line++) {
        struct child child;
        child_init(&child, "sh", args);
        child.free_after = line;
        child_start(&child);
        child_wait_lines(&child, line);
        assert_int_equal(child.line_count, line);
        assert_int_equal(child.exits, 0);
        child_done(&child);
    }
}

/* The middle process: starts a child, tells its id, and dies without any cleaning up. */
static int middle_main(int death_signal)
{
    const char *args[] = {"sh", "-c", "echo up; exec sleep 1000", NULL};
    struct child child;

    loop = loop_new();
    child_init(&child, "sh", args);
    child.options.death_signal = death_signal;
    child.stop_after = 1;
    child_start(&child);
    child_wait_lines(&child, 1);
    printf("%d\n", (int)process_id(child.process));
    fflush(stdout);
    raise(SIGKILL);
    return 1;
}

static void a_child_dies_with_its_parent_however_that_dies(void **state)
{
    static const int signals[] = {SIGKILL, SIGTERM};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        char number[8];
        snprintf(number, sizeof number, "%d", signals[i]);
        const char *args[] = {"middle", MIDDLE_MODE, number, NULL};
        struct child middle;
        child_init(&middle, "/proc/self/exe", args);
        child_start(&middle);
        child_wait_exit(&middle);
        assert_int_equal(middle.signal_number, SIGKILL);
        assert_int_equal(wait_orphan(last_number(&middle)), signals[i]);
        child_done(&middle);
    }
}

static void on_signal(void *ctx)
{
    ++*(int *)ctx;
    loop_stop(loop);
}

/* As if main() had passed over the child's arguments. */
static void a_main_that_knows_no_children_ends_at_once(void **state)
{
    int status = 0;

    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        const char *const args[] = {"true", NULL};
        struct process_options options = {.file = "true", .args = args, .fd = -1};
        struct process *process;
        static char name[] = "redgrid-child";
        program_invocation_name = name;
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        _exit(process_start(loop, &options, &process, NULL) == E_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void signals_arrive_on_the_loop(void **state)
{
    (void)state;
    int count = 0;
    struct signal_watch *watch = signal_watch_new(loop, SIGUSR1, on_signal, &count);

    for (int i = 1; i <= 3; i++) {
        raise(SIGUSR1);
        while (count < i)
            loop_run(loop);
        assert_int_equal(count, i);
    }
    signal_watch_free(watch);
    signal_watch_free(NULL);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    if (argc == 3 && strcmp(argv[1], MIDDLE_MODE) == 0)
        return middle_main(atoi(argv[2])); /* NOLINT(retired): our own number */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const struct CMUnitTest tests[] = {
        ROW(the_exit_is_told_as_code_or_signal),
        ROW(output_comes_line_by_line_and_does_not_mix),
        ROW(long_lines_come_in_pieces_and_many_come_all),
        ROW(environment_directory_and_arguments_are_as_given),
        ROW(a_child_holds_no_descriptor_but_its_own),
        ROW(a_descriptor_is_handed_over_as_3),
        ROW(a_child_reads_its_input_to_the_end),
        ROW(the_output_may_be_a_file),
        ROW(what_cannot_start_says_why),
        ROW(what_cannot_be_executed_after_all_exits_with_127),
        ROW(free_kills_the_group_grandchildren_too),
        ROW(signals_reach_the_whole_group),
        ROW(a_grandchild_that_keeps_the_outputs_delays_the_exit_by_a_second),
        ROW(a_detached_child_lives_on),
        ROW(a_process_may_be_freed_in_its_callbacks),
        ROW(a_child_dies_with_its_parent_however_that_dies),
        ROW(a_main_that_knows_no_children_ends_at_once),
        ROW(signals_arrive_on_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
