#include "http/server_fixture.h"

#include "loop/authority.h"
#include "loop/stream.h"

/* --- what is refused --- */

static void ask_refused(struct rig *rig)
{
    static const struct row {
        const char *request;
        int status;
    } rows[] = {
        {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 400},
        {"GET / HTTP/1.1\n" HOST "\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: x\r\n\r\n", 417},
    };
    char text[2000];

    for (size_t i = 0; i < COUNT_OF(rows) && rig->failure[0] == 0; i++) {
        int fd = dial(rig);
        put(fd, rows[i].request);
        get_all(fd, text, sizeof(text)); /* closed behind it: who knows where the next begins */
        close(fd);
        if ((int)number_at(text + 9) != rows[i].status ||
            strstr(text, "Connection: close\r\n") == NULL ||
            strstr(text, "application/json") == NULL)
            snprintf(rig->failure, sizeof(rig->failure), "row %zu: %.200s", i, text);
    }
    check(rig->calls == 0);
}

static void what_is_ambiguous_is_refused_and_closed(void **state)
{
    (void)state;
    with_client(ask_refused);
}

static void ask_long(struct rig *rig, const char *start, int status)
{
    struct buf text;

    buf_init(&text, 100000);
    buf_add(&text, slice_of(start));
    while (text.len < 50000)
        buf_add_byte(&text, 'x');
    check(ask_once(rig, buf_text(&text)) == status);
    buf_done(&text);
}

static void ask_too_long(struct rig *rig)
{
    ask_long(rig, "GET /", 414);
    ask_long(rig, "GET / HTTP/1.1\r\n" HOST "X: ", 431);
}

static void heads_without_end_are_refused(void **state)
{
    (void)state;
    with_client(ask_too_long);
}

/* --- versions and methods --- */

