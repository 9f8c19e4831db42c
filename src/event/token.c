#include "event/token.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "json/member.h"
#include "json/scan.h"

#define CURVE "P-256"
#define NUMBER_BYTES 32 /* of a coordinate, and of each half of a signature */
#define POINT_BYTES (1 + 2 * NUMBER_BYTES)
#define DIGITS_MAX 44 /* of NUMBER_BYTES in Base64, and of a digest */
#define PKCS8_MAX_BYTES 512
#define DER_MAX_BYTES 80 /* of a signature */

struct token_key {
    EVP_PKEY *pair;
    char x[DIGITS_MAX], y[DIGITS_MAX];
    char id[DIGITS_MAX]; /* thumbprint, RFC 7638 */
};

/* ---- keys ---- */

static void write_url(char text[static DIGITS_MAX], const unsigned char *bytes)
{
    struct buf out = {.data = text, .cap = DIGITS_MAX, .max_bytes = DIGITS_MAX - 1};

    base64_add_url(&out, (struct slice){(const char *)bytes, NUMBER_BYTES});
    text[out.len] = '\0';
}

/* Takes the pair. */
static struct token_key *key_of(EVP_PKEY *pair)
{
    unsigned char point[POINT_BYTES], digest[SHA256_DIGEST_LENGTH];
    size_t len = 0;
    struct buf text;

    if (pair == NULL ||
        EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len) !=
            1 ||
        len != sizeof point) {
        EVP_PKEY_free(pair);
        return NULL;
    }
    struct token_key *key = mem_new(struct token_key);
    key->pair = pair;
    write_url(key->x, point + 1);
    write_url(key->y, point + 1 + NUMBER_BYTES);
    buf_init(&text, PKCS8_MAX_BYTES);
    buf_addf(&text, "{\"crv\":\"" CURVE "\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", key->x,
             key->y);
    SHA256((const unsigned char *)text.data, text.len, digest);
    write_url(key->id, digest);
    buf_done(&text);
    return key;
}

struct token_key *token_key_new(void)
{
    struct token_key *key = key_of(EVP_EC_gen(CURVE));

    if (key == NULL)
        abort(); /* memory, or chance, is out */
    return key;
}

struct token_key *token_key_read(struct slice text)
{
    struct token_key *key = NULL;
    struct buf bytes;

    buf_init(&bytes, PKCS8_MAX_BYTES);
    if (base64_decode(&bytes, text) == E_OK && bytes.len > 0) {
        const unsigned char *at = (const unsigned char *)bytes.data;
        PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)bytes.len);
        EVP_PKEY *pair = info != NULL ? EVP_PKCS82PKEY(info) : NULL;
        PKCS8_PRIV_KEY_INFO_free(info);
        key = key_of(pair);
        OPENSSL_cleanse(bytes.data, bytes.len);
    }
    buf_done(&bytes);
    return key;
}

void token_key_write(struct buf *out, const struct token_key *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->pair);
    unsigned char *der = NULL;
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);

    if (len > 0) {
        base64_add(out, (struct slice){(const char *)der, (size_t)len});
        OPENSSL_clear_free(der, (size_t)len);
    }
    PKCS8_PRIV_KEY_INFO_free(info);
}

void token_key_write_set(struct buf *out, const struct token_key *key)
{
    member_open(out, "keys");
    buf_add_byte(out, '[');
    member_text(out, "kty", SLICE("EC"));
    member_text(out, "crv", SLICE(CURVE));
    member_text(out, "x", slice_of(key->x));
    member_text(out, "y", slice_of(key->y));
    member_text(out, "use", SLICE("sig"));
    member_text(out, "alg", SLICE("ES256"));
    member_text(out, "kid", slice_of(key->id));
    buf_add(out, SLICE("}]}"));
}

void token_key_free(struct token_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pair);
    free(key);
}

/* ---- signatures: two numbers of a fixed length, which OpenSSL knows in DER only ---- */

static bool sign(const struct token_key *key, struct slice text,
                 unsigned char ret[static 2 * NUMBER_BYTES])
{
    unsigned char der[DER_MAX_BYTES];
    const unsigned char *at = der;
    size_t len = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ECDSA_SIG *signature = NULL;

    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pair) == 1 &&
        EVP_DigestSign(context, der, &len, (const unsigned char *)text.data, text.len) == 1)
        signature = d2i_ECDSA_SIG(NULL, &at, (long)len);
    EVP_MD_CTX_free(context);
    bool is_good =
        signature != NULL &&
        BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret, NUMBER_BYTES) == NUMBER_BYTES &&
        BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret + NUMBER_BYTES, NUMBER_BYTES) == NUMBER_BYTES;
    ECDSA_SIG_free(signature);
    return is_good;
}

