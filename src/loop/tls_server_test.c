#include "loop/testing.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/authority.h"

static char dir[] = "/tmp/tls_server_test.XXXXXX";
static char ca_file[64], cert_file[64], key_file[64];

static void make_certificate(const char *folder)
{
    const char *names[] = {"localhost", "127.0.0.1", NULL};
    struct cause why;

    if (authority_open(folder, names, &why) != E_OK)
        fail_msg("%s", why.text);
}

static int make_files(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(ca_file, sizeof ca_file, "%s/" AUTHORITY_CA, dir);
    snprintf(cert_file, sizeof cert_file, "%s/" AUTHORITY_CERTIFICATE, dir);
    snprintf(key_file, sizeof key_file, "%s/" AUTHORITY_KEY, dir);
    make_certificate(dir);
    return 0;
}

static int remove_files(void **state)
{
    char script[64];
    (void)state;
    snprintf(script, sizeof script, "rm -r '%s'", dir);
    return system(script);
}

static int listener;
static uint16_t port;
static struct tls *tls;

static int set_up(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct cause why;

    (void)state;
    world_begin();
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    port = ntohs(address.sin_port);
    assert_int_equal(tls_server_new(cert_file, key_file, &tls, &why), E_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_free(tls);
    close(listener);
    world_end();
    return 0;
}

static struct stream *adopt(void)
{
    struct stream *stream;

    assert_int_equal(stream_adopt(loop, accept(listener, NULL, NULL), &stream, NULL), E_OK);
    return stream;
}

/* Reads `bytes` and sends them back. */
static void echo(struct stream *stream, size_t bytes)
{
    struct buf into;

    buf_init(&into, CHUNK_BYTES);
    while (bytes > 0) {
        struct wait read = WAIT, write = WAIT;
        assert_int_equal(stream_read(stream, &into, CHUNK_BYTES, &read.op), E_OK);
        assert_int_equal(wait_for(&read), E_OK);
        struct slice part = buf_slice(&into);
        assert_int_equal(stream_write(stream, &part, 1, &write.op), E_OK);
        assert_int_equal(wait_for(&write), E_OK);
        bytes -= into.len;
        buf_clear(&into);
    }
    buf_done(&into);
}

/* ---- clients on a thread of their own, with OpenSSL as other people use it ---- */

struct client {
    const char *what;
    int min, max;        /* versions; 0 = any */
    const char *garbage; /* instead of a handshake, then it closes */
    const char *ciphers;
    enum err err; /* that the server finds */
    const char *text;
    int version; /* that was agreed on */
    pthread_t thread;
    bool was_echoed, saw_goodbye;
};

static void talk(struct client *client, SSL *ssl)
{
    char back[10];

    client->version = SSL_version(ssl);
    client->was_echoed = SSL_write(ssl, "hello", 5) == 5 && SSL_read(ssl, back, sizeof back) == 5 &&
                         memcmp(back, "hello", 5) == 0;
    int got = SSL_read(ssl, back, sizeof back);
    client->saw_goodbye = SSL_get_error(ssl, got) == SSL_ERROR_ZERO_RETURN;
}

static void connect_tls(struct client *client, int fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    SSL_CTX_set_security_level(ctx, 0); /* so that it is the server who says no */
    SSL_CTX_set_min_proto_version(ctx, client->min);
    SSL_CTX_set_max_proto_version(ctx, client->max);
    SSL_CTX_load_verify_locations(ctx, ca_file, NULL);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (client->ciphers != NULL)
        SSL_CTX_set_cipher_list(ctx, client->ciphers);
    SSL *ssl = SSL_new(ctx);
    SSL_set1_host(ssl, "localhost");
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) == 1)
        talk(client, ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void *connect_client(void *ctx)
{
    struct client *client = ctx;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        if (client->garbage != NULL)
            (void)!write(fd, client->garbage, strlen(client->garbage));
        else
            connect_tls(client, fd);
    }
    close(fd);
    return NULL;
}

