#include "loop/hangup.h"

#include "loop/testing.h"

#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static int set_up(void **state)
{
    (void)state;
    world_begin();
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    close(pair[0]);
    return 0;
}

static void on_hung_up(void *ctx)
{
    ++*(int *)ctx;
    loop_stop(loop);
}

static void who_leaves_is_noticed_once(void **state)
{
    int count = 0;

    (void)state;
    struct hangup *hangup = hangup_new(loop, pair[0], on_hung_up, &count);
    assert_non_null(hangup);
    assert_int_equal(write(pair[1], "x", 1), 1); /* to speak is not to leave */
    turns(3);
    assert_int_equal(count, 0);
    close(pair[1]);
    while (count == 0)
        loop_run(loop);
    turns(3);
    assert_int_equal(count, 1);
    hangup_free(hangup);
}

static void who_left_before_is_noticed_too(void **state)
{
    int count = 0;

    (void)state;
    close(pair[1]);
    struct hangup *hangup = hangup_new(loop, pair[0], on_hung_up, &count);
    while (count == 0)
        loop_run(loop);
    hangup_free(hangup);
}

static void nothing_is_told_after_the_end(void **state)
{
    int count = 0;

    (void)state;
    hangup_free(hangup_new(loop, pair[0], on_hung_up, &count));
    hangup_free(NULL);
    close(pair[1]);
    turns(3);
    assert_int_equal(count, 0);
    assert_null(hangup_new(loop, -1, on_hung_up, &count));
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(who_leaves_is_noticed_once),
        ROW(who_left_before_is_noticed_too),
        ROW(nothing_is_told_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
