/* Talks; and what clients see of a door that opens and closes. */
#include "caches/member.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "caches/member_testing.h"
#include "loop/process.h"

static const struct member_door door = {test_addresses, COUNT_OF(test_addresses), false};

static void the_first_error_counts_unless_it_may_fail(const char *program)
{
    struct test_talk talk = TEST_TALK;

    world_begin(program);
    struct member *member = test_started(1, NULL);
    struct member_command commands[] = {
        COMMAND(SLICE("SET"), SLICE("a"), SLICE("1")),
        COMMAND(SLICE("LPUSH"), SLICE("a"), SLICE("x")),
        COMMAND(SLICE("CONFIG"), SLICE("SET"), SLICE("no-such"), SLICE("secret")),
        COMMAND(SLICE("GET"), SLICE("a")),
    };
    member_talk(member, commands, COUNT_OF(commands), &talk.talk);
    assert_int_equal(test_talked(&talk), E_REDIS);
    assert_non_null(strstr(talk.why, "test/n1: LPUSH: WRONGTYPE"));
    assert_true(slice_eq(member_talk_reply(&talk.talk, 3)->text, SLICE("1")));
    assert_null(member_talk_reply(&talk.talk, 4));
    commands[1].may_fail = true;
    member_talk(member, commands, COUNT_OF(commands), &talk.talk);
    assert_int_equal(test_talked(&talk), E_REDIS);
    assert_non_null(strstr(talk.why, "test/n1: CONFIG SET: ERR"));
    assert_null(strstr(talk.why, "secret"));
    commands[2].may_fail = true;
    member_talk(member, commands, COUNT_OF(commands), &talk.talk);
    test_talked_fine(&talk);
    assert_true(resp_is_error(member_talk_reply(&talk.talk, 1), SLICE("WRONGTYPE")));
    member_talk(member, commands, 1, &talk.talk);
    op_abort(&talk.talk.op);
    assert_int_equal(test_talked(&talk), E_CANCELED);
    test_stop(member, STOP_DROP);
    member_talk(member, commands, 1, &talk.talk);
    assert_int_equal(test_talked(&talk), E_CLOSED);
    assert_string_equal(talk.why, "test/n1: no server runs");
    member_talk_done(&talk.talk);
    member_free(member);
    world_end();
}

/* The connection is made again, for who kills it. */
static void a_talk_waits_for_its_connection(const char *program)
{
    struct test_talk talk = TEST_TALK;

    world_begin(program);
    struct member *member = test_started(1, NULL);
    const struct member_command kill_us[] = {
        COMMAND(SLICE("CLIENT"), SLICE("KILL"), SLICE("USER"), SLICE("redgrid"), SLICE("SKIPME"),
                SLICE("no")),
    };
    member_talk(member, kill_us, 1, &talk.talk);
    (void)test_talked(&talk);
    TEST_UNTIL(!redis_is_ready(member_redis(member)));
    test_say(member, "PING", "PONG");
    member_talk_done(&talk.talk);
    test_gone(member);
    world_end();
}

static void a_role_is_read(const char *program)
{
    struct test_talk talk = TEST_TALK;
    const struct member_command role[] = {COMMAND(SLICE("ROLE"))};
    struct member_role found;

    world_begin(program);
    struct member *primary = test_started(1, NULL), *replica = test_started(2, primary);
    do {
        member_talk(replica, role, 1, &talk.talk);
        test_talked_fine(&talk);
        assert_int_equal(member_role_read(member_talk_reply(&talk.talk, 0), &found), E_OK);
        assert_false(found.is_primary);
    } while (!found.is_connected);
    member_talk(primary, role, 1, &talk.talk);
    test_talked_fine(&talk);
    assert_int_equal(member_role_read(member_talk_reply(&talk.talk, 0), &found), E_OK);
    assert_true(found.is_primary && !found.is_connected);
    const struct member_command ping[] = {COMMAND(SLICE("PING"))};
    member_talk(primary, ping, 1, &talk.talk);
    test_talked_fine(&talk);
    assert_int_equal(member_role_read(member_talk_reply(&talk.talk, 0), &found), E_BAD_WIRE);
    assert_int_equal(member_role_read(NULL, &found), E_BAD_WIRE);
    member_talk_done(&talk.talk);
    test_gone(replica);
    test_gone(primary);
    world_end();
}

/* ---- a client ---- */

struct tally {
    int writes, closed, refused, strange;
    char first_strange[128];
};

