/* caches/member_testing.h - members with real servers, in folders and on addresses of their own,
 * for tests of what is built upon them. Included by one test file per program, whose main() hands
 * its arguments to process_child_main(). */
#ifndef CACHES_MEMBER_TESTING_H
#define CACHES_MEMBER_TESTING_H

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "caches/member.h"
#include "caches/testing_servers.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "redis/client.h"

#define TEST_PASSWORD "admin+/secret="
#define TEST_REPLICATION "replication/secret="
#define TEST_HANG_MS 20000
#define TEST_MEMBERS_MAX 8

static struct member_world {
    struct loop *loop;
    struct redis_hub *hub;
    struct timer *deadline;
    char folder[64];
    uint16_t port;
    const char *program;
    uint32_t hang_ms;
    bool is_detached;
    struct member_options options;
    int downs;
    struct member_end end;
    struct cache_spec spec;
    struct cache_secrets secrets;
} world;

static char test_admin[] = TEST_PASSWORD, test_replication[] = TEST_REPLICATION;

/* ---- waiting ---- */

struct test_wait {
    struct op op;
    bool is_done;
    enum err err;
    char why[CAUSE_MAX_BYTES];
};

static inline void test_on_done(struct op *op, enum err err)
{
    struct test_wait *wait = container_of(op, struct test_wait, op);

    assert_false(wait->is_done);
    wait->is_done = true;
    wait->err = err;
    snprintf(wait->why, sizeof wait->why, "%s", op->why.text);
    loop_stop(world.loop);
}

#define TEST_WAIT ((struct test_wait){.op.done = test_on_done})

static inline void test_on_deadline(void *ctx)
{
    (void)ctx;
    fail_msg("what the test waits for does not come");
}

static inline enum err test_end(struct test_wait *wait)
{
    timer_set(world.deadline, 2 * DEADLINE_MS);
    while (!wait->is_done)
        loop_run(world.loop);
    timer_clear(world.deadline);
    return wait->err;
}

static inline void test_fine(struct test_wait *wait)
{
    if (test_end(wait) != E_OK)
        fail_msg("%s: %s", err_name(wait->err), wait->why);
}

static inline void test_tick(void *ctx)
{
    (void)ctx;
    loop_stop(world.loop);
}

/* Lets the loop run until it is so. */
#define TEST_UNTIL(condition)                                                                      \
    do {                                                                                           \
        struct timer *ticks = timer_new(world.loop, test_tick, NULL);                              \
        timer_every(ticks, 2);                                                                     \
        timer_set(world.deadline, 2 * DEADLINE_MS);                                                \
        while (!(condition))                                                                       \
            loop_run(world.loop);                                                                  \
        timer_clear(world.deadline);                                                               \
        timer_free(ticks);                                                                         \
    } while (0)

/* ---- the world ---- */

static inline void test_on_down(void *ctx, struct member *member, const struct member_end *end)
{
    (void)ctx, (void)member;
    world.downs++;
    world.end = *end;
    loop_stop(world.loop);
}

