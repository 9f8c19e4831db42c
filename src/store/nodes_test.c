/* Nodes of two data folders on one real server. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/process.h"
#include "loop/timer.h"
#include "redis/client.h"
#include "store/datadir.h"
#include "store/nodes.h"
#include "store/store.h"

#define DEADLINE_MS 20000
#define BEAT_MS 50
#define DEAD_MS 300

/* One daemon, as far as this folder knows it. */
struct node {
    struct datadir *data;
    struct nodes *nodes;
    struct id id;
    int died;
};

static struct world {
    char folder[64];
    struct loop *loop;
    struct redis_hub *hub;
    struct store *store;
    struct timer *tick;
    struct op op;
    int ended;
    enum err err;
    bool (*is_true)(void);
    uint64_t deadline_ms;
    struct node a, b;
    struct redis_call call;
    int64_t answer;
} world;

static void on_tick(void *ctx)
{
    (void)ctx;
    if ((world.is_true != NULL && world.is_true()) || clock_now_ms() > world.deadline_ms)
        loop_stop(world.loop);
}

static void wait_until(bool (*is_true)(void))
{
    world.is_true = is_true;
    world.deadline_ms = clock_now_ms() + DEADLINE_MS;
    timer_every(world.tick, 5);
    loop_run(world.loop);
    timer_clear(world.tick);
    assert_true(is_true());
}

static void on_done(struct op *op, enum err err)
{
    (void)op;
    world.err = err;
    world.ended++;
}

static bool has_ended(void)
{
    return world.ended > 0;
}

static void on_died(void *ctx)
{
    ((struct node *)ctx)->died++;
}

static void node_start(struct node *node, const char *name)
{
    char path[128];
    struct cause why = {0};

    snprintf(path, sizeof path, "%s/%s", world.folder, name);
    *node = (struct node){.id = id_next()};
    assert_int_equal(datadir_open(path, &node->data, &why), E_OK);
    assert_int_equal(nodes_start(&(struct nodes_options){.loop = world.loop,
                                                         .redis = store_redis(world.store),
                                                         .data = node->data,
                                                         .id = node->id.text,
                                                         .heartbeat_ms = BEAT_MS,
                                                         .dead_ms = DEAD_MS,
                                                         .died = on_died,
                                                         .ctx = node},
                                 &node->nodes, &why),
                     E_OK);
}

static void node_stop(struct node *node)
{
    world.ended = 0;
    nodes_stop(node->nodes, &world.op);
    wait_until(has_ended);
    assert_int_equal(world.err, E_OK);
}

static void node_free(struct node *node)
{
    nodes_free(node->nodes);
    datadir_close(node->data);
    *node = (struct node){0};
}

static bool both_see_two(void)
{
    return nodes_count(world.a.nodes) == 2 && nodes_count(world.b.nodes) == 2;
}

static void on_answer(struct op *op, enum err err)
{
    struct redis_call *call = container_of(op, struct redis_call, op);

    world.ended++;
    world.answer = -1;
    if (err == E_OK)
        (void)resp_int(call->reply->root, &world.answer);
}

static int64_t ask(const struct slice *args, size_t count)
{
    world.ended = 0;
    world.call = (struct redis_call){.op = {.done = on_answer}};
    assert_int_equal(redis_call(store_redis(world.store), args, count, &world.call), E_OK);
    wait_until(has_ended);
    return world.answer;
}

static int64_t registered(void)
{
    return ask((const struct slice[]){SLICE("ZCARD"), SLICE("rg:{meta}:nodes")}, 2);
}

static int set_up(void **state)
{
    struct cause why = {0};

    (void)state;
    world = (struct world){.op = {.done = on_done}};
    snprintf(world.folder, sizeof world.folder, "/tmp/redgrid-nodes-XXXXXX");
    if (mkdtemp(world.folder) == NULL)
        return 1;
    world.loop = loop_new();
    world.hub = redis_hub_new(world.loop);
    world.tick = timer_new(world.loop, on_tick, NULL);
    enum err err = store_start(
        &(struct store_options){
            .loop = world.loop, .hub = world.hub, .data = world.folder, .fsync = "no"},
        &world.op, &world.store, &why);
    assert_int_equal(err, E_OK);
    wait_until(has_ended);
    assert_int_equal(world.err, E_OK);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    world.ended = 0;
    store_stop(world.store, &world.op);
    wait_until(has_ended);
    store_free(world.store);
    redis_hub_free(world.hub);
    timer_free(world.tick);
    loop_free(world.loop);
    snprintf(command, sizeof command, "rm -rf '%s'", world.folder);
    return system(command);
}

static void nodes_see_each_other_and_leave(void **state)
{
    (void)state;
    node_start(&world.a, "a");
    node_start(&world.b, "b");
    wait_until(both_see_two);
    assert_false(nodes_is_dead(world.a.nodes, id_slice(&world.b.id)));
    assert_false(nodes_is_dead(world.a.nodes, id_slice(&world.a.id)));
    node_stop(&world.b);
    assert_int_equal(registered(), 1);
    node_free(&world.b);
    node_stop(&world.a);
    assert_int_equal(registered(), 0);
    node_free(&world.a);
}

static struct id gone_id;

static bool a_knows_that_it_is_gone(void)
{
    return nodes_is_dead(world.a.nodes, id_slice(&gone_id));
}

static void a_node_that_left_is_dead(void **state)
{
    (void)state;
    node_start(&world.a, "a");
    node_start(&world.b, "b");
    wait_until(both_see_two);
    gone_id = world.b.id;
    node_stop(&world.b);
    node_free(&world.b);
    wait_until(a_knows_that_it_is_gone);
    assert_int_equal(world.a.died, 1);
    assert_false(nodes_is_dead(world.a.nodes, SLICE("never-seen")));
    node_stop(&world.a);
    node_free(&world.a);
}

