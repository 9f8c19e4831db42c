#include "loop/authority.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define CA_KEY "ca.key"
#define CURVE "P-256"
#define DAY_S ((long)86400)
#define CA_DAYS ((long)3650)
#define CERTIFICATE_DAYS ((long)825) /* some clients refuse more */
#define RENEW_DAYS 200               /* so much must be left at a start */
#define PATH_MAX_BYTES 4096
#define NAMES_MAX_BYTES 8192

struct pair {
    X509 *certificate;
    EVP_PKEY *key;
};

static void pair_done(struct pair *pair)
{
    X509_free(pair->certificate);
    EVP_PKEY_free(pair->key);
    *pair = (struct pair){0};
}

/* ---- files ---- */

static enum err failed(const char *path, struct cause *why)
{
    return cause_set(why, errno == EACCES ? E_DENIED : E_IO, "%s: %s", path, strerror(errno));
}

static void join(char ret[static PATH_MAX_BYTES], const char *folder, const char *name)
{
    snprintf(ret, PATH_MAX_BYTES, "%s/%s", folder, name);
}

/* Readers see the old file or the whole new one. */
static enum err write_file(const char *folder, const char *name, BIO *pem, struct cause *why)
{
    char path[PATH_MAX_BYTES], draft[PATH_MAX_BYTES + 8];
    char *bytes;
    long len = BIO_get_mem_data(pem, &bytes);

    join(path, folder, name);
    snprintf(draft, sizeof draft, "%s.new", path);
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(draft, why);
    bool is_written = len > 0 && write(fd, bytes, (size_t)len) == len && fsync(fd) == 0;
    enum err err = is_written ? E_OK : failed(draft, why);
    if (close(fd) != 0 && err == E_OK)
        err = failed(draft, why);
    if (err == E_OK && rename(draft, path) != 0)
        err = failed(path, why);
    return err;
}

static enum err write_pair(const char *folder, const char *certificate, const char *key,
                           const struct pair *pair, struct cause *why)
{
    BIO *pem = BIO_new(BIO_s_secmem());

    PEM_write_bio_PKCS8PrivateKey(pem, pair->key, NULL, NULL, 0, NULL, NULL);
    enum err err = write_file(folder, key, pem, why);
    BIO_free(pem);
    if (err != E_OK)
        return err;
    pem = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(pem, pair->certificate);
    err = write_file(folder, certificate, pem, why);
    BIO_free(pem);
    return err;
}

/* False unless both are there and belong to each other. */
static bool read_pair(const char *folder, const char *certificate, const char *key,
                      struct pair *ret)
{
    char path[PATH_MAX_BYTES];
    struct pair pair = {0};

    join(path, folder, certificate);
    BIO *file = BIO_new_file(path, "r");
    pair.certificate = file != NULL ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
    BIO_free(file);
    join(path, folder, key);
    file = BIO_new_file(path, "r");
    pair.key = file != NULL ? PEM_read_bio_PrivateKey(file, NULL, NULL, NULL) : NULL;
    BIO_free(file);
    if (pair.certificate != NULL && pair.key != NULL &&
        X509_check_private_key(pair.certificate, pair.key) == 1) {
        *ret = pair;
        return true;
    }
    pair_done(&pair);
    return false;
}

/* ---- certificates ---- */

static bool extend(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool is_good = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_good;
}

/* A certificate with a key of its own, that says all but what it is for, and is not signed. */
static bool begin(struct pair *ret, const char *name, long days)
{
    unsigned char serial[16];
    struct pair pair = {X509_new(), EVP_EC_gen(CURVE)};
    BIGNUM *number = BN_new();
    X509_NAME *subject = X509_get_subject_name(pair.certificate);

    bool is_good = pair.key != NULL && RAND_bytes(serial, sizeof serial) == 1 &&
                   BN_bin2bn(serial, sizeof serial, number) != NULL &&
                   BN_to_ASN1_INTEGER(number, X509_get_serialNumber(pair.certificate)) != NULL &&
                   X509_set_version(pair.certificate, X509_VERSION_3) == 1 &&
                   X509_gmtime_adj(X509_getm_notBefore(pair.certificate), -DAY_S) !=
                       NULL && /* clocks differ */
                   X509_gmtime_adj(X509_getm_notAfter(pair.certificate), days * DAY_S) != NULL &&
                   X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                                              (const unsigned char *)"redgrid", -1, -1, 0) == 1 &&
                   X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                              (const unsigned char *)name, -1, -1, 0) == 1 &&
                   X509_set_pubkey(pair.certificate, pair.key) == 1;
    BN_free(number);
    if (is_good)
        *ret = pair;
    else
        pair_done(&pair);
    return is_good;
}

