#include "http/server.h"
#include "http/testing.h"
#include "loop/stream.h"

/* --- waiting, aborting, freeing --- */

static void calls_wait_in_order_and_expire_while_they_wait(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL}, {REQUEST, NULL}, {WAIT_CLOSED, NULL}, {END, NULL}};
    struct peer peer;
    struct rig rig;
    struct ask asks[3];

    (void)state;
    peer_start(&peer, steps, NULL);
    rig_init(&rig, 1);
    for (size_t i = 0; i < 3; i++) {
        ask_init(&asks[i], &rig, peer.port, "POST");
        asks[i].call.timeout_ms = i == 0 ? 200 : 30;
        ask_start(&asks[i]);
    }
    assert_int_equal(http_client_stats(rig.client).waiting, 2);
    op_abort(&asks[2].call.op);
    assert_int_equal(asks[2].done_calls, 0);
    loop_run(rig.loop);
    assert_int_equal(asks[0].err, E_TIMEOUT);
    assert_int_equal(asks[1].err, E_TIMEOUT);
    assert_int_equal(asks[2].err, E_CANCELED);
    assert_int_equal(http_client_stats(rig.client).connects, 1);
    assert_int_equal(http_client_stats(rig.client).waiting, 0);
    rig_done(&rig);
    peer_join(&peer);
}

static void abort_it(void *ctx)
{
    struct ask *ask = ctx;
    op_abort(&ask->call.op);
    assert_int_equal(ask->done_calls, 0);
}

static void a_call_can_be_aborted_in_the_exchange(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL}, {REQUEST, NULL}, {WAIT_CLOSED, NULL}, {END, NULL}};
    struct peer peer;
    struct rig rig;
    struct ask ask;

    (void)state;
    peer_start(&peer, steps, NULL);
    rig_init(&rig, 1);
    ask_init(&ask, &rig, peer.port, "POST");
    struct timer *timer = timer_new(rig.loop, abort_it, &ask);
    timer_set(timer, 30);
    ask_wait(&ask);
    assert_int_equal(ask.err, E_CANCELED);
    timer_free(timer);
    rig_done(&rig);
    peer_join(&peer);
}

static void a_call_can_be_aborted_while_it_connects(void **state)
{
    struct rig rig;
    struct ask ask;

    (void)state;
    rig_init(&rig, 1);
    ask_init(&ask, &rig, 1, "POST");
    ask_start(&ask);
    op_abort(&ask.call.op);
    op_abort(&ask.call.op); /* harmless */
    loop_run(rig.loop);
    assert_int_equal(ask.done_calls, 1);
    assert_int_equal(ask.err, E_CANCELED);
    rig_done(&rig);
}

static void freeing_the_client_cancels_all(void **state)
{
    static const struct step steps[] = {
        {ACCEPT, NULL}, {REQUEST, NULL}, {SEND, OK_HELLO}, {WAIT_CLOSED, NULL}, {END, NULL}};
    struct peer peer;
    struct rig rig;
    struct ask asks[3];

    (void)state;
    peer_start(&peer, steps, NULL);
    rig_init(&rig, 1);
    for (size_t i = 0; i < 3; i++) {
        ask_init(&asks[i], &rig, peer.port, "POST");
        asks[i].frees_client = i == 0;
        ask_start(&asks[i]);
    }
    loop_run(rig.loop);
    assert_int_equal(asks[0].err, E_OK);
    assert_int_equal(asks[1].err, E_CANCELED);
    assert_int_equal(asks[2].err, E_CANCELED);
    rig_done(&rig);
    peer_join(&peer);
}

/* --- many, against our own server --- */

#define ASKS 64
#define ROUNDS 20

static void echo(void *ctx, struct http_request *request)
{
    struct buf body;

    (void)ctx;
    buf_init(&body, 100000);
    buf_add(&body, http_request_body(request));
    http_respond(request, 200, "text/plain", &body);
}

struct storm {
    struct rig *rig;
    struct http_call call;
    char text[64];
    struct slice parts[3];
    char big[40000];
    int index;
    int rounds;
    int bad;
};

static void storm_send(struct storm *storm)
{
    size_t big = storm->rounds % 3 == 0 ? sizeof(storm->big) : 0;

    snprintf(storm->text, sizeof(storm->text), "call %d round %d", storm->index, storm->rounds);
    memset(storm->big, 'a' + storm->index % 26, sizeof(storm->big));
    storm->parts[0] = slice_of(storm->text);
    storm->parts[1] = (struct slice){storm->big, big};
    storm->parts[2] = SLICE(".");
    assert_int_equal(http_send(storm->rig->client, &storm->call), E_OK);
}

static void storm_done(struct op *op, enum err err)
{
    struct storm *storm = container_of(op, struct storm, call.op);
    struct slice got = storm->call.response;

    for (size_t i = 0; i < 3 && err == E_OK; i++) {
        if (!slice_eq(slice_first(got, storm->parts[i].len), storm->parts[i]))
            storm->bad++;
        got = slice_from(got, storm->parts[i].len);
    }
    storm->bad += err != E_OK || got.len > 0;
    if (++storm->rounds < ROUNDS)
        storm_send(storm);
    else if (--storm->rig->pending == 0)
        loop_stop(storm->rig->loop);
}