static int knock(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool ask(int fd, const char *words, char *answer, size_t size)
{
    ssize_t got = -1;

    if (send(fd, words, strlen(words), MSG_NOSIGNAL) > 0)
        got = recv(fd, answer, size - 1, 0);
    answer[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* Signs in and writes until it is thrown out. */
static void visit(int fd, struct tally *tally)
{
    char answer[128];
    bool is_fine = ask(fd, "AUTH key1\r\n", answer, sizeof answer);

    while (is_fine && strncmp(answer, "+OK", 3) == 0) {
        is_fine = ask(fd, "SET a b\r\n", answer, sizeof answer);
        tally->writes += is_fine;
    }
    if (is_fine) {
        tally->strange++;
        snprintf(tally->first_strange, sizeof tally->first_strange, "%s", answer);
    }
    tally->closed++;
}

/* A process of its own, until the other end of `stop` is closed; it leaves its tally there. */
static pid_t start_client(uint16_t port, int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid > 0) {
        close(ends[1]);
        return pid;
    }
    struct tally tally = {0};
    char byte;
    close(ends[0]);
    while (recv(ends[1], &byte, 1, MSG_DONTWAIT) < 0) {
        int fd = knock(port);
        if (fd < 0) {
            tally.refused++;
            continue;
        }
        visit(fd, &tally);
        close(fd);
    }
    _exit(write(ends[1], &tally, sizeof tally) == sizeof tally ? 0 : 1);
}

static struct tally stop_client(pid_t pid, int end)
{
    struct tally tally = {0};

    shutdown(end, SHUT_WR);
    assert_int_equal(read(end, &tally, sizeof tally), sizeof tally);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(end);
    return tally;
}

static void clients_see_an_open_door_or_none(const char *program)
{
    struct test_talk talk = TEST_TALK;
    int ends[2];

    world_begin(program);
    struct member *member = test_started(1, NULL);
    pid_t client = start_client(world.port, ends);
    for (int i = 0; i < 30; i++) {
        member_admit(member, &door, &talk.talk);
        test_talked_fine(&talk);
        test_say(member, "DEL a", NULL);
        for (int k = 0; k < 20; k++)
            test_say(member, "GET a", NULL);
        member_shut(member, &talk.talk);
        test_talked_fine(&talk);
        assert_true(member_shut_offset(&talk.talk) <= 1u << 30);
        test_say(member, "DEL a", NULL);
        for (int k = 0; k < 20; k++)
            test_say(member, "EXISTS a", "0"); /* nobody writes any more */
    }
    member_shut(member, &talk.talk); /* again */
    test_talked_fine(&talk);
    test_stop(member, STOP_DROP); /* who waits for an answer gets none */
    struct tally tally = stop_client(client, ends[0]);
    if (tally.strange > 0)
        fail_msg("a client saw %s", tally.first_strange);
    assert_true(tally.writes > 0 && tally.refused > 0 && tally.closed > 0);
    member_talk_done(&talk.talk);
    member_free(member);
    world_end();
}

static void what_is_shut_is_closed_to_everybody(const char *program)
{
    struct test_talk talk = TEST_TALK;
    char answer[128];

    world_begin(program);
    struct member *member = test_started(1, NULL);
    assert_int_equal(knock(world.port), -1);
    member_admit(member, &door, &talk.talk);
    test_talked_fine(&talk);
    int fd = knock(world.port);
    assert_true(fd >= 0);
    assert_true(ask(fd, "AUTH key2\r\n", answer, sizeof answer));
    assert_string_equal(answer, "+OK\r\n");
    member_shut(member, &talk.talk);
    test_talked_fine(&talk);
    assert_false(ask(fd, "PING\r\n", answer, sizeof answer));
    assert_int_equal(knock(world.port), -1);
    close(fd);
    const struct member_door keyless = {test_addresses, COUNT_OF(test_addresses), true};
    member_admit(member, &keyless, &talk.talk);
    test_talked_fine(&talk);
    fd = knock(world.port);
    assert_true(ask(fd, "AUTH key2\r\n", answer, sizeof answer));
    assert_true(strncmp(answer, "-WRONGPASS", 10) == 0);
    close(fd);
    member_talk_done(&talk.talk);
    test_gone(member);
    world_end();
}

#define WITH_EACH(test)                                                                            \
    static void real_##test(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        with_each_server(test);                                                                    \
    }

WITH_EACH(the_first_error_counts_unless_it_may_fail)
WITH_EACH(a_talk_waits_for_its_connection)
WITH_EACH(a_role_is_read)
WITH_EACH(clients_see_an_open_door_or_none)
WITH_EACH(what_is_shut_is_closed_to_everybody)

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_the_first_error_counts_unless_it_may_fail),
        cmocka_unit_test(real_a_talk_waits_for_its_connection),
        cmocka_unit_test(real_a_role_is_read),
        cmocka_unit_test(real_clients_see_an_open_door_or_none),
        cmocka_unit_test(real_what_is_shut_is_closed_to_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
