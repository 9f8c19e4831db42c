#include "loop/testing.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char dir[] = "/tmp/tls_test.XXXXXX";

static const char make_certificates[] =
    "set -e; cd '%s'; exec >log 2>&1\n"
    "new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n"
    "for ca in ca other; do\n"
    "  openssl req -x509 $new -keyout $ca.key -out $ca.pem -subj /CN=$ca -days 2\n"
    "done\n"
    "echo 'subjectAltName=DNS:cache.test,IP:127.0.0.1' >ext\n"
    "for name in server client; do\n"
    "  openssl req $new -keyout $name.key -out $name.csr -subj /CN=$name\n"
    "  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \\\n"
    "    -extfile ext -out $name.pem\n"
    "done\n"
    "openssl pkey -in client.key -aes256 -passout pass:x -out locked.key\n"
    "printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index\\ndefault_md=sha256\\n' >ca.conf\n"
    "echo 'default_crl_days=2' >>ca.conf; : >index\n"
    "crl='openssl ca -config ca.conf -keyfile ca.key -cert ca.pem'\n"
    "$crl -gencrl | cat ca.pem - >good_crl.pem\n"
    "$crl -revoke server.pem; $crl -gencrl | cat ca.pem - >revoked.pem\n"
    "cat client.pem client.key >both.pem\n";

static int make_files(void **state)
{
    char script[4096];
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(script, sizeof script, make_certificates, dir);
    return system(script);
}

static int remove_files(void **state)
{
    char script[64];
    (void)state;
    snprintf(script, sizeof script, "rm -r '%s'", dir);
    return system(script);
}

