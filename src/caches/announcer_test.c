#include "caches/announcer.h"

#include "caches/testing_fleet.h"
#include "loop/process.h"

/* ---- a subscriber ---- */

struct listener {
    int fd;
    struct buf heard;
};

static void send_text(const struct listener *listener, const char *text)
{
    assert_int_equal(send(listener->fd, text, strlen(text), 0), strlen(text));
}

static bool hears(void *ctx)
{
    struct listener *listener = ctx;
    char bytes[4096];
    ssize_t got = recv(listener->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (got > 0)
        buf_add(&listener->heard, (struct slice){bytes, (size_t)got});
    return false;
}

static void listener_open(struct listener *listener, const struct test_cache *cache)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(cache->port)};

    *listener = (struct listener){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(inet_pton(AF_INET, cache->address, &address.sin_addr), 1);
    assert_int_equal(connect(listener->fd, (struct sockaddr *)&address, sizeof address), 0);
    buf_init(&listener->heard, 1 << 20);
    send_text(listener, "AUTH " TEST_KEY "\r\nSUBSCRIBE AzureRedisEvents\r\n");
}

static void listener_close(struct listener *listener)
{
    close(listener->fd);
    buf_done(&listener->heard);
}

static size_t times_heard(struct listener *listener, const char *what)
{
    size_t times = 0;

    (void)hears(listener);
    for (const char *at = buf_text(&listener->heard); (at = strstr(at, what)) != NULL; at++)
        times++;
    return times;
}

struct wanted {
    struct listener *listener;
    const char *what;
    size_t times;
};

static bool is_heard(void *ctx)
{
    const struct wanted *wanted = ctx;
    return times_heard(wanted->listener, wanted->what) >= wanted->times;
}

static void until_heard(struct listener *listener, const char *what, size_t times)
{
    struct wanted wanted = {listener, what, times};
    test_until(is_heard, &wanted);
}

/* ---- what it says ---- */

struct stage_set {
    struct test_cache cache;
    struct announcer *announcer;
    struct listener listener;
    bool is_empty; /* nobody is the primary */
};

static struct member *place(void *ctx, struct notice *ret)
{
    const struct stage_set *set = ctx;

    ret->address = set->cache.address;
    ret->port = set->cache.port;
    ret->tls_port = (uint16_t)(set->cache.port + 1);
    return set->is_empty ? NULL : test_member(&set->cache, 0);
}

static void set_begin(struct stage_set *set, uint32_t notice_ms)
{
    *set = (struct stage_set){.announcer = NULL};
    test_cache_begin(&set->cache, TEST_SKU("Basic", 0));
    test_members_run(&set->cache, 1, "redis-server");
    const struct announcer_options options = {
        .loop = loop, .notice_ms = notice_ms, .place = place, .ctx = set};
    set->announcer = announcer_new(&options);
    listener_open(&set->listener, &set->cache);
    until_heard(&set->listener, "subscribe", 1);
}

static void set_end(struct stage_set *set)
{
    announcer_free(set->announcer);
    listener_close(&set->listener);
    test_cache_end(&set->cache);
}

static void a_beginning_is_told_with_time_to_prepare(void **state)
{
    struct stage_set set;
    struct op op = {0};

    (void)state;
    set_begin(&set, 200);
    uint64_t began_ms = clock_now_ms();
    announcer_begin(set.announcer, true, &op);
    test_ends_well(&op);
    assert_true(clock_now_ms() - began_ms >= 290); /* timers may be a little early */
    until_heard(&set.listener, "NodeMaintenanceStarting|StartTimeInUTC|", 1);
    until_heard(&set.listener, "NodeMaintenanceStart|IsReplica|True|IPAddress|127.60.", 1);
    announcer_begin(set.announcer, false, &op);
    op_abort(&op);
    assert_int_equal(test_end_of(&op, NULL), E_CANCELED);
    set_end(&set);
}

static void ends_are_told_twice(void **state)
{
    struct stage_set set;

    (void)state;
    set_begin(&set, 0);
    announcer_tell(set.announcer, NOTICE_SCALE_COMPLETE, false);
    announcer_tell(set.announcer, NOTICE_FAILOVER_COMPLETE, false);
    announcer_tell(set.announcer, NOTICE_ENDED, true);
    until_heard(&set.listener, "NodeMaintenanceFailoverComplete|IsReplica|False|", 2);
    until_heard(&set.listener, "NodeMaintenanceEnded|IsReplica|True|", 2);
    assert_int_equal(times_heard(&set.listener, "ScaleComplete"), 1);
    set_end(&set);
}

static void nothing_is_said_in_a_pause(void **state)
{
    struct stage_set set;

    (void)state;
    set_begin(&set, 0);
    announcer_hold(set.announcer);
    announcer_tell(set.announcer, NOTICE_FAILOVER_COMPLETE, false);
    assert_false(test_wait_ms(loop, hears, &set.listener, 50));
    assert_int_equal(times_heard(&set.listener, "NodeMaintenance"), 0);
    announcer_release(set.announcer);
    until_heard(&set.listener, "NodeMaintenanceFailoverComplete", 1);
    set.is_empty = true; /* nobody is there to be told */
    announcer_tell(set.announcer, NOTICE_ENDED, false);
    set_end(&set);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_beginning_is_told_with_time_to_prepare),
        cmocka_unit_test(ends_are_told_twice),
        cmocka_unit_test(nothing_is_said_in_a_pause),
    };

    process_child_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
