/* The program as its user meets it: each test runs the built redgrid, whose path is the first
 * argument. */
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define TEXT_BYTES (256 * 1024)
#define DEADLINE_MS 30000

static const char *program;
static char folder[64];
static char text[TEXT_BYTES]; /* what the last command said, both streams */

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/redgrid-cmd-XXXXXX");
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("/") != 0 || system(command) != 0;
}

/* redgrid runs the program with words for a shell and gives its exit code. */
static int redgrid(const char *words)
{
    char command[1024];

    snprintf(command, sizeof command, "'%s' %s 2>&1 </dev/null", program, words);
    FILE *pipe = popen(command, "r");
    size_t len = fread(text, 1, sizeof text - 1, pipe);
    text[len] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void assert_said(const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no '%s' in:\n%s", part, text);
}

static void write_file(const char *name, const char *content)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void every_command_has_its_help(void **state)
{
    char all[TEXT_BYTES], words[256];
    int count = 0;

    (void)state;
    assert_int_equal(redgrid("help"), 0);
    memcpy(all, text, sizeof all);
    struct slice rest = slice_of(strstr(all, "Commands:\n") + strlen("Commands:\n")), line;
    while (slice_cut(&rest, '\n', &line) && line.len > 23) {
        struct slice name = slice_trim(slice_first(line, 23));
        snprintf(words, sizeof words, "%.*s --help", SLICE_ARG(name));
        assert_int_equal(redgrid(words), 0);
        snprintf(words, sizeof words, "Usage: redgrid %.*s", SLICE_ARG(name));
        assert_said(words);
        assert_said("Options:");
        snprintf(words, sizeof words, "help %.*s", SLICE_ARG(name));
        assert_int_equal(redgrid(words), 0);
        count++;
    }
    assert_in_range(count, 10, 100);
    assert_int_equal(redgrid("up --help"), 0);
    assert_said("\n  --delivery-allow-http YES|NO\n                           Let "); /* too long */
}

static void the_completion_completes(void **state)
{
    static const struct {
        const char *words, *found; /* the last word is the one to complete */
    } rows[] = {
        {"''",
         "up status top function cache topic subscription deadletter apply events az-env init "
         "doctor help "
         "--version --help "},
        {"sta", "status "},
        {"function sh", "show "},
        {"function list --o", "--output "},
        {"status --output ''", "table json "},
        {"init --lang ''", "c python custom "},
        {"init --trigger s", "stream "},
        {"up --log-level d", "debug "},
        {"up --cache-auto ''", "yes no "},
        {"help doc", "doctor "},
        {"topic p", "publish "},
        {"topic publish --data ''", ""},
        {"subscription create --delivery-mode ''", "queue "},
        {"up --app 'a'", "a b "}, /* a folder */
        {"doctor --config ./c", "./c.yaml "},
        {"function show --app ''", ""}, /* a name, no folder */
        {"nonsense ''", ""},
    };
    char script[512];

    (void)state;
    assert_int_equal(mkdir("a b", 0777), 0);
    write_file("c.yaml", "");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(script, sizeof script,
                 "source <('%s' help --bash-completion)\ncompopt() { :; }\n"
                 "COMP_WORDS=(redgrid %s)\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_redgrid\n"
                 "for word in \"${COMPREPLY[@]}\"; do printf '%%s ' \"$word\"; done >found\n",
                 program, rows[i].words);
        write_file("script", script);
        assert_int_equal(system("bash script"), 0);
        FILE *file = fopen("found", "r");
        assert_non_null(file);
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
        if (strcmp(text, rows[i].found) != 0)
            fail_msg("redgrid %s: '%s', not '%s'", rows[i].words, text, rows[i].found);
    }
}