/* Each has a name of its own, so that a client that keeps an old one is not confused. */
static bool make_authority(struct pair *ret)
{
    unsigned char chance[4];
    char name[64];

    if (RAND_bytes(chance, sizeof chance) != 1)
        return false;
    snprintf(name, sizeof name, "redgrid private CA %02x%02x%02x%02x", chance[0], chance[1],
             chance[2], chance[3]);
    if (!begin(ret, name, CA_DAYS))
        return false;
    X509 *certificate = ret->certificate;
    return X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
           extend(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           extend(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           extend(certificate, certificate, NID_subject_key_identifier, "hash") &&
           X509_sign(certificate, ret->key, EVP_sha256()) > 0;
}

static bool is_address(const char *name)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* "DNS:localhost,IP:127.0.0.1" */
static void write_names(char ret[static NAMES_MAX_BYTES], const char *const *names)
{
    size_t at = 0;

    ret[0] = '\0';
    for (; *names != NULL && at < NAMES_MAX_BYTES; names++)
        at += (size_t)snprintf(ret + at, NAMES_MAX_BYTES - at, "%s%s:%s", at > 0 ? "," : "",
                               is_address(*names) ? "IP" : "DNS", *names);
}

static bool make_certificate(const struct pair *authority, const char *const *names,
                             struct pair *ret)
{
    char all[NAMES_MAX_BYTES];

    write_names(all, names);
    if (!begin(ret, names[0], CERTIFICATE_DAYS))
        return false;
    X509 *certificate = ret->certificate, *issuer = authority->certificate;
    return X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
           extend(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           extend(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
           extend(certificate, issuer, NID_ext_key_usage, "serverAuth,clientAuth") &&
           extend(certificate, issuer, NID_subject_key_identifier, "hash") &&
           extend(certificate, issuer, NID_authority_key_identifier, "keyid") &&
           extend(certificate, issuer, NID_subject_alt_name, all) &&
           X509_sign(certificate, authority->key, EVP_sha256()) > 0;
}

static bool has_time(const X509 *certificate, int days)
{
    int left_days = 0, left_s = 0;

    return ASN1_TIME_diff(&left_days, &left_s, NULL, X509_get0_notAfter(certificate)) == 1 &&
           left_days >= days;
}

static bool has_names(X509 *certificate, const char *const *names)
{
    for (; *names != NULL; names++)
        if (is_address(*names) ? X509_check_ip_asc(certificate, *names, 0) != 1
                               : X509_check_host(certificate, *names, 0, 0, NULL) != 1)
            return false;
    return true;
}

static bool is_usable(const struct pair *pair, const struct pair *authority,
                      const char *const *names)
{
    return X509_verify(pair->certificate, authority->key) == 1 &&
           has_time(pair->certificate, RENEW_DAYS) && has_names(pair->certificate, names);
}

/* They are put into a text with commas and colons between. */
static enum err check_names(const char *const *names, struct cause *why)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*";
    size_t len = 0;

    for (; *names != NULL; names++) {
        len += strlen(*names) + 8;
        if (!is_address(*names) &&
            ((*names)[0] == '\0' || (*names)[strspn(*names, allowed)] != '\0'))
            return cause_set(why, E_BAD_INPUT, "'%s' is no name of a host", *names);
    }
    return len < NAMES_MAX_BYTES ? E_OK : cause_set(why, E_LIMIT, "too many names");
}

enum err authority_open(const char *folder, const char *const *names, struct cause *why)
{
    struct pair authority = {0}, server = {0};
    enum err err = check_names(names, why);

    if (err != E_OK)
        return err;
    if (!read_pair(folder, AUTHORITY_CA, CA_KEY, &authority) ||
        !has_time(authority.certificate, (int)CERTIFICATE_DAYS)) {
        pair_done(&authority);
        err = make_authority(&authority) ? write_pair(folder, AUTHORITY_CA, CA_KEY, &authority, why)
                                         : cause_set(why, E_TLS, "no certificate could be made");
        if (err == E_OK)
            log_info("TLS-AUTHORITY", "made a private certificate authority: %s/" AUTHORITY_CA,
                     folder);
    }
    if (err == E_OK && (!read_pair(folder, AUTHORITY_CERTIFICATE, AUTHORITY_KEY, &server) ||
                        !is_usable(&server, &authority, names))) {
        pair_done(&server);
        err = make_certificate(&authority, names, &server)
                  ? write_pair(folder, AUTHORITY_CERTIFICATE, AUTHORITY_KEY, &server, why)
                  : cause_set(why, E_TLS, "no certificate could be made for %s", names[0]);
    }
    pair_done(&authority);
    pair_done(&server);
    return err;
}