static inline void world_begin(const char *program)
{
    world = (struct member_world){.program = program, .hang_ms = TEST_HANG_MS};
    world.loop = loop_new();
    world.hub = redis_hub_new(world.loop);
    world.deadline = timer_new(world.loop, test_on_deadline, NULL);
    snprintf(world.folder, sizeof world.folder, "/tmp/redgrid-member-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    world.port = a_port();
    world.spec = test_spec(&test_host, TEST_SKU("Standard", 0));
    world.secrets = (struct cache_secrets){
        .keys = {.text = {"key1", "key2"}}, .admin = test_admin, .replication = test_replication};
}

static inline void world_end(void)
{
    uint64_t end_ms = clock_now_ms() + DEADLINE_MS;
    char command[128];

    cache_spec_done(&world.spec);
    timer_free(world.deadline);
    redis_hub_free(world.hub);
    loop_free(world.loop);
    snprintf(command, sizeof command, "rm -rf %s 2>/dev/null", world.folder);
    while (system(command) != 0) { /* a child that saves may still be writing */
        assert_true(clock_now_ms() < end_ms);
        nap();
    }
}

/* ---- members ---- */

/* The record of n<number>, valid until the next one of that number. */
static inline const struct cache_member *test_record(int number)
{
    static struct {
        struct cache_member member;
        char name[16], address[32], dir[96], program[512];
    } records[TEST_MEMBERS_MAX];

    snprintf(records[number].name, sizeof records[number].name, "n%d", number);
    snprintf(records[number].address, sizeof records[number].address, "127.77.0.%d", number);
    snprintf(records[number].dir, sizeof records[number].dir, "%s/n%d", world.folder, number);
    snprintf(records[number].program, sizeof records[number].program, "%s", world.program);
    records[number].member = (struct cache_member){.name = records[number].name,
                                                   .address = records[number].address,
                                                   .port = world.port,
                                                   .dir = records[number].dir,
                                                   .program = records[number].program};
    return &records[number].member;
}

static inline struct member *test_member(int number)
{
    return member_new(&(struct member_options){.loop = world.loop,
                                               .hub = world.hub,
                                               .cache = "test",
                                               .record = test_record(number),
                                               .password = TEST_PASSWORD,
                                               .hang_ms = world.hang_ms,
                                               .is_detached = world.is_detached,
                                               .down = test_on_down});
}

/* As a replica of `primary`, or NULL. */
static inline void test_start(struct member *member, const struct member *primary, bool keeps_files,
                              struct test_wait *wait)
{
    const struct server_config config = {.spec = &world.spec,
                                         .host = &test_host,
                                         .member = member_record(member),
                                         .primary = primary != NULL ? member_record(primary) : NULL,
                                         .secrets = &world.secrets};
    struct buf text;

    *wait = TEST_WAIT;
    buf_init(&text, SERVER_CONFIG_MAX_BYTES);
    server_config_write(&text, &config);
    member_start(member, buf_slice(&text), keeps_files, &wait->op);
    buf_done(&text);
}

static inline struct member *test_started(int number, const struct member *primary)
{
    struct member *member = test_member(number);
    struct test_wait wait;

    test_start(member, primary, false, &wait);
    test_fine(&wait);
    return member;
}

static inline void test_stop(struct member *member, enum member_stop how)
{
    struct test_wait wait = TEST_WAIT;

    member_stop(member, how, &wait.op);
    test_fine(&wait);
}

static inline void test_gone(struct member *member)
{
    test_stop(member, STOP_DROP);
    member_free(member);
}

/* ---- talking ---- */

struct test_talk {
    struct member_talk talk;
    bool is_done;
    enum err err;
    char why[CAUSE_MAX_BYTES];
};

static inline void test_on_talked(struct op *op, enum err err)
{
    struct test_talk *talk = container_of(op, struct test_talk, talk.op);

    assert_false(talk->is_done);
    talk->is_done = true;
    talk->err = err;
    snprintf(talk->why, sizeof talk->why, "%s", op->why.text);
    loop_stop(world.loop);
}

#define TEST_TALK ((struct test_talk){.talk.op.done = test_on_talked})

static inline enum err test_talked(struct test_talk *talk)
{
    timer_set(world.deadline, 2 * DEADLINE_MS);
    while (!talk->is_done)
        loop_run(world.loop);
    timer_clear(world.deadline);
    talk->is_done = false;
    return talk->err;
}

static inline void test_talked_fine(struct test_talk *talk)
{
    if (test_talked(talk) != E_OK)
        fail_msg("%s: %s", err_name(talk->err), talk->why);
}

/* One command of words, which must be fine; the answer as text. */
static inline void test_say(struct member *member, const char *line, const char *expected)
{
    struct slice args[16], rest = slice_of(line);
    struct test_talk talk = TEST_TALK;
    size_t count = 0;
    char answer[256];

    while (count < COUNT_OF(args) && slice_cut(&rest, ' ', &args[count]))
        count++;
    member_talk(member, &(struct member_command){.args = args, .count = count}, 1, &talk.talk);
    test_talked_fine(&talk);
    const struct resp *reply = member_talk_reply(&talk.talk, 0);
    if (reply->type == RESP_INTEGER)
        snprintf(answer, sizeof answer, "%lld", (long long)reply->integer);
    else
        snprintf(answer, sizeof answer, "%.*s", SLICE_ARG(reply->text));
    if (expected != NULL)
        assert_string_equal(answer, expected);
    member_talk_done(&talk.talk);
}

#endif
