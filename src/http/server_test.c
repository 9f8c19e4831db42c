#include "http/server_fixture.h"

/* --- requests --- */

static void ask_rows(struct rig *rig)
{
    static const struct row {
        const char *request;
        int status;
        const char *body; /* NULL: any */
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", 200, "GET / 0:"},
        {"GET /a/b%2Fc//d/ HTTP/1.1\r\n" HOST "\r\n", 200, "GET /a/b%2Fc//d/ [a] [b/c] [d] 0:"},
        {"GET /%C3%A4+?x&api-version=1%2B1+2&api-version=3 HTTP/1.1\r\n" HOST "\r\n", 200,
         "GET /%C3%A4+ [\xc3\xa4+] v=<1+1 2> 0:"},
        {"GET /?api-version HTTP/1.1\r\n" HOST "\r\n", 200, "GET / v=<> 0:"},
        {"GET http://h:1/abs?api-version=2 HTTP/1.1\r\n" HOST "\r\n", 200,
         "GET /abs [abs] v=<2> 0:"},
        {"POST /p HTTP/1.1\r\n" HOST "X-Test: t\r\nContent-Length: 5\r\n\r\nhello", 200,
         "POST /p [p] h=<t> 5:hello"},
        {"POST /p HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0"
         "\r\n\r\n",
         200, "POST /p [p] 5:hello"},
        {"PUT /p HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 200, "PUT /p [p] 0:"},
        {"GET /missed HTTP/1.1\r\n" HOST "\r\n", 500, ""},
        {"GET /%zz HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
        {"GET /a%00b HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
        {"GET /%ff HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
        {"GET /?a=%ff HTTP/1.1\r\n" HOST "\r\n", 400, NULL},
        {"GET /a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a HTTP/1.1\r\n" HOST
         "\r\n",
         414, NULL},
        {"POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 200, "POST /p [p] 5:hello"},
    };
    char body[1000];
    int fd = dial(rig); /* one for all of them: keep-alive */

    for (size_t i = 0; i < COUNT_OF(rows) && rig->failure[0] == 0; i++) {
        int status = ask(fd, rows[i].request, body, sizeof(body));
        if (status != rows[i].status || (rows[i].body != NULL && strcmp(body, rows[i].body) != 0))
            snprintf(rig->failure, sizeof(rig->failure), "row %zu: %d %.200s", i, status, body);
    }
    close(fd);
}

static void requests_arrive_whole_on_one_connection(void **state)
{
    (void)state;
    with_client(ask_rows);
}

static void ask_dripping(struct rig *rig)
{
    const char *text = "POST /p HTTP/1.1\r\n" HOST "X-Test: t\r\nContent-Length: 5\r\n\r\nhello";
    char body[1000];
    int fd = dial(rig), on = 1;

    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
    for (; *text != 0; text++)
        send(fd, text, 1, MSG_NOSIGNAL);
    check(get(fd, body, sizeof(body)) == 200);
    check(strcmp(body, "POST /p [p] h=<t> 5:hello") == 0);
    close(fd);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    with_client(ask_dripping);
}

static void ask_pipelined(struct rig *rig)
{
    char body[1000];
    int fd = dial(rig);

    put(fd, "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n"
            "POST /3 HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx");
    check(get(fd, body, sizeof(body)) == 200 && strcmp(body, "GET /1 [1] 0:") == 0);
    check(get(fd, body, sizeof(body)) == 200 && strcmp(body, "GET /2 [2] 0:") == 0);
    check(get(fd, body, sizeof(body)) == 200 && strcmp(body, "POST /3 [3] 1:x") == 0);
    close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    with_client(ask_pipelined);
}

static void ask_empty(struct rig *rig)
{
    char text[1000];
    int fd = dial(rig);

    put(fd, "GET /empty HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    get_all(fd, text, sizeof(text));
    check(strncmp(text, "HTTP/1.1 204 ", 13) == 0);
    check(strstr(text, "X-A: b\r\n") != NULL);
    check(strstr(text, "c: d") == NULL);
    close(fd);
}

static void an_answer_may_be_empty_and_have_headers(void **state)
{
    (void)state;
    with_client(ask_empty);
}

/* --- limits --- */

static void ask_large(struct rig *rig)
{
    char head[200], answer[2000];
    char *body = malloc(4 * BODY_MAX + 1);
    static const struct row {
        size_t len;
        int status;
    } rows[] = {{BODY_MAX, 200}, {BODY_MAX + 1, 413}, {4 * BODY_MAX, 413}, {BODY_MAX, 200}};
    int fd = dial(rig);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        memset(body, 'x', rows[i].len);
        body[rows[i].len] = 0;
        snprintf(head, sizeof(head), "POST / HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
                 rows[i].len);
        put(fd, head);
        check(ask(fd, body, answer, sizeof(answer)) == rows[i].status);
        /* and with a length that shows only as it comes */
        snprintf(head, sizeof(head),
                 "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
                 rows[i].len);
        put(fd, head);
        put(fd, body);
        check(ask(fd, "\r\n0\r\n\r\n", answer, sizeof(answer)) == rows[i].status);
    }
    close(fd);
    fd = dial(rig);
    check(ask(fd,
              "POST / HTTP/1.1\r\n" HOST "Content-Length: 60000\r\nExpect: 100-continue\r\n\r\n",
              answer, sizeof(answer)) == 413);
    close(fd);
    fd = dial(rig);
    check(ask(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999\r\n\r\n", answer,
              sizeof(answer)) == 413);
    check(strstr(answer, "RequestEntityTooLarge") != NULL);
    close(fd);
    free(body);
}

static void a_body_above_the_limit_is_413(void **state)
{
    (void)state;
    with_client(ask_large);
}

static void ask_malformed(struct rig *rig)
{
    struct buf large;

    check(ask_once(rig, "POST / HTTP/1.1\r\n" HOST
                        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
    check(ask_once(rig, "GET / HTTP/1.1\r\n\r\n") == 400); /* no Host */
    check(ask_once(rig, "POST / HTTP/1.1\r\n" HOST "Content-Length: x\r\n\r\n") == 400);
    buf_init(&large, 100000);
    buf_add(&large, SLICE("GET / HTTP/1.1\r\n" HOST "X: "));
    for (int i = 0; i < 50000; i++)
        buf_add_byte(&large, 'x');
    buf_add(&large, SLICE("\r\n\r\n"));
    int status = ask_once(rig, buf_text(&large));
    check(status == 431 || status == 413);
    buf_done(&large);
    check(rig->calls == 0);
}

static void malformed_requests_never_reach_the_handler(void **state)
{
    (void)state;
    with_client(ask_malformed);
}

/* --- held requests --- */

#define MANY 64

static void ask_many(struct rig *rig)
{
    int fds[MANY];
    char text[200], want[20], body[200];

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < MANY; i++) {
            if (round == 0)
                fds[i] = dial(rig);
            snprintf(want, sizeof(want), "%d-%d", round, i);
            snprintf(text, sizeof(text),
                     "POST /hold HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n%s", strlen(want),
                     want);
            put(fds[i], text);
        }
        for (int i = 0; i < MANY; i++) {
            snprintf(want, sizeof(want), "%d-%d", round, i);
            check(get(fds[i], body, sizeof(body)) == 200 && strcmp(body, want) == 0);
        }
    }
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
}

static void requests_are_held_and_answered_last_first(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.held_wanted = MANY;
    rig_run(&rig, ask_many);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.closed_err, E_OK);
}

static void ask_and_leave(struct rig *rig)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    const char *request = "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx";
    char body[200];
    int fds[10];

    /* half a head, half a body, and whole requests that nobody waits for */
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = dial(rig);
        if (i < 4)
            put(fds[i], i < 2 ? "POST /hold HTT"
                              : "POST /h HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nx");
        else
            put(fds[i], request);
        if (i == 0 || i == 2) /* a reset would take a whole request away too */
            setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        close(fds[i]);
    }
    int fd = dial(rig); /* the seventh of the held ones lets all be answered */
    check(ask(fd, request, body, sizeof(body)) == 200);
    close(fd);
}

static void a_client_that_left_is_answered_to_nobody(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.held_wanted = 7;
    rig_run(&rig, ask_and_leave);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig); /* E_OK: nothing was left behind that the close would wait for */
    assert_int_equal(rig.closed_err, E_OK);
    assert_int_equal(rig.calls, 7);
}

static void ask_curl(struct rig *rig)
{
    char command[300], line[300] = "";

    snprintf(command, sizeof(command),
             "head -c 40000 /dev/zero | tr '\\0' x | curl -s -X POST --data-binary @- "
             "'http://127.0.0.1:%u/a?api-version=7' 'http://127.0.0.1:%u/b' 2>&1",
             rig->port, rig->port);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL || fgets(line, sizeof(line), pipe) == NULL)
        line[0] = 0;
    check(strstr(line, "POST /a [a] v=<7> 40000:xxx") != NULL);
    if (pipe != NULL)
        pclose(pipe);
}

static void curl_is_content(void **state)
{
    (void)state;
    if (system("curl --version >/dev/null 2>&1") != 0)
        skip();
    with_client(ask_curl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_arrive_whole_on_one_connection),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(an_answer_may_be_empty_and_have_headers),
        cmocka_unit_test(a_body_above_the_limit_is_413),
        cmocka_unit_test(malformed_requests_never_reach_the_handler),
        cmocka_unit_test(requests_are_held_and_answered_last_first),
        cmocka_unit_test(a_client_that_left_is_answered_to_nobody),
        cmocka_unit_test(curl_is_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