static bool a_hears_nothing_of_it(void)
{
    return nodes_is_gone(world.a.nodes, id_slice(&gone_id));
}

static bool a_was_told(void)
{
    return world.a.died > 0;
}

/* It left in peace, and nobody else was there: only what it holds tells of it. */
static void a_holder_that_nobody_saw_is_gone_after_a_while(void **state)
{
    (void)state;
    gone_id = id_next();
    node_start(&world.a, "a");
    uint64_t started_ms = clock_now_ms();
    assert_false(a_hears_nothing_of_it());
    assert_false(nodes_is_gone(world.a.nodes, SLICE("pull"))); /* no node's name */
    wait_until(a_was_told);
    assert_true(a_hears_nothing_of_it());
    assert_true(clock_now_ms() - started_ms >= DEAD_MS); /* not at first sight */
    node_start(&world.b, "b");
    assert_false(nodes_is_gone(world.a.nodes, id_slice(&world.b.id)));
    wait_until(both_see_two);
    assert_false(nodes_is_gone(world.a.nodes, id_slice(&world.b.id)));
    assert_int_equal(world.a.died, 1);
    node_stop(&world.a);
    node_stop(&world.b);
    node_free(&world.a);
    node_free(&world.b);
}

/* An entry whose heartbeat stopped, as a killed node leaves it. */
static void an_old_heartbeat_is_dead_after_a_while(void **state)
{
    (void)state;
    gone_id = id_next();
    const struct slice time[] = {
        SLICE("EVAL"),
        SLICE("local t = redis.call('TIME') return redis.call('ZADD', KEYS[1], "
              "t[1] * 1000, ARGV[1])"),
        SLICE("1"), SLICE("rg:{meta}:nodes"), id_slice(&gone_id)};
    assert_int_equal(ask(time, COUNT_OF(time)), 1);
    node_start(&world.a, "a");
    uint64_t started_ms = clock_now_ms();
    wait_until(a_knows_that_it_is_gone);
    assert_true(clock_now_ms() - started_ms >= DEAD_MS); /* not at first sight */
    node_stop(&world.a);
    node_free(&world.a);
}

static void earlier_runs_of_the_folder_are_dead_at_once(void **state)
{
    char path[128];
    int lines = 0;

    (void)state;
    node_start(&world.a, "a");
    struct id first = world.a.id;
    node_stop(&world.a);
    node_free(&world.a);
    node_start(&world.a, "a");
    assert_true(nodes_is_dead(world.a.nodes, id_slice(&first)));
    assert_false(nodes_is_dead(world.a.nodes, id_slice(&world.a.id)));
    node_stop(&world.a);
    node_free(&world.a);
    for (int i = 0; i < NODES_KEPT + 3; i++) {
        node_start(&world.a, "a");
        node_stop(&world.a);
        node_free(&world.a);
    }
    snprintf(path, sizeof path, "%s/a/nodes", world.folder);
    FILE *file = fopen(path, "r");
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    assert_int_equal(lines, NODES_KEPT);
}

static int beats_seen;

static bool time_has_passed(void)
{
    return ++beats_seen > 2 * DEAD_MS / 5; /* ticks of 5 ms */
}

/* The store stands still for longer than dead_ms: nobody may take the other for dead. */
static void a_store_that_stands_still_kills_nobody(void **state)
{
    char path[128];
    long pid = 0;

    (void)state;
    node_start(&world.a, "a");
    node_start(&world.b, "b");
    wait_until(both_see_two);
    beats_seen = 0;
    wait_until(time_has_passed); /* steady by now */
    snprintf(path, sizeof path, "%s/store/redis.pid", world.folder);
    FILE *file = fopen(path, "r");
    assert_int_equal(fscanf(file, "%ld", &pid), 1);
    fclose(file);
    kill((pid_t)pid, SIGSTOP);
    beats_seen = 0;
    wait_until(time_has_passed);
    kill((pid_t)pid, SIGCONT);
    beats_seen = 0;
    wait_until(time_has_passed);
    assert_int_equal(world.a.died, 0);
    assert_int_equal(world.b.died, 0);
    assert_true(both_see_two());
    node_stop(&world.a);
    node_stop(&world.b);
    node_free(&world.a);
    node_free(&world.b);
}

/* The store loses its data, and both live on. */
static void a_store_that_forgets_kills_nobody(void **state)
{
    (void)state;
    node_start(&world.a, "a");
    node_start(&world.b, "b");
    wait_until(both_see_two);
    for (int round = 0; round < 3; round++) {
        beats_seen = 0;
        wait_until(time_has_passed); /* steady by now */
        const struct slice forget[] = {SLICE("DEL"), SLICE("rg:{meta}:nodes")};
        assert_int_equal(ask(forget, COUNT_OF(forget)), 1);
        wait_until(both_see_two);
    }
    assert_int_equal(world.a.died, 0);
    assert_int_equal(world.b.died, 0);
    node_stop(&world.a);
    node_stop(&world.b);
    node_free(&world.a);
    node_free(&world.b);
}

int main(int argc, char **argv)
{
    process_child_main(argc, argv);
    log_open(STDERR_FILENO, LOG_OFF, false);
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(nodes_see_each_other_and_leave),
        CASE(a_node_that_left_is_dead),
        CASE(a_holder_that_nobody_saw_is_gone_after_a_while),
        CASE(an_old_heartbeat_is_dead_after_a_while),
        CASE(earlier_runs_of_the_folder_are_dead_at_once),
        CASE(a_store_that_stands_still_kills_nobody),
        CASE(a_store_that_forgets_kills_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
