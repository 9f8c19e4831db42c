#include "http/server_fixture.h"

/* --- streams --- */

static void read_stream(struct rig *rig)
{
    char text[4000];
    int fd = dial(rig);

    put(fd, "GET /stream HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    get_all(fd, text, sizeof(text));
    check(strstr(text, "Transfer-Encoding: chunked\r\n") != NULL);
    check(strstr(text, "begin\n") != NULL);
    check(strstr(text, "line 3\n") != NULL);
    check(strstr(text, "line 1\n") != NULL);
    check(strstr(text, "\r\n0\r\n\r\n") != NULL);
    close(fd);
}

static void a_stream_is_sent_as_it_is_written(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.stream_left = 20;
    rig_run(&rig, read_stream);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.gone_calls, 0);
    assert_int_equal(rig.closed_err, E_OK);
}

static void leave_stream(struct rig *rig)
{
    char text[100];
    int fd = dial(rig);

    put(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    check(recv(fd, text, sizeof(text), 0) > 0);
    close(fd);
}

static void stop_when_gone(void *ctx)
{
    struct rig *rig = ctx;
    if (rig->gone_calls > 0)
        loop_stop(rig->loop);
}

static void a_stream_tells_that_its_client_left(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.stream_left = 1 << 30;
    rig_run(&rig, leave_stream);
    struct timer *timer = timer_new(rig.loop, stop_when_gone, &rig);
    timer_every(timer, 1);
    while (rig.gone_calls == 0)
        loop_run(rig.loop);
    rig_join(&rig);
    timer_free(timer);
    rig_done(&rig);
    assert_int_equal(rig.gone_calls, 1);
}

/* --- clients that are waited with --- */

static void leave_unanswered(struct rig *rig)
{
    char text[100];
    int fd = dial(rig);

    for (int i = 0; i < 2; i++) { /* one that is answered is watched no longer */
        check(ask(fd, "POST /watch HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", text,
                  sizeof(text)) == 200);
        check(strcmp(text, "watched") == 0);
    }
    put(fd, "GET /watch HTTP/1.1\r\n" HOST "\r\n");
    close(fd);
}

static void a_client_that_leaves_unanswered_is_noticed(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig_run(&rig, leave_unanswered);
    struct timer *timer = timer_new(rig.loop, stop_when_gone, &rig);
    timer_every(timer, 1);
    while (rig.gone_calls == 0)
        loop_run(rig.loop);
    rig_join(&rig);
    timer_free(timer);
    rig_done(&rig);
    assert_int_equal(rig.gone_calls, 1);
    assert_int_equal(rig.calls, 3);
    assert_int_equal(rig.closed_err, E_OK);
}

static void ask_late(struct rig *rig)
{
    check(ask_once(rig, "GET /watch/close HTTP/1.1\r\n" HOST "\r\n") == 503);
}

static void one_that_is_watched_is_cut_off_by_a_close(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig_run(&rig, ask_late);
    while (!rig.is_closed)
        loop_run(rig.loop);
    rig_join(&rig);
    answer_text(rig.held[0], "to nobody");
    rig_done(&rig);
    assert_int_equal(rig.gone_calls, 0);
    assert_int_equal(rig.closed_err, E_TIMEOUT);
}

static void keep_stream(struct rig *rig)
{
    char text[4000];
    int fd = dial(rig);

    put(fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    check(recv(fd, text, sizeof(text), 0) > 0);
    check(ask_once(rig, "GET /close HTTP/1.1\r\n" HOST "\r\n") == 200);
    while (recv(fd, text, sizeof(text), 0) > 0)
        ;
    close(fd);
}

static void closing_the_server_ends_its_streams(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.stream_left = 1 << 30;
    rig_run(&rig, keep_stream);
    while (!rig.is_closed)
        loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.gone_calls, 1);
    assert_int_equal(rig.closed_err, E_OK);
}

/* --- the end --- */

static void ask_close(struct rig *rig)
{
    char body[200];
    int fd = dial(rig);

    check(ask(fd, "GET /close HTTP/1.1\r\n" HOST "\r\n", body, sizeof(body)) == 200);
    check(strcmp(body, "closing") == 0);
    check(recv(fd, body, 1, 0) <= 0); /* and then the connection ends */
    close(fd);
    check(dial(rig) < 0); /* nobody listens */
}

static void a_close_lets_what_is_answered_leave(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig_run(&rig, ask_close);
    while (!rig.is_closed)
        loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.closed_err, E_OK);
}

static void ask_held_for_ever(struct rig *rig)
{
    check(ask_once(rig, "GET /hold HTTP/1.1\r\n" HOST "X-Test: t\r\n\r\n") == 503);
}

static void what_is_held_too_long_is_cut_and_may_be_answered_later(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.held_wanted = 1;
    rig.closes_when_held = true;
    rig_run(&rig, ask_held_for_ever);
    while (!rig.is_closed)
        loop_run(rig.loop);
    rig_join(&rig);
    assert_int_equal(rig.closed_err, E_TIMEOUT);
    assert_int_equal(rig.held_count, 1);
    assert_true(slice_eq(http_request_header(rig.held[0], SLICE("X-Test")), SLICE("t")));
    assert_int_equal(http_request_segment_count(rig.held[0]), 1);
    answer_text(rig.held[0], "too late");
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_sent_as_it_is_written),
        cmocka_unit_test(a_stream_tells_that_its_client_left),
        cmocka_unit_test(a_client_that_leaves_unanswered_is_noticed),
        cmocka_unit_test(one_that_is_watched_is_cut_off_by_a_close),
        cmocka_unit_test(closing_the_server_ends_its_streams),
        cmocka_unit_test(a_close_lets_what_is_answered_leave),
        cmocka_unit_test(what_is_held_too_long_is_cut_and_may_be_answered_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