static bool is_signed(const struct token_key *key, struct slice text, struct slice given)
{
    unsigned char *der = NULL;
    const unsigned char *bytes = (const unsigned char *)given.data;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good = false;

    if (given.len == 2 * NUMBER_BYTES &&
        ECDSA_SIG_set0(signature, BN_bin2bn(bytes, NUMBER_BYTES, NULL),
                       BN_bin2bn(bytes + NUMBER_BYTES, NUMBER_BYTES, NULL)) == 1) {
        int len = i2d_ECDSA_SIG(signature, &der);
        is_good = len > 0 &&
                  EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->pair) == 1 &&
                  EVP_DigestVerify(context, der, (size_t)len, (const unsigned char *)text.data,
                                   text.len) == 1;
    }
    OPENSSL_free(der);
    EVP_MD_CTX_free(context);
    ECDSA_SIG_free(signature);
    return is_good;
}

/* ---- tokens ---- */

static void end_part(struct buf *out, struct buf *json)
{
    buf_add_byte(json, '}');
    base64_add_url(out, buf_slice(json));
    out->missed = out->missed || buf_err(json) != E_OK;
    buf_clear(json);
}

void token_write(struct buf *out, const struct token_key *key, const struct token_claims *claims)
{
    unsigned char signature[2 * NUMBER_BYTES];
    size_t start = out->len;
    struct buf json;

    buf_init(&json, TOKEN_MAX_BYTES);
    member_text(&json, "typ", SLICE("JWT"));
    member_text(&json, "alg", SLICE("ES256"));
    member_text(&json, "kid", slice_of(key->id));
    end_part(out, &json);
    buf_add_byte(out, '.');
    member_text(&json, "iss", claims->issuer);
    member_text(&json, "aud", claims->audience);
    member_text(&json, "sub", claims->subject);
    member_text_if(&json, "tid", claims->tenant);
    member_u64(&json, "iat", claims->issued_unix_s);
    member_u64(&json, "nbf", claims->issued_unix_s);
    member_u64(&json, "exp", claims->expires_unix_s);
    end_part(out, &json);
    buf_done(&json);
    if (!sign(key, slice_from(buf_slice(out), start), signature))
        abort(); /* memory, or chance, is out */
    buf_add_byte(out, '.');
    base64_add_url(out, (struct slice){(const char *)signature, sizeof signature});
}

static struct slice without_slash(struct slice text)
{
    return text.len > 0 && text.data[text.len - 1] == '/' ? slice_first(text, text.len - 1) : text;
}

static bool is_for(struct slice claims, struct slice audience)
{
    struct slice given = jx_scan_member(claims, SLICE("aud"));
    char room[TOKEN_MAX_BYTES];

    if (given.len < 2 || given.data[0] != '"' || given.len > sizeof room)
        return false;
    struct slice text = {room, jx_scan_copy_string(room, given)};
    return slice_eq(without_slash(text), without_slash(audience));
}

static bool is_es256(struct slice head)
{
    if (!jx_scan_is_object(head))
        return false;
    struct slice algorithm = jx_scan_member(head, SLICE("alg"));
    return algorithm.len > 2 && algorithm.data[0] == '"' &&
           jx_scan_is_text(algorithm, SLICE("ES256"));
}

/* The claims of a token whose signature is right. */
static enum err check_claims(struct slice claims, struct slice audience, uint64_t now_unix_s,
                             struct cause *why)
{
    uint64_t expires = 0, begins = 0;

    if (!jx_scan_is_object(claims) ||
        !slice_to_u64(jx_scan_member(claims, SLICE("exp")), &expires) ||
        !slice_to_u64(jx_scan_member(claims, SLICE("nbf")), &begins))
        return cause_set(why, E_DENIED, "The token is malformed.");
    if (expires <= now_unix_s || begins > now_unix_s + 300) /* clocks differ */
        return cause_set(why, E_DENIED, "The token has expired, or is not in force yet.");
    if (!is_for(claims, audience))
        return cause_set(why, E_DENIED, "The token is for another audience than %.*s.",
                         SLICE_ARG(audience));
    return E_OK;
}

enum err token_verify(const struct token_key *key, struct slice token, struct slice audience,
                      uint64_t now_unix_s, struct cause *why)
{
    struct slice rest = token, head, claims, signature;
    struct buf bytes;

    if (token.len > TOKEN_MAX_BYTES || !slice_cut(&rest, '.', &head) ||
        !slice_cut(&rest, '.', &claims) || !slice_cut(&rest, '.', &signature) || rest.len > 0)
        return cause_set(why, E_DENIED, "The token is malformed.");
    struct slice text = slice_first(token, head.len + 1 + claims.len);
    buf_init(&bytes, TOKEN_MAX_BYTES);
    enum err err = base64_decode_url(&bytes, head);
    if (err == E_OK && !is_es256(buf_slice(&bytes)))
        err = E_BAD_INPUT;
    buf_clear(&bytes);
    if (err == E_OK)
        err = base64_decode_url(&bytes, signature);
    if (err != E_OK || !is_signed(key, text, buf_slice(&bytes))) {
        buf_done(&bytes);
        return cause_set(why, E_DENIED, "The token was not signed by this server.");
    }
    buf_clear(&bytes);
    err = base64_decode_url(&bytes, claims);
    err = err == E_OK ? check_claims(buf_slice(&bytes), audience, now_unix_s, why)
                      : cause_set(why, E_DENIED, "The token is malformed.");
    buf_done(&bytes);
    return err;
}