static void wrong_words_are_answered_with_2(void **state)
{
    static const struct {
        const char *words, *said;
    } rows[] = {
        {"statsu", "did you mean `redgrid status`?"},
        {"zzzzzz", "see `redgrid help`"},
        {"status --nope", "no such option: --nope"},
        {"status extra", "too many words: 'extra'"},
        {"status --output xml", "--output: 'xml' is not table or json"},
        {"status --server", "--server: needs a value: URL"},
        {"topic create", "topic create: needs NAME"},
        {"topic create t --input-mapping-fields id=a evntType=kind",
         "'evntType=kind' does not begin"},
        {"topic create t --input-mapping-default-values subject", "'subject' does not begin"},
        {"topic create t --input-mapping-fields=id=a", "write FIELD=.. behind a space"},
        {"topic keys t --regenerate key3", "--regenerate: 'key3' is not key1 or key2"},
        {"subscription show es1", "needs --topic or --source-resource-id"},
        {"subscription create es1 --topic t", "needs --endpoint, --function,"},
        {"subscription create es1 --topic t --function f", "--function: 'f' is not APP/NAME"},
        {"subscription create es1 --topic t --endpoint-type mail --endpoint x",
         "--endpoint-type: 'mail' is not webhook, azurefunction, redisstream,"},
        {"subscription create es1 --topic t --endpoint-type redislist --stream s",
         "--stream is not for --endpoint-type redislist"},
        {"subscription create es1 --topic t --endpoint u --labels",
         "--labels: needs a value: TEXT"},
        {"subscription create es1 --topic t --endpoint u --event-ttl x", "'x' is not a number"},
        {"subscription create es1 --topic t --endpoint u --advanced-filter data.n",
         "needs a key and an operator"},
        {"subscription create es1 --topic t --endpoint u --advanced-filter data.n NumberIn -5 x",
         "'x' is no value for NumberIn"},
        {"subscription create es1 --topic t --endpoint u --advanced-filter data.n NumberLessThan",
         "NumberLessThan takes one value"},
        {"subscription create es1 --topic t --endpoint u --advanced-filter n NumberInRange 1",
         "'1' is no value for NumberInRange"},
        {"subscription create es1 --topic t --endpoint u --delivery-attribute-mapping a static",
         "is NAME static VALUE [true]"},
        {"subscription create es1 --topic t --endpoint u --delivery-attribute-mapping='a static b'",
         "write NAME static VALUE behind a space"},
        {"deadletter list --topic t", "needs --subscription, and --topic"},
        {"deadletter list --subscription es1", "needs --topic or --source-resource-id"},
        {"function", "redgrid function list"},
        {"function nope", "there is no command 'function nope'"},
        {"function show", "needs NAME"},
        {"up --log-level loud", "'loud' is not one of"},
        {"up --lissten 127.0.0.1:0", "no such option: --lissten; did you mean --listen?"},
        {"up my-app", "'my-app'; a function app is named with --app my-app"},
        {"up --cache-port", "--cache-port: needs a value"},
        {"init --lang cobol x", "'cobol' is not c, python or custom"},
        {"init --trigger cron x", "'cron' is not list, stream, pubsub or event"},
        {"help nope", "there is no command 'nope'"},
        {"\"$(printf '\\033[31mred')\"", "there is no command '?[31mred'"},
        {"", "Commands:"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (redgrid(rows[i].words) != 2)
            fail_msg("redgrid %s: not 2: %s", rows[i].words, text);
        assert_said(rows[i].said);
    }
    assert_int_equal(redgrid("--version"), 0);
    assert_string_equal(text, "redgrid " REDGRID_VERSION "\n");
}

static void without_a_server_the_commands_say_so(void **state)
{
    (void)state;
    assert_int_equal(redgrid("status --server http://127.0.0.1:1"), 1);
    assert_said("nothing answers at http://127.0.0.1:1: start a server with `redgrid up`");
    assert_int_equal(redgrid("function logs --follow --server http://127.0.0.1:1"), 1);
    assert_int_equal(redgrid("status --server nonsense"), 1);
}

static void what_keeps_up_from_starting_is_one_line(void **state)
{
    static const struct {
        const char *words, *said;
    } rows[] = {
        {"up --listen 0.0.0.0:0",
         "redgrid: listen: 0.0.0.0:0 can be reached from other machines: set "
         "listen.token"},
        {"up --store-server /nowhere", "redgrid: store: /nowhere is not installed"},
        {"up --listen 127.0.0.1:0 --store 'a=b=c,,='", "redgrid: store: "},
        {"up --config missing.yaml", "redgrid: config: missing.yaml: No such file"},
        {"up --config .", "redgrid: config: .: is a folder, not a file"},
        {"up --config group.yaml", "redgrid: group.yaml:1:1: log: is the first part of several "
                                   "names, as log.level: write the whole name"},
        {"up --config words.yaml", "redgrid: words.yaml:1:1: must be lines of 'setting: value'"},
        {"up --config broken.yaml", "redgrid: broken.yaml:2:1: is not YAML: "},
        {"up --data /proc/1/x", "redgrid: data: cannot make the folder /proc/1/x: "},
        {"up --config bad.yaml", "redgrid: bad.yaml:2:12: log.level: 'loud' is not one of"},
        {"up --data bad.yaml", "redgrid: data: bad.yaml: is not a folder"},
        {"up --workers-min 5 --workers-max 2", "redgrid: workers.min: is above workers.max"},
    };
    (void)state;
    write_file("bad.yaml", "# a comment\nlog.level: loud\n");
    write_file("group.yaml", "log: debug\n");
    write_file("words.yaml", "listen 7070\n");
    write_file("broken.yaml", "app: [\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (redgrid(rows[i].words) != 1)
            fail_msg("redgrid %s: not 1: %s", rows[i].words, text);
        assert_said(rows[i].said);
    }
}

static void init_writes_every_kind_and_never_twice(void **state)
{
    static const char *const languages[] = {"c", "python", "custom"};
    static const char *const triggers[] = {"list", "stream", "pubsub", "event"};
    char words[128];

    (void)state;
    for (size_t i = 0; i < 12; i++) {
        const char *language = languages[i / 4], *trigger = triggers[i % 4];
        snprintf(words, sizeof words, "init --lang %s --trigger %s in/my-%s-%s", language, trigger,
                 language, trigger);
        assert_int_equal(redgrid(words), 0);
        assert_said("redgrid up --app in/my-");
        if (i % 4 == 3) {
            char function[64];
            snprintf(function, sizeof function, "--function my-%s-event/my_%s_event\n", language,
                     language);
            assert_said(function);
            assert_said(" --subject "); /* events of that topic must have one */
        }
        assert_int_equal(redgrid(words), 1);
        assert_said("host.json: is there already; nothing was written");
        snprintf(words, sizeof words, "doctor --listen 127.0.0.1:0 --app in/my-%s-%s", language,
                 trigger);
        redgrid(words);
        snprintf(words, sizeof words, "ok    my-%s-%s/my_%s_%s", language, trigger, language,
                 trigger);
        assert_said(words);
    }
}

static void the_doctor_misses_what_an_app_runs_in(void **state)
{
    static const struct {
        const char *language, *said;
    } rows[] = {
        {"c", "bad   app c: there is no C compiler 'cc'"},
        {"python", "bad   app python: there is no 'python3'"},
        {"custom", "custom/handler'"},
    };
    char words[128], *path = getenv("PATH");

    (void)state;
    path = mem_dup(path, strlen(path));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(words, sizeof words, "init --lang %s %s", rows[i].language, rows[i].language);
        assert_int_equal(redgrid(words), 0);
        if (i == 2)
            assert_int_equal(chmod("custom/handler", 0600), 0);
        setenv("PATH", "/nowhere", 1);
        snprintf(words, sizeof words, "doctor --store 127.0.0.1:1 --app %s", rows[i].language);
        assert_int_equal(redgrid(words), 1);
        assert_said(rows[i].said);
        setenv("PATH", path, 1);
    }
    write_file("c/local.settings.json", "{\"Values\": {\"FUNCTIONS_WORKER_RUNTIME\": \"node\"}}");
    assert_int_equal(redgrid("doctor --app c"), 1);
    assert_said("'node' is not known; it is one of: custom, c, python");
    free(path);
}