struct closing {
    struct op op;
    struct loop *loop;
};

static void on_server_closed(struct op *op, enum err err)
{
    assert_int_equal(err, E_OK);
    loop_stop(container_of(op, struct closing, op)->loop);
}

static void sixty_four_at_once_get_their_own_answers(void **state)
{
    struct closing closing = {.op.done = on_server_closed};
    struct http_server_options options = {.address = "127.0.0.1:0", .handler = echo};
    struct storm *storms = calloc(ASKS, sizeof(*storms));
    struct http_server *server;
    char url[64];
    struct rig rig;

    (void)state;
    rig_init(&rig, 16); /* so that most of them wait */
    closing.loop = rig.loop;
    assert_int_equal(http_server_start(rig.loop, &options, &server, NULL), E_OK);
    snprintf(url, sizeof(url), "http://localhost:%u/", http_server_port(server));
    for (int i = 0; i < ASKS; i++) {
        storms[i].rig = &rig;
        storms[i].index = i;
        storms[i].call.op.done = storm_done;
        storms[i].call.method = SLICE("POST");
        storms[i].call.body = storms[i].parts;
        storms[i].call.body_count = 3;
        storms[i].call.timeout_ms = DEADLINE_MS;
        assert_int_equal(url_parse(slice_of(url), &storms[i].call.url, NULL), E_OK);
        rig.pending++;
        storm_send(&storms[i]);
    }
    loop_run(rig.loop);
    for (int i = 0; i < ASKS; i++) {
        assert_int_equal(storms[i].bad, 0);
        assert_int_equal(storms[i].rounds, ROUNDS);
    }
    assert_int_equal(http_client_stats(rig.client).connects, 16);
    http_server_close(server, DEADLINE_MS, &closing.op);
    loop_run(rig.loop);
    rig_done(&rig);
    free(storms);
}

/* --- TLS --- */

static const char serve_tls[] =
    "cd '%s' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    " -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    " >log 2>&1 && exec timeout 20 openssl s_server -accept 127.0.0.1:0 -cert cert.pem"
    " -key key.pem -www -naccept 3 2>&1";

/* A server of other people: "-www" answers every GET with a page, until close. */
static FILE *tls_server(const char *folder, uint16_t *ret_port)
{
    char command[600], line[200];
    uint64_t port = 0;

    snprintf(command, sizeof(command), serve_tls, folder);
    FILE *pipe = popen(command, "r");
    while (pipe != NULL && port == 0 && fgets(line, sizeof(line), pipe) != NULL) {
        const char *colon = strrchr(line, ':');
        if (strncmp(line, "ACCEPT ", 7) == 0 && colon != NULL)
            (void)slice_to_u64(slice_trim(slice_of(colon + 1)), &port);
    }
    *ret_port = (uint16_t)port;
    return pipe;
}

/* How a GET of https://HOST:port/ ends. */
static struct ask ask_tls(const char *ca_file, const char *host, uint16_t port)
{
    struct tls_options tls_options = {.ca_file = ca_file};
    struct http_client_options options = {.connections_max = 1};
    struct tls *tls = NULL;
    struct rig rig;
    struct ask ask;

    assert_int_equal(tls_new(&tls_options, &tls, NULL), E_OK);
    rig_init(&rig, 1);
    http_client_free(rig.client);
    options.tls = tls;
    rig.client = http_client_new(rig.loop, &options);
    ask_init(&ask, &rig, port, "GET");
    snprintf(ask.url, sizeof(ask.url), "https://%s:%u/", host, port);
    assert_int_equal(url_parse(slice_of(ask.url), &ask.call.url, NULL), E_OK);
    ask_wait(&ask);
    rig_done(&rig);
    tls_free(tls);
    return ask;
}

static void https_is_verified(void **state)
{
    char folder[] = "/tmp/http-test-XXXXXX", ca_file[64], command[80];
    uint16_t port;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(ca_file, sizeof(ca_file), "%s/cert.pem", folder);
    FILE *pipe = tls_server(folder, &port);
    assert_int_not_equal(port, 0);
    struct ask ask = ask_tls(ca_file, "localhost", port);
    if (ask.err != E_OK)
        fail_msg("%s: %s", err_name(ask.err), ask.why);
    assert_int_equal(ask.status, 200);
    assert_non_null(strstr(ask.body, "<HTML>"));
    assert_int_equal(ask_tls(ca_file, "127.0.0.1", port).err, E_TLS); /* another name */
    assert_int_equal(ask_tls(NULL, "localhost", port).err, E_TLS);    /* an unknown issuer */
    pclose(pipe);
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_wait_in_order_and_expire_while_they_wait),
        cmocka_unit_test(a_call_can_be_aborted_in_the_exchange),
        cmocka_unit_test(a_call_can_be_aborted_while_it_connects),
        cmocka_unit_test(freeing_the_client_cancels_all),
        cmocka_unit_test(https_is_verified),
        cmocka_unit_test(sixty_four_at_once_get_their_own_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