static const char *in_dir(const char *name) /* good for the next 8 calls */
{
    static char paths[8][64];
    static unsigned next;
    if (name == NULL)
        return NULL;
    char *path = paths[next++ % COUNT_OF(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static int set_up(void **state)
{
    (void)state;
    world_begin();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end();
    return 0;
}

/* ---- a server on a thread of its own, with OpenSSL as other people use it ---- */

enum server_kind { ECHO, TALKS_PLAIN, CLOSES, SILENT };

struct server {
    enum server_kind kind;
    int version; /* the only one; 0 = any */
    bool wants_certificate;
    bool updates_keys; /* asks for new keys on every read */
    int fd;
    uint16_t port;
    int end[2]; /* the silent one ends when end[1] is closed */
    pthread_t thread;
    bool saw_goodbye; /* the client said that it ends */
};

static void serve_echo(struct server *server, SSL *ssl)
{
    char bytes[20000];
    int got;

    while ((got = SSL_read(ssl, bytes, sizeof bytes)) > 0) {
        if (server->updates_keys)
            SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        if (SSL_write(ssl, bytes, got) <= 0)
            return;
    }
    server->saw_goodbye = SSL_get_error(ssl, got) == SSL_ERROR_ZERO_RETURN;
}

static void serve_tls(struct server *server, int fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(ctx, server->version);
    SSL_CTX_set_max_proto_version(ctx, server->version);
    SSL_CTX_use_certificate_chain_file(ctx, in_dir("server.pem"));
    SSL_CTX_use_PrivateKey_file(ctx, in_dir("server.key"), SSL_FILETYPE_PEM);
    SSL_CTX_load_verify_locations(ctx, in_dir("ca.pem"), NULL);
    if (server->wants_certificate)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        serve_echo(server, ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void *serve(void *ctx)
{
    struct server *server = ctx;
    int fd = accept(server->fd, NULL, NULL);
    char byte;

    switch (server->kind) {
    case ECHO:
        serve_tls(server, fd);
        break;
    case TALKS_PLAIN:
        (void)!write(fd, "-ERR what?\r\n", 12);
        (void)!read(server->end[0], &byte, 1);
        break;
    case CLOSES:
        (void)!recv(fd, &byte, 1, MSG_PEEK);
        shutdown(fd, SHUT_WR);
        (void)!read(server->end[0], &byte, 1);
        break;
    case SILENT:
        (void)!read(server->end[0], &byte, 1);
        break;
    }
    close(fd);
    return NULL;
}

static void server_start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->fd, 1), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pipe(server->end), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_end(struct server *server)
{
    turns(2); /* the client's socket closes */
    close(server->end[1]);
    pthread_join(server->thread, NULL);
    close(server->end[0]);
    close(server->fd);
}

/* ---- clients ---- */

struct
try {
    const char *what;
    struct server server;
    const char *name; /* server_name; NULL = by address */
    const char *ca, *cert, *key;
    bool is_insecure, only_tls12, only_tls13, check_revocation;
    enum err err;
    const char *text; /* that the cause holds */
};

static enum err connect_try(struct try *row, const struct tls *tls, struct stream *stream,
                            struct cause *ret)
{
    struct stream_target target = {.host = "127.0.0.1",
                                   .port = row->server.port,
                                   .tls = tls,
                                   .server_name = row->name,
                                   .timeout_ms = row->err == E_TIMEOUT ? 80 : 0};
    struct wait wait = WAIT;

    assert_int_equal(stream_connect(stream, &target, &wait.op), E_OK);
    enum err err = wait_for(&wait);
    *ret = wait.op.why;
    return err;
}

static enum err echo_small(struct stream *stream, struct cause *ret)
{
    struct wait write = WAIT, read = WAIT;
    struct slice parts[] = {SLICE("hel"), SLICE_NONE, SLICE("lo")};
    struct buf back;

    buf_init(&back, 100);
    assert_int_equal(stream_write(stream, parts, COUNT_OF(parts), &write.op), E_OK);
    assert_int_equal(write.ended, 0);
    (void)wait_for(&write); /* a server that refuses us may tell only when we read */
    assert_int_equal(stream_read(stream, &back, 100, &read.op), E_OK);
    enum err err = wait_for(&read);
    *ret = read.op.why;
    if (err == E_OK)
        assert_true(slice_eq(buf_slice(&back), SLICE("hello")));
    buf_done(&back);
    return err;
}

static void check_try(struct try *row)
{
    struct tls_options options = {.ca_file = in_dir(row->ca),
                                  .cert_file = in_dir(row->cert),
                                  .key_file = in_dir(row->key),
                                  .is_insecure = row->is_insecure,
                                  .only_tls12 = row->only_tls12,
                                  .only_tls13 = row->only_tls13,
                                  .check_revocation = row->check_revocation};
    struct cause why = {0};
    struct tls *tls;

    print_message("    %s\n", row->what);
    assert_int_equal(tls_new(&options, &tls, &why), E_OK);
    server_start(&row->server);
    struct stream *stream = stream_new(loop);
    enum err err = connect_try(row, tls, stream, &why);
    if (err == E_OK)
        err = echo_small(stream, &why);
    stream_free(stream);
    tls_free(tls);
    server_end(&row->server);
    assert_int_equal(err, row->err);
    if (row->text != NULL && strstr(why.text, row->text) == NULL)
        assert_string_equal(why.text, row->text);
    assert_int_equal(row->server.saw_goodbye, err == E_OK);
}

static void who_may_be_talked_to_and_who_not(void **state)
{
    struct try rows[] = {
        {"by address", .ca = "ca.pem"},
        {"by name", .name = "cache.test", .ca = "ca.pem"},
        {"TLS 1.2", {.version = TLS1_2_VERSION}, .ca = "ca.pem"},
        {"TLS 1.2 only", .ca = "ca.pem", .only_tls12 = true},
        {"TLS 1.3 only", .ca = "ca.pem", .only_tls13 = true},
        {"too old",
         {.version = TLS1_2_VERSION},
         .ca = "ca.pem",
         .only_tls13 = true,
         .err = E_TLS,
         .text = "protocol version"},
        {"other name", .name = "other.test", .ca = "ca.pem", .err = E_TLS,
         .text = "the server's certificate: hostname mismatch"},
        {"other address", .name = "127.0.0.2", .ca = "ca.pem", .err = E_TLS,
         .text = "the server's certificate: IP address mismatch"},
        {"other CA", .ca = "other.pem", .err = E_TLS,
         .text = "the server's certificate: self-signed certificate in certificate chain"},
        {"the system's CAs", .err = E_TLS, .text = "the server's certificate: "},
        {"not verified", .name = "other.test", .is_insecure = true},
        {"client certificate",
         {.wants_certificate = true},
         .ca = "ca.pem",
         .cert = "client.pem",
         .key = "client.key"},
        {"both in one file", {.wants_certificate = true}, .ca = "ca.pem", .cert = "both.pem"},
        {"none, TLS 1.3",
         {.wants_certificate = true},
         .ca = "ca.pem",
         .err = E_TLS,
         .text = "certificate required"},
        {"none, TLS 1.2",
         {.version = TLS1_2_VERSION, .wants_certificate = true},
         .ca = "ca.pem",
         .err = E_TLS,
         .text = "handshake failure"},
        {"not revoked", .ca = "good_crl.pem", .check_revocation = true},
        {"revoked", .ca = "revoked.pem", .check_revocation = true, .err = E_TLS,
         .text = "certificate revoked"},
        {"revoked, nobody asks", .ca = "revoked.pem"},
        {"plain text",
         {.kind = TALKS_PLAIN},
         .ca = "ca.pem",
         .err = E_TLS,
         .text = "wrong version"},
        {"closes",
         {.kind = CLOSES},
         .ca = "ca.pem",
         .err = E_CLOSED,
         .text = "closed in the TLS hand"},
        {"silent",
         {.kind = SILENT},
         .ca = "ca.pem",
         .err = E_TIMEOUT,
         .text = "no TLS handshake within 80 ms"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_try(&rows[i]);
}

static void big_payloads_come_back_whole(void **state)
{
    static const struct server kinds[] = {
        {.version = TLS1_2_VERSION}, {.version = TLS1_3_VERSION}, {.updates_keys = true}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct try row = {.server = kinds[i]};
        struct cause why;
        struct tls *tls;
        struct tls_options options = {.ca_file = in_dir("ca.pem")};
        assert_int_equal(tls_new(&options, &tls, &why), E_OK);
        server_start(&row.server);
        struct stream *stream = stream_new(loop);
        assert_int_equal(connect_try(&row, tls, stream, &why), E_OK);
        echo_big(stream);
        stream_free(stream);
        tls_free(tls);
        server_end(&row.server);
        assert_true(row.server.saw_goodbye);
    }
}

static void a_busy_stream_may_be_freed(void **state)
{
    (void)state;
    struct try row = {0};
    struct cause why;
    struct tls *tls;
    struct tls_options options = {.ca_file = in_dir("ca.pem")};
    struct wait write = WAIT, read = WAIT;
    struct buf payload = big_payload(), into;
    struct slice part = buf_slice(&payload);

    buf_init(&into, 10);
    assert_int_equal(tls_new(&options, &tls, &why), E_OK);
    server_start(&row.server);
    struct stream *stream = stream_new(loop);
    assert_int_equal(connect_try(&row, tls, stream, &why), E_OK);
    assert_int_equal(stream_write(stream, &part, 1, &write.op), E_OK);
    assert_int_equal(stream_read(stream, &into, 10, &read.op), E_OK);
    stream_free(stream);
    buf_done(&payload);
    buf_done(&into);
    assert_int_equal(wait_for(&write), E_CANCELED);
    assert_int_equal(wait_for(&read), E_CANCELED);
    tls_free(tls);
    server_end(&row.server);
}

static void bad_files_are_named(void **state)
{
    const struct {
        struct tls_options options;
        const char *file;
    } rows[] = {
        {{.ca_file = in_dir("none.pem")}, "none.pem: "},
        {{.cert_file = in_dir("ca.conf")}, "ca.conf: "},
        {{.cert_file = in_dir("client.pem")}, "client.pem: "}, /* holds no key */
        {{.cert_file = in_dir("client.pem"), .key_file = in_dir("locked.key")}, "locked.key: "},
        {{.cert_file = in_dir("client.pem"), .key_file = in_dir("ca.key")}, "ca.key: "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct cause why = {0};
        struct tls *tls = NULL;
        assert_int_equal(tls_new(&rows[i].options, &tls, &why), E_TLS);
        assert_non_null(strstr(why.text, rows[i].file));
        assert_null(tls);
    }
    tls_free(NULL);
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(who_may_be_talked_to_and_who_not),
        ROW(big_payloads_come_back_whole),
        ROW(a_busy_stream_may_be_freed),
        ROW(bad_files_are_named),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