static void init_makes_a_function_name_of_any_name(void **state)
{
    static const struct {
        const char *word, *function, *next;
    } rows[] = {
        {"host", "fhost", "up --app host\n"},
        {"_x", "f_x", "up --app _x\n"},
        {"1.2", "f1_2", "up --app 1.2\n"},
        {"'my app'", "my_app", "up --app 'my app'\n"},
        {"\"it's\"", "it_s", "up --app 'it'\\''s'\n"},
        {"-- -dash", "f_dash", "up --app ./-dash\n"},
        {"in/deep/", "deep", "up --app in/deep/\n"},
        {".", "redgrid_cmd_", "up --app .\n"},
    };
    char words[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(words, sizeof words, "init --lang c %s", rows[i].word);
        assert_int_equal(redgrid(words), 0);
        snprintf(words, sizeof words, "the function %s", rows[i].function);
        assert_said(words);
        assert_said(rows[i].next);
    }
    assert_int_equal(redgrid("init /"), 2);
    assert_int_equal(redgrid("init 'a \"b\"' --lang c --output json"), 0);
    assert_string_equal(
        text, "{\"app\":\"a "
              "\\\"b\\\"\",\"function\":\"a__b_\",\"language\":\"c\",\"trigger\":\"list\"}\n");
}

/* ---- a running server ---- */

