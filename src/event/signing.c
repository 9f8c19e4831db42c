#include "event/signing.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/rand.h"
#include "event/sas.h"
#include "json/member.h"

#define PREFIX "whsec_"
#define HIDDEN "Hidden"
#define FRESH_BYTES 32
#define LEAST_BYTES 24
#define MOST_BYTES 64
#define TEXT_MAX_BYTES 128
#define HEAD_MAX_BYTES 128

static const char *const names[SIGNING_SECRETS] = {"secret", "previousSecret"};

static void secret_free(char *secret)
{
    if (secret != NULL)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}

void signing_done(struct signing *signing)
{
    for (size_t i = 0; i < SIGNING_SECRETS; i++)
        secret_free(signing->secrets[i]);
    *signing = (struct signing){0};
}

static bool has(const struct signing *signing, size_t which)
{
    return signing->secrets[which] != NULL && signing->secrets[which][0] != '\0';
}

/* ---- settings ---- */

static bool is_secret(struct slice text)
{
    struct buf bytes;

    if (!slice_has_prefix(text, SLICE(PREFIX)))
        return false;
    buf_init(&bytes, TEXT_MAX_BYTES);
    bool is_good = base64_decode(&bytes, slice_from(text, sizeof PREFIX - 1)) == E_OK &&
                   bytes.len >= LEAST_BYTES && bytes.len <= MOST_BYTES;
    if (bytes.len > 0)
        OPENSSL_cleanse(bytes.data, bytes.len);
    buf_done(&bytes);
    return is_good;
}

/* True if the secret was given. */
static bool read_secret(struct jx_view *view, struct signing *signing, size_t which)
{
    const char *text;

    if (!jx_text(view, names[which], &text) || strcmp(text, HIDDEN) == 0)
        return false;
    bool is_end = which > 0 && text[0] == '\0';
    if (!is_end && !is_secret(slice_of(text))) {
        jx_view_error(view, names[which], "is not " PREFIX " and the Base64 of %d to %d bytes",
                      LEAST_BYTES, MOST_BYTES);
        return false;
    }
    secret_free(signing->secrets[which]);
    signing->secrets[which] = slice_dup(slice_of(text));
    return !is_end;
}

void signing_read(struct jx_view *view, struct signing *signing)
{
    struct jx_view member;
    bool is_enabled;

    if (jx_view_member(view, "signing") == NULL)
        return;
    jx_view_down(view, "signing", &member);
    for (size_t i = 0; i < SIGNING_SECRETS; i++)
        signing->is_enabled |= read_secret(&member, signing, i);
    if (jx_bool(&member, "isEnabled", &is_enabled)) {
        if (!is_enabled)
            signing_done(signing);
        signing->is_enabled = is_enabled;
    }
    jx_view_join(view, &member);
}

void signing_write_secrets(struct buf *out, const struct signing *signing)
{
    for (size_t i = 0; i < SIGNING_SECRETS; i++)
        if (has(signing, i))
            member_text(out, names[i], slice_of(signing->secrets[i]));
}

void signing_write(struct buf *out, const struct signing *signing, bool is_open)
{
    if (!signing->is_enabled)
        return;
    member_open(out, "signing");
    member_bool(out, "isEnabled", true);
    if (is_open)
        signing_write_secrets(out, signing);
    for (size_t i = 0; !is_open && i < SIGNING_SECRETS; i++)
        if (has(signing, i))
            member_text(out, names[i], SLICE(HIDDEN));
    buf_add_byte(out, '}');
}

void signing_keep(struct signing *signing, const struct signing *old)
{
    if (!signing->is_enabled || signing->secrets[0] != NULL)
        return;
    for (size_t i = 0; i < SIGNING_SECRETS; i++)
        if (signing->secrets[i] == NULL && has(old, i))
            signing->secrets[i] = slice_dup(slice_of(old->secrets[i]));
}

void signing_make(struct signing *signing)
{
    struct buf text;

    if (!signing->is_enabled || has(signing, 0))
        return;
    secret_free(signing->secrets[0]);
    buf_init(&text, TEXT_MAX_BYTES);
    signing_secret_new(&text);
    signing->secrets[0] = buf_detach(&text);
}

void signing_secret_new(struct buf *out)
{
    char bytes[FRESH_BYTES];

    rand_secret(bytes, sizeof bytes);
    buf_add(out, SLICE(PREFIX));
    base64_add(out, (struct slice){bytes, sizeof bytes});
    OPENSSL_cleanse(bytes, sizeof bytes);
}

/* ---- signatures ---- */

void signing_sign(struct buf *out, const struct signing *signing,
                  const struct signed_message *message)
{
    char signature[SAS_SIGNATURE_TEXT_BYTES];
    bool is_first = true;
    struct buf text;

    buf_init(&text, message->body.len + HEAD_MAX_BYTES);
    buf_add(&text, message->id);
    buf_add_byte(&text, '.');
    buf_add_u64(&text, message->unix_s);
    buf_add_byte(&text, '.');
    buf_add(&text, message->body);
    for (size_t i = 0; i < SIGNING_SECRETS; i++) {
        struct slice secret = slice_of(signing->secrets[i]);
        if (!has(signing, i) ||
            sas_sign(slice_from(secret, sizeof PREFIX - 1), buf_slice(&text), signature) != E_OK)
            continue;
        buf_addf(out, "%sv1,%s", is_first ? "" : " ", signature);
        is_first = false;
    }
    buf_done(&text);
}
