/* caches/testing_cluster.h - real servers as a cluster, and clients of it that follow where they
 * are sent, for tests: test_shards_run() starts and forms it, test_crowd_start() readers and
 * writers. Those are threads with sockets of their own, as in testing_load.h. */
#ifndef CACHES_TESTING_CLUSTER_H
#define CACHES_TESTING_CLUSTER_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/time.h>

#include "caches/cluster.h"
#include "caches/member_testing.h"
#include "loop/process.h"
#include "redis/slot.h"

#define TEST_KEY "key1"
#define TEST_LIMIT_MS DEADLINE_MS

/* ---- servers ---- */

/* On an address of this process's own no port is taken. */
struct test_cluster {
    char address[24];
    const char *addresses[1];
    struct cache_host host;
    struct cluster cluster;
    struct cache_member records[TEST_MEMBERS_MAX];
    struct member *members[TEST_MEMBERS_MAX];
};

static inline uint16_t test_port_of(const struct test_cluster *test, size_t at)
{
    (void)test;
    return (uint16_t)(world.port + 3 * at);
}

static inline struct cache_member test_record_of(const struct test_cluster *test, size_t at)
{
    struct cache_member record = *test_record((int)at);

    record.port = test_port_of(test, at);
    record.tls_port = (uint16_t)(record.port + 1);
    record.bus_port = (uint16_t)(record.port + 2);
    return record;
}

/* Starts it, with its files or emptied. */
static inline void test_run_server(struct test_cluster *test, size_t at, bool keeps_files)
{
    const struct server_config config = {.spec = &world.spec,
                                         .host = &test->host,
                                         .member = member_record(test->members[at]),
                                         .secrets = &world.secrets};
    struct test_wait wait = TEST_WAIT;
    struct buf text;

    buf_init(&text, SERVER_CONFIG_MAX_BYTES);
    server_config_write(&text, &config);
    member_start(test->members[at], buf_slice(&text), keeps_files, &wait.op);
    test_fine(&wait);
    buf_done(&text);
}

/* The servers from `first` on as a new shard: its primary and replicas; each runs, and is alone. */
static inline void test_shard_run(struct test_cluster *test, size_t first, size_t count,
                                  uint32_t shard)
{
    for (size_t i = first; i < first + count; i++) {
        test->records[i] = test_record_of(test, i);
        test->members[i] = member_new(&(struct member_options){.loop = world.loop,
                                                               .hub = world.hub,
                                                               .cache = "test",
                                                               .record = &test->records[i],
                                                               .password = TEST_PASSWORD,
                                                               .hang_ms = TEST_HANG_MS,
                                                               .down = test_on_down});
        test_run_server(test, i, false);
        assert_true(cluster_add(&test->cluster, test->members[i], shard, i == first));
    }
}

static inline void test_cluster_begin(struct test_cluster *test, const char *program,
                                      const char *properties)
{
    unsigned own = (unsigned)getpid() & 0xffff;

    world_begin(program);
    *test = (struct test_cluster){0};
    snprintf(test->address, sizeof test->address, "127.60.%u.%u", own >> 8, own & 0xff);
    test->addresses[0] = test->address;
    test->host = (struct cache_host){.addresses = test->addresses, .address_count = 1};
    cache_spec_done(&world.spec);
    world.spec = test_spec(&test->host, properties);
    test->cluster =
        (struct cluster){.loop = world.loop, .address = test->address, .password = TEST_PASSWORD};
}

static inline void test_cluster_end(struct test_cluster *test)
{
    for (size_t i = 0; i < TEST_MEMBERS_MAX; i++) {
        if (test->members[i] == NULL)
            continue;
        test_stop(test->members[i], STOP_DROP);
        member_free(test->members[i]);
    }
    world_end();
}

/* How a routine that was just started ends. */
struct test_end {
    bool is_done;
    enum err err;
    char why[CAUSE_MAX_BYTES];
};

static inline void test_on_ended(struct op *op, enum err err)
{
    struct test_end *end = op->owner;

    end->is_done = true;
    end->err = err;
    snprintf(end->why, sizeof end->why, "%s", op->why.text);
    loop_stop(world.loop);
}

static inline struct test_end test_ends(struct routine *routine)
{
    struct test_end end = {0};

    routine->op.done = test_on_ended;
    routine->op.owner = &end;
    TEST_UNTIL(end.is_done);
    return end;
}

static inline void test_ends_well(struct routine *routine)
{
    struct test_end end = test_ends(routine);

    if (end.err)
        fail_msg("%s: %s", err_name(end.err), end.why);
}

static inline void test_form(struct test_cluster *test, const struct slot_map *first)
{
    struct cluster_form *form = mem_new(struct cluster_form);

    cluster_form(&test->cluster, first, TEST_LIMIT_MS, form);
    test_ends_well(&form->routine);
    cluster_form_done(form);
    free(form);
}