static void ask_old(struct rig *rig)
{
    char text[2000];
    int fd = dial(rig);

    put(fd, "GET /a HTTP/1.0\r\n\r\n");
    get_all(fd, text, sizeof(text));
    check(strstr(text, "Connection: close\r\n") != NULL && strstr(text, "GET /a [a] 0:") != NULL);
    close(fd);
    fd = dial(rig);
    check(ask(fd, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", text, sizeof(text)) == 200);
    put(fd, "\r\nGET /b HTTP/1.0\r\n\r\n"); /* an empty line before it is overlooked */
    get_all(fd, text, sizeof(text));
    check(strstr(text, "GET /b [b] 0:") != NULL && strstr(text, "Date: ") != NULL);
    close(fd);
    fd = dial(rig);
    put(fd,
        "HEAD /abc HTTP/1.1\r\n" HOST "\r\nGET /d HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    get_all(fd, text, sizeof(text));
    check(strstr(text, "Content-Length: 18\r\n") != NULL); /* HEAD /abc [abc] 0: */
    check(strstr(text, "HEAD /abc") == NULL && strstr(text, "GET /d [d] 0:") != NULL);
    close(fd);
}

static void old_clients_and_heads_get_what_they_can_read(void **state)
{
    (void)state;
    with_client(ask_old);
}

static void ask_old_stream(struct rig *rig)
{
    char text[4000];
    int fd = dial(rig);

    put(fd, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    get_all(fd, text, sizeof(text));
    check(strstr(text, "chunked") == NULL && strstr(text, "\r\n\r\nbegin\nline 20\n") != NULL);
    check(strstr(text, "line 1\n") != NULL);
    close(fd);
}

static void a_stream_to_an_old_client_ends_with_the_connection(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.stream_left = 20;
    rig_run(&rig, ask_old_stream);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.closed_err, E_OK);
}

static void ask_waiting(struct rig *rig)
{
    char text[2000];
    int fd = dial(rig);

    put(fd, "POST /p HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    check(recv(fd, text, 25, MSG_WAITALL) == 25);
    check(memcmp(text, "HTTP/1.1 100 Continue\r\n\r\n", 25) == 0);
    check(ask(fd, "hello", text, sizeof(text)) == 200);
    check(strcmp(text, "POST /p [p] 5:hello") == 0);
    close(fd);
}

static void a_client_that_waits_is_told_to_go_on(void **state)
{
    (void)state;
    with_client(ask_waiting);
}

static void ask_half_closed(struct rig *rig)
{
    char text[2000];
    int fd = dial(rig);

    put(fd, "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\nGET /3");
    shutdown(fd, SHUT_WR);
    get_all(fd, text, sizeof(text));
    check(strstr(text, "GET /1 [1] 0:") != NULL && strstr(text, "GET /2 [2] 0:") != NULL);
    close(fd);
    check(rig->calls == 2);
}

static void a_client_that_sends_no_more_still_gets_its_answers(void **state)
{
    (void)state;
    with_client(ask_half_closed);
}

/* --- the head first --- */

static void refuse_early(void *ctx, struct http_request *request)
{
    struct rig *rig = ctx;
    struct slice first = http_request_segment(request, 0);

    rig->gone_calls++; /* so that the test sees it was asked */
    if (slice_eq(first, SLICE("denied")))
        http_respond(request, 401, NULL, NULL);
}

static void ask_denied(struct rig *rig)
{
    char *body = malloc(BODY_MAX + 1), head[200], text[2000];
    int fd = dial(rig);

    memset(body, 'x', BODY_MAX);
    body[BODY_MAX] = 0;
    for (int i = 0; i < 2; i++) { /* the connection can be used again */
        snprintf(head, sizeof(head), "POST /%s HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n",
                 i == 0 ? "denied" : "allowed", BODY_MAX);
        put(fd, head);
        check(ask(fd, body, text, sizeof(text)) == (i == 0 ? 401 : 200));
    }
    close(fd);
    free(body);
    check(ask_once(rig, "POST /denied HTTP/1.1\r\n" HOST
                        "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n") == 401);
    check(ask_once(rig, "POST /denied HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx") == 200);
}

static void a_request_may_be_refused_before_its_body_comes(void **state)
{
    struct http_server_options options = {.body_max_bytes = BODY_MAX, .begin = refuse_early};
    struct rig rig;

    (void)state;
    rig_init_with(&rig, options);
    rig_run(&rig, ask_denied);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    assert_int_equal(rig.calls, 2);
    assert_true(rig.gone_calls >= 3);
}

/* --- time and room --- */

static void ask_slowly(struct rig *rig)
{
    char text[2000];
    int idle = dial(rig), head = dial(rig), body = dial(rig);

    put(head, "GET / HTT");
    put(body, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhe");
    check(get_all(idle, text, sizeof(text)) == 0);
    get_all(head, text, sizeof(text));
    check(number_at(text + 9) == 408);
    get_all(body, text, sizeof(text));
    check(number_at(text + 9) == 408);
    close(idle);
    close(head);
    close(body);
    check(rig->calls == 0);
}

static void whoever_makes_no_progress_is_closed(void **state)
{
    struct http_server_options options = {.timeout_s = 1};
    struct rig rig;

    (void)state;
    rig_init_with(&rig, options);
    rig_run(&rig, ask_slowly);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
}

/* Answers are asked for and never read: the server stops to take requests, and closes at last. */
static void ask_unread(struct rig *rig)
{
    struct timeval limit = {.tv_sec = 30};
    char request[100];
    int fd = dial(rig);
    ssize_t sent = 0;

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    snprintf(request, sizeof(request), "GET /large HTTP/1.1\r\n" HOST "\r\n");
    while (sent >= 0)
        sent = send(fd, request, strlen(request), MSG_NOSIGNAL);
    check(errno == EPIPE || errno == ECONNRESET);
    close(fd);
}

static void whoever_reads_no_answers_is_closed(void **state)
{
    struct http_server_options options = {.timeout_s = 1};
    struct rig rig;

    (void)state;
    rig_init_with(&rig, options);
    rig_run(&rig, ask_unread);
    loop_run(rig.loop);
    rig_join(&rig);
    assert_true(rig.calls < 1000); /* what the sockets hold, not what was asked for */
    rig_done(&rig);
}

static void ask_crowded(struct rig *rig)
{
    int fds[8];
    char text[2000];

    for (size_t i = 0; i < COUNT_OF(fds); i++) { /* twice as many as may be: the idle ones go */
        fds[i] = dial(rig);
        check(ask(fds[i], "GET /a HTTP/1.1\r\n" HOST "\r\n", text, sizeof(text)) == 200);
    }
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

static void at_the_limit_who_is_idle_makes_room(void **state)
{
    struct http_server_options options = {.connections_max = 4};
    struct rig rig;

    (void)state;
    rig_init_with(&rig, options);
    rig_run(&rig, ask_crowded);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
}

/* --- HTTPS --- */

static void ask_curl_tls(struct rig *rig)
{
    char command[400], line[300] = "";

    snprintf(command, sizeof(command),
             "head -c 40000 /dev/zero | tr '\\0' x | curl -s --cacert %s/" AUTHORITY_CA
             " -X POST --data-binary @- 'https://localhost:%u/a' 'https://localhost:%u/b' 2>&1",
             rig->folder, rig->port, rig->port);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL || fgets(line, sizeof(line), pipe) == NULL)
        line[0] = 0;
    check(strstr(line, "POST /a [a] 40000:xxx") != NULL);
    check(strstr(line, "POST /b [b] 40000:xxx") != NULL);
    if (pipe != NULL)
        pclose(pipe);
}

static void curl_is_content_with_https(void **state)
{
    const char *names[] = {"localhost", NULL};
    char folder[] = "/tmp/http_server_test.XXXXXX", cert[64], key[64], script[64];
    struct cause why;
    struct rig rig;

    (void)state;
    if (system("curl --version >/dev/null 2>&1") != 0)
        skip();
    assert_non_null(mkdtemp(folder));
    assert_int_equal(authority_open(folder, names, &why), E_OK);
    snprintf(cert, sizeof cert, "%s/" AUTHORITY_CERTIFICATE, folder);
    snprintf(key, sizeof key, "%s/" AUTHORITY_KEY, folder);
    struct http_server_options options = {
        .cert_file = cert, .key_file = key, .body_max_bytes = BODY_MAX};
    rig_init_with(&rig, options);
    assert_int_equal(http_server_reload(rig.server, &why), E_OK);
    rig.folder = folder;
    rig_run(&rig, ask_curl_tls);
    loop_run(rig.loop);
    rig_join(&rig);
    rig_done(&rig);
    snprintf(script, sizeof script, "rm -r %s", folder);
    assert_int_equal(system(script), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ambiguous_is_refused_and_closed),
        cmocka_unit_test(heads_without_end_are_refused),
        cmocka_unit_test(old_clients_and_heads_get_what_they_can_read),
        cmocka_unit_test(a_stream_to_an_old_client_ends_with_the_connection),
        cmocka_unit_test(a_client_that_waits_is_told_to_go_on),
        cmocka_unit_test(a_client_that_sends_no_more_still_gets_its_answers),
        cmocka_unit_test(a_request_may_be_refused_before_its_body_comes),
        cmocka_unit_test(whoever_makes_no_progress_is_closed),
        cmocka_unit_test(whoever_reads_no_answers_is_closed),
        cmocka_unit_test(at_the_limit_who_is_idle_makes_room),
        cmocka_unit_test(curl_is_content_with_https),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