static pid_t start_with(const char *data, const char *store)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)!freopen("log", "a", stdout);
        (void)!freopen("log", "a", stderr);
        execl(program, program, "up", "--listen", "127.0.0.1:0", "--data", data, "--store", store,
              NULL);
        _exit(127);
    }
    return pid;
}

static pid_t start(const char *data)
{
    return start_with(data, "");
}

static void wait_for_log(const char *part)
{
    const struct timespec nap = {.tv_nsec = 5000000};

    text[0] = '\0';
    for (uint64_t until = clock_now_ms() + DEADLINE_MS;
         strstr(text, part) == NULL && clock_now_ms() < until;) {
        nanosleep(&nap, NULL); /* until it has written that line */
        FILE *file = fopen("log", "r");
        if (file == NULL)
            continue;
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
    }
    assert_said(part);
}

static unsigned port_of(const char *data)
{
    unsigned port = 0;
    char path[128];
    const struct timespec nap = {.tv_nsec = 5000000};

    snprintf(path, sizeof path, "%s/ports.json", data);
    for (uint64_t until = clock_now_ms() + DEADLINE_MS; port == 0 && clock_now_ms() < until;) {
        FILE *file = fopen(path, "r");
        if (file != NULL && fscanf(file, "{\"http\":%u", &port) != 1)
            port = 0;
        if (file != NULL)
            fclose(file);
        nanosleep(&nap, NULL); /* until it has written where it listens */
    }
    assert_int_not_equal(port, 0);
    return port;
}

static int end(pid_t pid, int signal_number)
{
    int status = 0;

    kill(pid, signal_number);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void it_runs_answers_and_drains(void **state)
{
    char words[256];

    (void)state;
    pid_t pid = start("data");
    unsigned port = port_of("data");
    snprintf(words, sizeof words, "status --server http://127.0.0.1:%u", port);
    assert_int_equal(redgrid(words), 0);
    assert_said("data/store/redis.sock (up)");
    snprintf(words, sizeof words, "function list --output json --server http://127.0.0.1:%u/",
             port);
    assert_int_equal(redgrid(words), 0);
    assert_string_equal(text, "[]\n");
    snprintf(words, sizeof words, "function show none --server http://127.0.0.1:%u", port);
    assert_int_equal(redgrid(words), 1);
    assert_said("there is no function 'none'");
    snprintf(words, sizeof words, "function logs --lines 50 --server http://127.0.0.1:%u", port);
    assert_int_equal(redgrid(words), 0);
    assert_said("store: a private server on ");

    assert_int_equal(redgrid("up --listen 127.0.0.1:0 --data data"), 1);
    snprintf(words, sizeof words, "is in use by another redgrid (pid %d)", (int)pid);
    assert_said(words);
    snprintf(words, sizeof words, "up --listen 127.0.0.1:%u --data other", port);
    assert_int_equal(redgrid(words), 1);
    assert_said("redgrid: listen: ");

    assert_int_equal(end(pid, SIGTERM), 0);
    assert_int_not_equal(access("data/ports.json", F_OK), 0);
    assert_int_not_equal(access("data/store/redis.sock", F_OK), 0);
}

static void after_kill_9_it_starts_again_on_the_same_data(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        pid_t pid = start("data");
        port_of("data");
        assert_int_equal(end(pid, SIGKILL), 128 + SIGKILL);
        unlink("data/ports.json");
    }
    pid_t pid = start("data");
    port_of("data");
    assert_int_equal(end(pid, SIGINT), 0);
}