static inline void test_shards_run(struct test_cluster *test, uint32_t shards, size_t servers)
{
    static const uint32_t ids[] = {0, 1, 2, 3, 4, 5};
    struct slot_map nothing, plan;

    for (uint32_t i = 0; i < shards; i++)
        test_shard_run(test, i * servers, servers, i);
    slot_map_init(&nothing);
    slot_map_plan(&nothing, ids, shards, &plan);
    test_form(test, &plan);
}

static inline void test_look(struct test_cluster *test, struct slot_map *ret)
{
    struct cluster_look *look = mem_new(struct cluster_look);

    cluster_look(&test->cluster, look);
    test_ends_well(&look->routine);
    cluster_look_slots(look, ret);
    cluster_look_done(look);
    free(look);
}

/* ---- one client ---- */

#define TEST_PORTS_MAX 16
#define TEST_ANSWER_MAX_BYTES 512
#define TEST_TRIES_MAX 100000

struct test_rider {
    struct test_crowd *crowd;
    size_t index;
    pthread_t thread;
    int fds[TEST_PORTS_MAX]; /* by (port - base) / 3; 0 = none */
    uint8_t at[REDIS_SLOTS]; /* whom to ask for a slot: likewise */
    char answer[TEST_ANSWER_MAX_BYTES];
    size_t answer_len;
    char odd[TEST_ANSWER_MAX_BYTES]; /* an answer that no client may get; "" = none */
    _Atomic uint64_t count;          /* of answers that counted */
    uint64_t last_us, longest_us;    /* between two of these */
    size_t moved, asked, downs, breaks;
    uint64_t *acked; /* of a writer: what each of its keys was last answered */
};

#define TEST_RIDERS_MAX 16
struct test_crowd {
    char address[24];
    uint16_t base;
    size_t readers, writers, keys, keys_each;
    _Atomic bool stops;
    struct test_rider riders[TEST_RIDERS_MAX];
};

static inline void test_rider_drop(struct test_rider *rider, size_t at)
{
    if (rider->fds[at] > 0)
        close(rider->fds[at]);
    rider->fds[at] = 0;
}

static inline bool test_rider_send(struct test_rider *rider, size_t at, const char *text)
{
    return send(rider->fds[at], text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

/* One answer, without its end; of a text only the text. False if the connection is gone. */
static inline bool test_rider_line(struct test_rider *rider, size_t at, char *ret)
{
    size_t have = 0;

    while (have < TEST_ANSWER_MAX_BYTES - 1) {
        if (recv(rider->fds[at], ret + have, 1, 0) != 1)
            return false;
        if (ret[have] == '\n') {
            ret[have - 1] = '\0';
            return true;
        }
        have++;
    }
    return false;
}

static inline bool test_rider_hear(struct test_rider *rider, size_t at)
{
    if (!test_rider_line(rider, at, rider->answer))
        return false;
    if (rider->answer[0] != '$' || rider->answer[1] == '-')
        return true;
    return test_rider_line(rider, at, rider->answer);
}

static inline bool test_rider_connect(struct test_rider *rider, size_t at)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)(rider->crowd->base + 3 * at))};
    const struct timeval patience = {.tv_sec = (2 * DEADLINE_MS) / 1000};

    if (rider->fds[at] > 0)
        return true;
    (void)inet_pton(AF_INET, rider->crowd->address, &address.sin_addr);
    rider->fds[at] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(rider->fds[at], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(rider->fds[at], (struct sockaddr *)&address, sizeof address) == 0 &&
        test_rider_send(rider, at, "AUTH " TEST_KEY "\r\n") && test_rider_hear(rider, at) &&
        strcmp(rider->answer, "+OK") == 0)
        return true;
    test_rider_drop(rider, at);
    return false;
}

/* Where an error sends the client; false if it is none of these. */
static inline bool test_rider_follow(struct test_rider *rider, uint16_t slot, size_t *at,
                                     bool *is_asking)
{
    struct slice error = slice_of(rider->answer + 1), endpoint;
    uint64_t port;

    if (rider->answer[0] != '-' || !redis_moved(error, &slot, &endpoint))
        return false;
    *is_asking = slice_has_prefix(error, SLICE("ASK"));
    size_t colon = endpoint.len;
    while (colon > 0 && endpoint.data[colon - 1] != ':')
        colon--;
    if (!slice_to_u64(slice_from(endpoint, colon), &port) || port < rider->crowd->base)
        return false;
    *at = (size_t)(port - rider->crowd->base) / 3;
    if (!*is_asking)
        rider->at[slot] = (uint8_t)*at;
    rider->moved += !*is_asking;
    rider->asked += *is_asking;
    return true;
}

