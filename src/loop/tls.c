/* Reads certificates and settings once; every connection takes them from here. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/tls_internal.h"

struct tls {
    SSL_CTX *ctx;
    char *cert_file, *key_file; /* of a server, to be read again; else NULL */
};

const char *tls_reason(const SSL *ssl)
{
    static char text[160];
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);

    if (ssl != NULL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        snprintf(text, sizeof text, "the server's certificate: %s",
                 X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
    else
        snprintf(text, sizeof text, "%s", reason != NULL ? reason : err_text(E_TLS));
    return text;
}

/* Without it, OpenSSL would ask for a passphrase on the terminal. */
static int no_passphrase(char *buf, int size, int is_writing, void *ctx)
{
    (void)buf, (void)size, (void)is_writing, (void)ctx;
    return 0;
}

/* OpenSSL calls a file that is not there "system lib". */
static enum err check_file(const char *path, struct cause *why)
{
    if (access(path, R_OK) == 0)
        return E_OK;
    return cause_set(why, E_TLS, "%s: %s", path, strerror(errno));
}

static enum err load_trust(SSL_CTX *ctx, const struct tls_options *options, struct cause *why)
{
    if (options->is_insecure)
        return E_OK;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (options->check_revocation)
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_CRL_CHECK);
    if (options->ca_file == NULL) {
        SSL_CTX_set_default_verify_paths(ctx);
        return E_OK;
    }
    enum err err = check_file(options->ca_file, why);
    if (err == E_OK && SSL_CTX_load_verify_locations(ctx, options->ca_file, NULL) != 1)
        return cause_set(why, E_TLS, "%s: %s", options->ca_file, tls_reason(NULL));
    return err;
}

static enum err load_identity(SSL_CTX *ctx, const struct tls_options *options, struct cause *why)
{
    const char *cert_file = options->cert_file;
    const char *key_file = options->key_file != NULL ? options->key_file : cert_file;

    if (cert_file == NULL)
        return E_OK;
    enum err err = check_file(cert_file, why);
    if (err == E_OK)
        err = check_file(key_file, why);
    if (err)
        return err;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return cause_set(why, E_TLS, "%s: %s", cert_file, tls_reason(NULL));
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return cause_set(why, E_TLS, "%s: %s", key_file, tls_reason(NULL));
    return E_OK;
}

static void set_modes(SSL_CTX *ctx, const struct tls_options *options)
{
    SSL_CTX_set_min_proto_version(ctx, options->only_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(ctx, options->only_tls12 ? TLS1_2_VERSION : 0);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* idle connections cost little */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
}

enum err tls_new(const struct tls_options *options, struct tls **ret, struct cause *why)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL)
        return cause_set(why, E_TLS, "%s", tls_reason(NULL));
    set_modes(ctx, options);
    enum err err = load_trust(ctx, options, why);
    if (err == E_OK)
        err = load_identity(ctx, options, why);
    if (err != E_OK) {
        SSL_CTX_free(ctx);
        return err;
    }
    struct tls *tls = mem_new(struct tls);
    tls->ctx = ctx;
    *ret = tls;
    return E_OK;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->ctx);
    free(tls->cert_file);
    free(tls->key_file);
    free(tls);
}

/* ---- a server's ---- */

static enum err server_ctx_new(const char *cert_file, const char *key_file, SSL_CTX **ret,
                               struct cause *why)
{
    const struct tls_options options = {.cert_file = cert_file, .key_file = key_file};

    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL)
        return cause_set(why, E_TLS, "%s", tls_reason(NULL));
    set_modes(ctx, &options);
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    enum err err = load_identity(ctx, &options, why);
    if (err != E_OK) {
        SSL_CTX_free(ctx);
        return err;
    }
    *ret = ctx;
    return E_OK;
}

enum err tls_server_new(const char *cert_file, const char *key_file, struct tls **ret,
                        struct cause *why)
{
    SSL_CTX *ctx = NULL;
    enum err err = server_ctx_new(cert_file, key_file, &ctx, why);

    if (err != E_OK)
        return err;
    struct tls *tls = mem_new(struct tls);
    tls->ctx = ctx;
    tls->cert_file = slice_dup(slice_of(cert_file));
    tls->key_file = slice_dup(slice_of(key_file));
    *ret = tls;
    return E_OK;
}

enum err tls_server_reload(struct tls *tls, struct cause *why)
{
    SSL_CTX *ctx = NULL;
    enum err err = server_ctx_new(tls->cert_file, tls->key_file, &ctx, why);

    if (err != E_OK)
        return err;
    SSL_CTX_free(tls->ctx); /* sessions hold it on */
    tls->ctx = ctx;
    return E_OK;
}

/* ---- sessions ---- */

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool set_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    char *sni = slice_dup(slice_of(host)); /* OpenSSL's macro takes no const */
    bool is_set = SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, sni) == 1;
    free(sni);
    return is_set;
}

SSL *tls_open(const struct tls *tls, const char *host, struct cause *why)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(tls->ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    if (ssl == NULL || in == NULL || out == NULL || (host != NULL && !set_host(ssl, host))) {
        (void)cause_set(why, E_TLS, "%s", tls_reason(NULL));
        BIO_free(in);
        BIO_free(out);
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_bio(ssl, in, out);
    if (host != NULL)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    return ssl;
}
