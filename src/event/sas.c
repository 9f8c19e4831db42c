#include "event/sas.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/base64.h"
#include "base/rand.h"
#include "event/date.h"
#include "wire/url.h"

#define KEY_MAX_BYTES 256

struct parts {
    struct slice message;                     /* as it came */
    struct slice resource, expiry, signature; /* still encoded */
};

enum err access_keys_fit(const struct access_keys *keys, struct slice given, struct cause *why)
{
    unsigned fits = 0;
    struct buf bytes;

    for (size_t i = 0; i < ACCESS_KEYS_COUNT; i++) {
        struct slice key = slice_of(keys->text[i]);
        fits |= key.len > 0 && slice_eq_secret(given, key); /* both are looked at, always */
    }
    if (fits)
        return E_OK;
    buf_init(&bytes, KEY_MAX_BYTES);
    bool is_base64 = base64_decode(&bytes, given) == E_OK;
    OPENSSL_cleanse(bytes.data, bytes.len);
    buf_done(&bytes);
    return cause_set(why, E_DENIED, "%s",
                     is_base64 ? "The key is not one of the topic."
                               : "The input is not a valid Base-64 string as it contains a "
                                 "non-base 64 character, more than two padding characters, or an "
                                 "illegal character among the padding characters.");
}

void access_keys_renew(struct access_keys *keys, size_t which)
{
    char secret[ACCESS_KEY_BYTES];
    struct buf text;

    rand_secret(secret, sizeof secret);
    buf_init(&text, ACCESS_KEY_TEXT_MAX - 1);
    base64_add(&text, (struct slice){secret, sizeof secret});
    memcpy(keys->text[which], buf_text(&text), text.len + 1);
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(text.data, text.len);
    buf_done(&text);
}

enum err sas_sign(struct slice key, struct slice message, char ret[SAS_SIGNATURE_TEXT_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct buf secret, text;

    buf_init(&secret, KEY_MAX_BYTES);
    buf_init(&text, SAS_SIGNATURE_TEXT_BYTES - 1);
    enum err err = key.len == 0 ? E_BAD_INPUT : base64_decode(&secret, key);
    if (err == E_OK && HMAC(EVP_sha256(), secret.data, (int)secret.len,
                            (const unsigned char *)message.data, message.len, digest, &len) == NULL)
        err = E_FAILED;
    if (err == E_OK) {
        base64_add(&text, (struct slice){(const char *)digest, len});
        memcpy(ret, buf_text(&text), text.len + 1);
    }
    OPENSSL_cleanse(secret.data, secret.len);
    buf_done(&secret);
    buf_done(&text);
    return err;
}

/* The token is cut at its last `&s=`. */
static bool cut_token(struct slice token, struct parts *ret)
{
    size_t at = token.len;
    struct slice rest, part;

    while (at > 0 && !slice_has_prefix(slice_from(token, at), SLICE("&s=")))
        at--;
    if (at == 0)
        return false;
    *ret =
        (struct parts){.message = slice_first(token, at), .signature = slice_from(token, at + 3)};
    for (rest = ret->message; slice_cut(&rest, '&', &part);) {
        if (slice_has_prefix(part, SLICE("r=")))
            ret->resource = slice_from(part, 2);
        else if (slice_has_prefix(part, SLICE("e=")))
            ret->expiry = slice_from(part, 2);
    }
    return ret->resource.len > 0 && ret->expiry.len > 0 && ret->signature.len > 0;
}

static bool is_signed(const struct access_keys *keys, const struct parts *parts)
{
    char expected[SAS_SIGNATURE_TEXT_BYTES];
    struct buf given;
    unsigned fits = 0;

    buf_init(&given, SAS_TOKEN_MAX_BYTES);
    /* not as a form: a '+' that was not escaped is one of Base64 */
    if (url_decode(&given, parts->signature) != E_OK)
        buf_clear(&given);
    for (size_t i = 0; i < ACCESS_KEYS_COUNT; i++) {
        struct slice key = slice_of(keys->text[i]);
        if (key.len > 0 && sas_sign(key, parts->message, expected) == E_OK)
            fits |= slice_eq_secret(buf_slice(&given), slice_of(expected));
    }
    buf_done(&given);
    return fits != 0;
}

static bool read_expiry(struct slice encoded, uint64_t *ret_unix_ms)
{
    struct buf text;

    buf_init(&text, SAS_TOKEN_MAX_BYTES);
    bool is_good = url_decode_form(&text, encoded) == E_OK &&
                   (date_parse_us(buf_slice(&text), ret_unix_ms) ||
                    date_parse_iso(buf_slice(&text), ret_unix_ms, NULL));
    buf_done(&text);
    /* an offset written with a '+' that was not escaped */
    if (!is_good) {
        buf_init(&text, SAS_TOKEN_MAX_BYTES);
        is_good = url_decode(&text, encoded) == E_OK &&
                  date_parse_iso(buf_slice(&text), ret_unix_ms, NULL);
        buf_done(&text);
    }
    return is_good;
}

/* host:port/path, without a slash at the end. */
static struct slice place_of(struct slice url)
{
    size_t scheme = slice_find(url, SLICE("://"));

    if (scheme < url.len)
        url = slice_from(url, scheme + 3);
    url = slice_first(url, slice_find_byte(url, '?'));
    while (url.len > 0 && url.data[url.len - 1] == '/')
        url.len--;
    return url;
}

/* Whole segments only: a token for /topics/a is none for /topics/ab, but is for /topics/a:publish.
 */
static bool is_below(struct slice resource, struct slice url)
{
    struct buf text;

    buf_init(&text, SAS_TOKEN_MAX_BYTES);
    bool is_good = url_decode_form(&text, resource) == E_OK;
    struct slice above = place_of(buf_slice(&text)), place = place_of(url);
    struct slice rest = slice_from(place, above.len);
    bool has_path = slice_find_byte(above, '/') < above.len; /* else a ':' leads to the port */
    is_good = is_good && above.len > 0 && slice_has_prefix_nocase(place, above) &&
              (rest.len == 0 || rest.data[0] == '/' || (has_path && rest.data[0] == ':'));
    buf_done(&text);
    return is_good;
}

enum err sas_verify(const struct access_keys *keys, struct slice token, struct slice url,
                    uint64_t now_unix_ms, struct cause *why)
{
    struct parts parts;
    uint64_t expiry_unix_ms = 0;

    if (token.len > SAS_TOKEN_MAX_BYTES || !cut_token(token, &parts))
        return cause_set(why, E_DENIED, "The token is malformed.");
    if (!is_signed(keys, &parts))
        return cause_set(why, E_DENIED, "The signature of the token is not valid.");
    if (!read_expiry(parts.expiry, &expiry_unix_ms))
        return cause_set(why, E_DENIED, "The expiry of the token is no date.");
    if (expiry_unix_ms <= now_unix_ms)
        return cause_set(why, E_DENIED, "The token has expired.");
    if (!is_below(parts.resource, url))
        return cause_set(why, E_DENIED, "The token is for another resource.");
    return E_OK;
}