/* Any server may know where a slot is now. */
static inline void test_rider_elsewhere(struct test_rider *rider, size_t *at)
{
    test_rider_drop(rider, *at);
    rider->breaks++;
    *at = (*at + 1) % TEST_PORTS_MAX;
}

/* Asks until there is an answer; false if the test stops. */
static inline bool test_rider_ask(struct test_rider *rider, const char *key, const char *command)
{
    uint16_t slot = redis_slot(slice_of(key));
    size_t at = rider->at[slot];
    bool is_asking = false;

    for (size_t tries = 0; tries < TEST_TRIES_MAX && !rider->crowd->stops; tries++) {
        bool is_fine = test_rider_connect(rider, at) &&
                       (!is_asking || test_rider_send(rider, at, "ASKING\r\n")) &&
                       test_rider_send(rider, at, command) &&
                       (!is_asking || test_rider_hear(rider, at)) && test_rider_hear(rider, at);
        is_asking = false;
        if (!is_fine) {
            test_rider_elsewhere(rider, &at);
        } else if (test_rider_follow(rider, slot, &at, &is_asking)) {
            continue;
        } else if (strncmp(rider->answer, "-CLUSTERDOWN", 12) == 0 ||
                   strncmp(rider->answer, "-TRYAGAIN", 9) == 0) {
            rider->downs++;
        } else {
            return true;
        }
        (void)poll(NULL, 0, 1);
    }
    return false;
}

static inline void test_rider_note(struct test_rider *rider)
{
    uint64_t now_us = clock_now_us();

    rider->count++;
    if (rider->last_us != 0 && now_us - rider->last_us > rider->longest_us)
        rider->longest_us = now_us - rider->last_us;
    rider->last_us = now_us;
}

static inline void test_rider_end(struct test_rider *rider)
{
    for (size_t i = 0; i < TEST_PORTS_MAX; i++)
        test_rider_drop(rider, i);
}

/* ---- readers and writers ---- */

static inline void *test_reader_main(void *ctx)
{
    struct test_rider *rider = ctx;
    char key[32], command[64], expected[32];

    for (size_t i = rider->index * 7919; !rider->crowd->stops && rider->odd[0] == '\0'; i++) {
        size_t number = i % rider->crowd->keys;
        snprintf(key, sizeof key, "key:%zu", number);
        snprintf(command, sizeof command, "GET %s\r\n", key);
        snprintf(expected, sizeof expected, "value:%zu", number);
        if (!test_rider_ask(rider, key, command))
            break;
        if (strcmp(rider->answer, expected) != 0)
            snprintf(rider->odd, sizeof rider->odd, "%.100s: %.300s", key, rider->answer);
        test_rider_note(rider);
    }
    test_rider_end(rider);
    return NULL;
}

static inline void *test_writer_cluster_main(void *ctx)
{
    struct test_rider *rider = ctx;
    char key[48], command[64];

    for (size_t i = 0; !rider->crowd->stops && rider->odd[0] == '\0'; i++) {
        size_t number = i % rider->crowd->keys_each;
        snprintf(key, sizeof key, "count:%zu:%zu", rider->index, number);
        snprintf(command, sizeof command, "INCR %s\r\n", key);
        if (!test_rider_ask(rider, key, command))
            break;
        uint64_t value = 0;
        if (rider->answer[0] != ':' || !slice_to_u64(slice_of(rider->answer + 1), &value) ||
            value <= rider->acked[number])
            snprintf(rider->odd, sizeof rider->odd, "%.100s: %.200s after %llu", key, rider->answer,
                     (unsigned long long)rider->acked[number]);
        rider->acked[number] = value;
        test_rider_note(rider);
    }
    test_rider_end(rider);
    return NULL;
}

/* A client that asks one thing after the other, on this thread. */
static inline void test_ask_cluster(struct test_crowd *crowd, const char *key, const char *command,
                                    char *ret)
{
    static struct test_rider rider;
    static struct test_crowd *last;

    if (last != crowd)
        rider = (struct test_rider){.crowd = crowd};
    last = crowd;
    bool stopped = crowd->stops;
    crowd->stops = false;
    assert_true(test_rider_ask(&rider, key, command));
    crowd->stops = stopped;
    snprintf(ret, TEST_ANSWER_MAX_BYTES, "%s", rider.answer);
}

static inline void test_fill(struct test_crowd *crowd)
{
    char key[32], command[96], answer[TEST_ANSWER_MAX_BYTES];

    for (size_t i = 0; i < crowd->keys; i++) {
        snprintf(key, sizeof key, "key:%zu", i);
        snprintf(command, sizeof command, "SET %s value:%zu\r\n", key, i);
        test_ask_cluster(crowd, key, command, answer);
        assert_string_equal(answer, "+OK");
    }
}