/* in_terminal runs the program on a terminal of that size; `text` gets what it wrote there. */
static int in_terminal(const char *words, unsigned short columns, unsigned short rows)
{
    const struct winsize size = {.ws_col = columns, .ws_row = rows};
    char command[512];
    size_t len = 0;
    int terminal, status = 0;

    snprintf(command, sizeof command, "'%s' %s", program, words);
    pid_t pid = forkpty(&terminal, NULL, NULL, &size);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    for (ssize_t got = 1; got > 0 && len<sizeof text - 1; len += got> 0 ? (size_t)got : 0)
        got = read(terminal, text + len, sizeof text - 1 - len); /* fails when all have left it */
    text[len] = '\0';
    close(terminal);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void pages_fit_the_terminal(void **state)
{
    struct slice rest, line;
    char words[128];
    size_t lines = 0;

    (void)state;
    assert_int_equal(redgrid("init --lang c hello"), 0);
    write_file("hello/hello/function.json", "{}"); /* in error: listed, and needs no Redis */
    setenv("REDGRID_APP", "hello", 1);
    pid_t pid = start("data");
    unsetenv("REDGRID_APP");
    unsigned port = port_of("data");

    snprintf(words, sizeof words, "top --count 1 --server http://127.0.0.1:%u", port);
    assert_int_equal(redgrid(words), 0);
    assert_said("LANGUAGE");
    assert_int_equal(in_terminal(words, 80, 7), 0);
    assert_null(strstr(text, "LANGUAGE"));
    assert_said("FUNCTION");
    assert_said("PER S");
    assert_said("q quits; ");
    rest = slice_of(text);
    while (slice_cut(&rest, '\n', &line) && ++lines)
        assert_in_range(slice_trim(line).len, 0, 80 + strlen("\033[K") + strlen("\033[H"));
    assert_in_range(lines, 7, 8); /* the last one is left when it ends */

    snprintf(words, sizeof words, "top --count 1 --output json --server http://127.0.0.1:%u", port);
    assert_int_equal(redgrid(words), 0);
    assert_memory_equal(text, "{\"version\"", strlen("{\"version\""));
    assert_int_equal(end(pid, SIGTERM), 0);
}

static void it_ends_when_its_terminal_is_closed(void **state)
{
    int terminal, status = -1;

    (void)state;
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program, program, "up", "--listen", "127.0.0.1:0", "--data", "data", NULL);
        _exit(127);
    }
    port_of("data");
    kill(pid, SIGHUP); /* the terminal is there: a reload */
    text[0] = '\0';
    for (size_t len = 0; strstr(text, "settings and the apps again") == NULL;) {
        ssize_t got = read(terminal, text + len, sizeof text - 1 - len);
        assert_true(got > 0);
        len += (size_t)got;
        text[len] = '\0';
    }
    close(terminal);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_not_equal(access("data/ports.json", F_OK), 0);
}

static void a_stop_ends_a_start_that_still_waits(void **state)
{
    (void)state;
    pid_t pid = start_with("data", "127.0.0.1:1");
    wait_for_log("REDIS-LOST");
    assert_int_equal(end(pid, SIGTERM), 0);
    wait_for_log("stopped");
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    program = realpath(argv[1], NULL); /* the tests change folders */
    if (program == NULL)
        return 2;
    unsetenv("REDGRID_SERVER");
    setenv("REDGRID_LISTEN", "127.0.0.1:0", 1); /* 7070 may be taken */
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(every_command_has_its_help),
        CASE(the_completion_completes),
        CASE(wrong_words_are_answered_with_2),
        CASE(without_a_server_the_commands_say_so),
        CASE(what_keeps_up_from_starting_is_one_line),
        CASE(init_writes_every_kind_and_never_twice),
        CASE(the_doctor_misses_what_an_app_runs_in),
        CASE(init_makes_a_function_name_of_any_name),
        CASE(it_runs_answers_and_drains),
        CASE(pages_fit_the_terminal),
        CASE(it_ends_when_its_terminal_is_closed),
        CASE(a_stop_ends_a_start_that_still_waits),
        CASE(after_kill_9_it_starts_again_on_the_same_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
