/* What all connections share: room for bodies, for answers that nobody reads, for connections. */
#include "http/server_fixture.h"

#define ROOMY_BYTES ((size_t)40 * 1024 * 1024) /* two of them are more than there is room for */
#define GO_ON "HTTP/1.1 100 Continue\r\n\r\n"

static void run(struct http_server_options options, size_t held_wanted,
                void (*client)(struct rig *rig))
{
    struct rig rig;

    rig_init_with(&rig, options);
    rig.held_wanted = held_wanted;
    rig.large_bytes = ROOMY_BYTES;
    rig_run(&rig, client);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
}

/* --- bodies --- */

static int ask_for_room(struct rig *rig, size_t bytes)
{
    char head[200];
    int fd = dial(rig);

    snprintf(head, sizeof head,
             "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
             bytes);
    put(fd, head);
    return fd;
}

static bool is_told_to_go_on(int fd)
{
    char text[sizeof(GO_ON)];

    return recv(fd, text, sizeof(GO_ON) - 1, MSG_WAITALL) == sizeof(GO_ON) - 1 &&
           memcmp(text, GO_ON, sizeof(GO_ON) - 1) == 0;
}

static bool hears_nothing(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    return poll(&poller, 1, 0) == 0;
}

static void ask_in_line(struct rig *rig)
{
    int first = ask_for_room(rig, ROOMY_BYTES);
    check(is_told_to_go_on(first));
    int second = ask_for_room(rig, ROOMY_BYTES);
    check(ask_once(rig, "GET / HTTP/1.1\r\n" HOST "\r\n") == 200); /* needs no room */
    int third = ask_for_room(rig, LARGE_BYTES), small = ask_for_room(rig, 1000);
    check(is_told_to_go_on(small));
    check(hears_nothing(second));
    check(hears_nothing(third)); /* it would fit, but is behind the second */
    close(first);
    check(is_told_to_go_on(second));
    check(is_told_to_go_on(third));
    close(small);
    close(third);
    close(second);
}

static void large_bodies_wait_in_line_for_room(void **state)
{
    (void)state;
    run((struct http_server_options){.body_max_bytes = ROOMY_BYTES}, 0, ask_in_line);
}

static void send_nothing(struct rig *rig)
{
    char text[2000];
    int first = ask_for_room(rig, ROOMY_BYTES);

    check(is_told_to_go_on(first));
    get_all(first, text, sizeof text); /* it sends nothing */
    check(number_at(text + 9) == 408);
    int second = ask_for_room(rig, ROOMY_BYTES);
    check(is_told_to_go_on(second));
    close(first);
    close(second);
}

static void whoever_has_room_and_sends_nothing_loses_it(void **state)
{
    (void)state;
    run((struct http_server_options){.body_max_bytes = ROOMY_BYTES, .timeout_s = 1}, 0,
        send_nothing);
}

/* --- answers --- */

static size_t count_all(int fd)
{
    static char bytes[65536];
    size_t all = 0;
    ssize_t got;

    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0)
        all += (size_t)got;
    return all;
}

static void read_one_of_two(struct rig *rig)
{
    static const char request[] = "GET /large HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n";
    int small = 64 * 1024;
    char byte;
    int slow = dial(rig);

    setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    put(slow, request);
    check(recv(slow, &byte, 1, 0) == 1); /* then no more */
    int quick = dial(rig);
    put(quick, request);
    check(count_all(quick) > ROOMY_BYTES);
    check(count_all(slow) < ROOMY_BYTES);
    close(quick);
    close(slow);
}

static void when_too_much_is_unread_the_slowest_is_closed(void **state)
{
    (void)state;
    run((struct http_server_options){0}, 0, read_one_of_two);
}

/* --- connections --- */

static void crowd(struct rig *rig)
{
    static const char request[] = "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx";
    char text[2000];
    int held = dial(rig), idle, head, late;

    put(held, request);
    idle = dial(rig);
    check(ask(idle, "GET / HTTP/1.1\r\n" HOST "\r\n", text, sizeof text) == 200);
    head = dial(rig);
    put(head, "GET / HTTP/1.1\r\n");
    late = dial(rig);
    put(late, request);
    check(recv(idle, text, 1, 0) == 0); /* the only one without a request, though not the oldest */
    check(get(late, text, sizeof text) == 200);
    check(get(held, text, sizeof text) == 200);
    check(ask(head, HOST "\r\n", text, sizeof text) == 200);
    close(held);
    close(idle);
    close(head);
    close(late);
}

static void at_the_limit_no_request_is_cut_off(void **state)
{
    (void)state;
    run((struct http_server_options){.connections_max = 3}, 2, crowd);
}

/* --- targets --- */

static void ask_targets(struct rig *rig)
{
    static const struct {
        const char *target;
        int status;
        const char *answer;
    } rows[] = {
        {"a", 400, NULL},
        {"a?x=http://h/b", 400, NULL},
        {"ftp://h/a", 400, NULL},
        {"h:443", 400, NULL},
        {"HTTP://h/a?api-version=http://h/", 200, "[a] v=<http://h/> 0:"},
        {"http://h?api-version=/b", 200, " v=</b> 0:"},
        {"https://h", 200, "GET / 0:"},
        {"*", 200, "GET * "},
    };
    char request[200], text[2000];
    int fd = dial(rig); /* all on one: where such a request ends is known */

    for (size_t i = 0; i < COUNT_OF(rows) && rig->failure[0] == 0; i++) {
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "\r\n", rows[i].target);
        int status = ask(fd, request, text, sizeof text);
        if (status != rows[i].status ||
            (rows[i].answer != NULL && strstr(text, rows[i].answer) == NULL))
            snprintf(rig->failure, sizeof rig->failure, "row %zu: %d %.200s", i, status, text);
    }
    close(fd);
}

static void a_target_has_one_meaning_or_none(void **state)
{
    (void)state;
    with_client(ask_targets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_bodies_wait_in_line_for_room),
        cmocka_unit_test(whoever_has_room_and_sends_nothing_loses_it),
        cmocka_unit_test(when_too_much_is_unread_the_slowest_is_closed),
        cmocka_unit_test(at_the_limit_no_request_is_cut_off),
        cmocka_unit_test(a_target_has_one_meaning_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
