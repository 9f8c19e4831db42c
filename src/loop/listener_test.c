#include "loop/testing.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "loop/listener.h"

#define CLIENTS 5

static struct sockaddr_in address;
static struct listener *listener;
static int clients[CLIENTS], taken[CLIENTS];
static int taken_count, told_count;

static void on_came(void *ctx, int fd)
{
    (void)ctx;
    taken[taken_count++] = fd;
    loop_stop(loop);
}

static void on_record(void *ctx, const struct log_record *record)
{
    (void)ctx;
    if (!slice_eq(record->id, SLICE("LISTEN-STARVED")))
        return;
    told_count++;
    loop_stop(loop);
}

static int set_up(void **state)
{
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)state;
    world_begin();
    address = (struct sockaddr_in){.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, CLIENTS), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    taken_count = told_count = 0;
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    listener = listener_new(loop, fd, on_came, NULL);
    assert_non_null(listener);
    log_tap(on_record, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_tap(NULL, NULL);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    for (int i = 0; i < taken_count; i++)
        close(taken[i]);
    world_end();
    return 0;
}

static void dial(int first, int end)
{
    for (int i = first; i < end; i++)
        assert_int_equal(connect(clients[i], (struct sockaddr *)&address, sizeof address), 0);
}

static void until_taken(int count)
{
    while (taken_count < count)
        loop_run(loop);
    assert_int_equal(taken_count, count);
}

static void connections_are_taken_until_it_is_freed(void **state)
{
    (void)state;
    dial(0, 3);
    until_taken(3);
    listener_free(listener);
    turns(2);
    assert_int_equal(connect(clients[3], (struct sockaddr *)&address, sizeof address), -1);
    listener_free(NULL);
}

static void while_it_is_paused_they_wait(void **state)
{
    (void)state;
    listener_pause(listener, true);
    dial(0, 3);
    turns(5);
    assert_int_equal(taken_count, 0);
    listener_pause(listener, false);
    until_taken(3);
    listener_free(listener);
}

static void a_lack_of_descriptors_is_told_once_and_waited_out(void **state)
{
    struct rlimit before, none;
    int spare = dup(0); /* the lowest that is free, so that none below it is */

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    dial(0, 3);
    none = before;
    none.rlim_cur = (rlim_t)spare + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    while (told_count == 0)
        loop_run(loop);
    struct wait wait = WAIT;
    struct timer *timer = timer_new(loop, NULL, NULL);
    timer_wait(timer, 3 * LISTENER_AGAIN_MS, &wait.op); /* it tries in vain, and is silent */
    (void)wait_for(&wait);
    timer_free(timer);
    assert_int_equal(told_count, 1);
    assert_int_equal(taken_count, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    until_taken(3);
    close(spare);
    listener_free(listener);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(connections_are_taken_until_it_is_freed),
        ROW(while_it_is_paused_they_wait),
        ROW(a_lack_of_descriptors_is_told_once_and_waited_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