static inline size_t test_riders(const struct test_crowd *crowd)
{
    return crowd->readers + crowd->writers;
}

static inline bool test_all_rode(const struct test_crowd *crowd)
{
    for (size_t i = 0; i < test_riders(crowd); i++)
        if (crowd->riders[i].count == 0 && crowd->riders[i].odd[0] == '\0')
            return false;
    return true;
}

/* With `keys` keys, filled. Returns when each client had an answer. */
static inline struct test_crowd *test_crowd_start(const struct test_cluster *test, size_t readers,
                                                  size_t writers, size_t keys)
{
    struct test_crowd *crowd = mem_new(struct test_crowd);

    *crowd = (struct test_crowd){
        .base = world.port, .readers = readers, .writers = writers, .keys = keys, .keys_each = 500};
    snprintf(crowd->address, sizeof crowd->address, "%s", test->address);
    test_fill(crowd);
    for (size_t i = 0; i < test_riders(crowd); i++) {
        struct test_rider *rider = &crowd->riders[i];
        rider->crowd = crowd;
        rider->index = i;
        rider->acked = i < readers ? NULL : mem_new_array(crowd->keys_each, uint64_t);
        assert_int_equal(pthread_create(&rider->thread, NULL,
                                        i < readers ? test_reader_main : test_writer_cluster_main,
                                        rider),
                         0);
    }
    TEST_UNTIL(test_all_rode(crowd));
    return crowd;
}

static inline size_t test_count_lost(struct test_crowd *crowd, const struct test_rider *rider)
{
    char key[48], command[64], answer[TEST_ANSWER_MAX_BYTES];
    size_t lost = 0;

    for (size_t i = 0; i < crowd->keys_each; i++) {
        snprintf(key, sizeof key, "count:%zu:%zu", rider->index, i);
        snprintf(command, sizeof command, "GET %s\r\n", key);
        test_ask_cluster(crowd, key, command, answer);
        uint64_t value = 0; /* of an answer "$-1": there is none */
        (void)slice_to_u64(slice_of(answer), &value);
        lost += value < rider->acked[i];
    }
    return lost;
}

/* Each client has had one more answer. */
struct test_crowd_more {
    struct test_crowd *crowd;
    uint64_t had[TEST_RIDERS_MAX];
};

static inline bool test_rode_more(const struct test_crowd_more *more)
{
    for (size_t i = 0; i < test_riders(more->crowd); i++)
        if (more->crowd->riders[i].count == more->had[i] && more->crowd->riders[i].odd[0] == '\0')
            return false;
    return true;
}

static inline void test_crowd_more(struct test_crowd *crowd)
{
    struct test_crowd_more more = {.crowd = crowd};

    for (size_t i = 0; i < test_riders(crowd); i++)
        more.had[i] = crowd->riders[i].count;
    TEST_UNTIL(test_rode_more(&more));
}

/* Ends them. No answer was wrong, no key is missing, no write that was acknowledged is lost. */
static inline void test_crowd_stop(struct test_crowd *crowd, const char *what)
{
    char key[32], command[64], expected[32], answer[TEST_ANSWER_MAX_BYTES];
    size_t moved = 0, asked = 0, downs = 0, breaks = 0, lost = 0;
    uint64_t count = 0, longest_us = 0;

    crowd->stops = true;
    for (size_t i = 0; i < test_riders(crowd); i++) {
        struct test_rider *rider = &crowd->riders[i];
        assert_int_equal(pthread_join(rider->thread, NULL), 0);
        assert_string_equal(rider->odd, "");
        lost += rider->acked != NULL ? test_count_lost(crowd, rider) : 0;
        free(rider->acked);
        moved += rider->moved;
        asked += rider->asked;
        downs += rider->downs;
        breaks += rider->breaks;
        count += rider->count;
        longest_us = rider->longest_us > longest_us ? rider->longest_us : longest_us;
    }
    for (size_t i = 0; i < crowd->keys; i++) {
        snprintf(key, sizeof key, "key:%zu", i);
        snprintf(command, sizeof command, "GET %s\r\n", key);
        snprintf(expected, sizeof expected, "value:%zu", i);
        test_ask_cluster(crowd, key, command, answer);
        assert_string_equal(answer, expected);
    }
    print_message("%s: %llu answers, %zu MOVED, %zu ASK, %zu down or again, %zu connections lost, "
                  "longest gap %.1f ms\n",
                  what, (unsigned long long)count, moved, asked, downs, breaks,
                  (double)longest_us / 1000);
    assert_int_equal(lost, 0);
    free(crowd);
}

#endif