static void check_client(struct client *client)
{
    struct wait secured = WAIT;

    print_message("    %s\n", client->what);
    assert_int_equal(pthread_create(&client->thread, NULL, connect_client, client), 0);
    struct stream *stream = adopt();
    assert_int_equal(stream_secure(stream, tls, &secured.op), E_OK);
    assert_int_equal(secured.ended, 0);
    assert_int_equal(wait_for(&secured), client->err);
    if (client->err == E_OK)
        echo(stream, 5);
    else if (strstr(secured.op.why.text, client->text) == NULL)
        assert_string_equal(secured.op.why.text, client->text);
    stream_free(stream);
    turns(2);
    pthread_join(client->thread, NULL);
    assert_int_equal(client->was_echoed, client->err == E_OK);
    assert_int_equal(client->saw_goodbye, client->err == E_OK);
}

static void who_is_served_and_who_not(void **state)
{
    struct client rows[] = {
        {.what = "any version"},
        {"TLS 1.2", .max = TLS1_2_VERSION},
        {"TLS 1.3", .min = TLS1_3_VERSION},
        {"TLS 1.1", .max = TLS1_1_VERSION, .err = E_TLS, .text = "unsupported protocol"},
        {"no common cipher", .max = TLS1_2_VERSION,
         .ciphers = "ECDHE-RSA-AES128-SHA", /* the key is no RSA key */
         .err = E_TLS, .text = "no shared cipher"},
        {"plain HTTP", .garbage = "GET / HTTP/1.1\r\n\r\n", .err = E_TLS, .text = "http request"},
        {"says nothing", .garbage = "", .err = E_CLOSED, .text = "closed in the TLS handshake"},
        {"half a hello", .garbage = "\x16\x03\x01", .err = E_CLOSED, .text = "closed in the TLS"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_client(&rows[i]);
    assert_int_equal(rows[1].version, TLS1_2_VERSION);
    assert_int_equal(rows[2].version, TLS1_3_VERSION);
}

/* ---- our own client ---- */

struct pair {
    struct tls *tls;
    struct stream *client, *server;
};

/* A client that trusts the authority in `trusted`. Returns how its connect ends. */
static enum err pair_open(struct pair *pair, const char *trusted)
{
    struct tls_options options = {.ca_file = trusted};
    struct stream_target target = {.host = "127.0.0.1", .port = port};
    struct wait connected = WAIT, secured = WAIT;

    assert_int_equal(tls_new(&options, &pair->tls, NULL), E_OK);
    target.tls = pair->tls;
    pair->client = stream_new(loop);
    assert_int_equal(stream_connect(pair->client, &target, &connected.op), E_OK);
    turns(1);
    pair->server = adopt();
    assert_int_equal(stream_secure(pair->server, tls, &secured.op), E_OK);
    (void)wait_for(&secured);
    return wait_for(&connected);
}

static void pair_close(struct pair *pair)
{
    stream_free(pair->client);
    stream_free(pair->server);
    tls_free(pair->tls);
}

static void big_payloads_come_back_whole(void **state)
{
    struct pair pair;
    struct buf payload = big_payload(), there, back;
    struct slice part = buf_slice(&payload);
    struct wait write = WAIT, again = WAIT;

    (void)state;
    buf_init(&there, BIG_BYTES);
    buf_init(&back, BIG_BYTES);
    assert_int_equal(pair_open(&pair, ca_file), E_OK);
    assert_int_equal(stream_write(pair.client, &part, 1, &write.op), E_OK);
    while (there.len < BIG_BYTES) {
        struct wait read = WAIT;
        assert_int_equal(stream_read(pair.server, &there, CHUNK_BYTES, &read.op), E_OK);
        assert_int_equal(wait_for(&read), E_OK);
    }
    assert_int_equal(wait_for(&write), E_OK);
    part = buf_slice(&there);
    assert_int_equal(stream_write(pair.server, &part, 1, &again.op), E_OK);
    while (back.len < BIG_BYTES) {
        struct wait read = WAIT;
        assert_int_equal(stream_read(pair.client, &back, CHUNK_BYTES, &read.op), E_OK);
        assert_int_equal(wait_for(&read), E_OK);
    }
    assert_int_equal(wait_for(&again), E_OK);
    assert_true(slice_eq(buf_slice(&back), buf_slice(&payload)));
    pair_close(&pair);
    buf_done(&payload);
    buf_done(&there);
    buf_done(&back);
}

/* What the other side sent is still read after our goodbye, and it reads the end behind our bytes.
 */
static void a_finished_stream_can_still_read(void **state)
{
    struct pair pair;
    struct buf into;
    struct slice bye = SLICE("bye"), late = SLICE("late");
    struct wait write = WAIT, read = WAIT, end = WAIT, more = WAIT, got = WAIT;

    (void)state;
    buf_init(&into, 100);
    assert_int_equal(pair_open(&pair, ca_file), E_OK);
    assert_int_equal(stream_write(pair.server, &bye, 1, &write.op), E_OK);
    assert_int_equal(wait_for(&write), E_OK);
    stream_finish(pair.server);
    stream_finish(pair.server); /* once is enough, twice does no harm */
    assert_int_equal(stream_read(pair.client, &into, 100, &read.op), E_OK);
    assert_int_equal(wait_for(&read), E_OK);
    assert_true(slice_eq(buf_slice(&into), bye));
    assert_int_equal(stream_read(pair.client, &into, 100, &end.op), E_OK);
    assert_int_equal(wait_for(&end), E_CLOSED);
    buf_clear(&into);
    assert_int_equal(stream_write(pair.client, &late, 1, &more.op), E_OK);
    assert_int_equal(wait_for(&more), E_OK);
    assert_int_equal(stream_read(pair.server, &into, 100, &got.op), E_OK);
    assert_int_equal(wait_for(&got), E_OK);
    assert_true(slice_eq(buf_slice(&into), late));
    pair_close(&pair);
    buf_done(&into);
}

static void a_handshake_may_be_aborted_or_freed(void **state)
{
    (void)state;
    for (int is_freed = 0; is_freed < 2; is_freed++) {
        struct client silent = {.garbage = "\x16"};
        struct wait secured = WAIT;
        assert_int_equal(pthread_create(&silent.thread, NULL, connect_client, &silent), 0);
        struct stream *stream = adopt();
        assert_int_equal(stream_secure(stream, tls, &secured.op), E_OK);
        if (is_freed)
            stream_free(stream);
        else
            op_abort(&secured.op);
        assert_int_equal(secured.ended, 0);
        assert_int_equal(wait_for(&secured), E_CANCELED);
        if (!is_freed)
            stream_free(stream);
        pthread_join(silent.thread, NULL);
    }
}

/* ---- files ---- */

static void a_reload_takes_the_new_certificate_or_keeps_the_old(void **state)
{
    char other[64], trusted[80], script[256];
    struct cause why = {0};
    struct pair before, after;

    (void)state;
    snprintf(other, sizeof other, "%s/other", dir);
    snprintf(trusted, sizeof trusted, "%s/" AUTHORITY_CA, other);
    snprintf(script, sizeof script, "mkdir '%s'", other);
    assert_int_equal(system(script), 0);
    make_certificate(other);
    assert_int_equal(pair_open(&before, ca_file), E_OK);

    snprintf(script, sizeof script, "cp '%s'/server.* '%s'", other, dir);
    assert_int_equal(system(script), 0);
    assert_int_equal(tls_server_reload(tls, &why), E_OK);
    assert_int_equal(pair_open(&after, trusted), E_OK);
    pair_close(&after);
    assert_int_equal(pair_open(&after, ca_file), E_TLS);
    pair_close(&after);

    assert_int_equal(unlink(key_file), 0);
    assert_int_equal(tls_server_reload(tls, &why), E_TLS);
    assert_non_null(strstr(why.text, AUTHORITY_KEY));
    assert_int_equal(pair_open(&after, trusted), E_OK);
    pair_close(&after);
    pair_close(&before); /* it lived through all of it */
    make_certificate(dir);
}

static void bad_files_are_named(void **state)
{
    struct cause why = {0};
    struct tls *none = NULL;

    (void)state;
    assert_int_equal(tls_server_new("/none.crt", key_file, &none, &why), E_TLS);
    assert_non_null(strstr(why.text, "/none.crt"));
    assert_int_equal(tls_server_new(cert_file, ca_file, &none, &why), E_TLS);
    assert_non_null(strstr(why.text, AUTHORITY_CA));
    assert_null(none);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(who_is_served_and_who_not),
        ROW(big_payloads_come_back_whole),
        ROW(a_finished_stream_can_still_read),
        ROW(a_handshake_may_be_aborted_or_freed),
        ROW(a_reload_takes_the_new_certificate_or_keeps_the_old),
        ROW(bad_files_are_named),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
