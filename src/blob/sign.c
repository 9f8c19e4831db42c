#include "blob/sign.h"

#include "event/sas.h"

#define MESSAGE_MAX_BYTES 65536

void blob_string_to_sign(struct buf *out, const struct blob_account *account,
                         const struct blob_request *request)
{
    buf_add(out, request->method);
    buf_add(out, SLICE("\n\n\n")); /* Content-Encoding, Content-Language */
    if (request->content_length > 0)
        buf_add_u64(out, request->content_length);
    buf_add(out, SLICE("\n\n")); /* Content-MD5 */
    buf_add(out, request->content_type);
    buf_add(out, SLICE("\n\n\n\n\n\n\n")); /* Date, If-.. (4), Range */
    for (size_t i = 0; i < request->header_count; i++) {
        buf_add(out, request->headers[i].name);
        buf_add_byte(out, ':');
        buf_add(out, request->headers[i].value);
        buf_add_byte(out, '\n');
    }
    buf_add_byte(out, '/');
    buf_add(out, slice_of(account->name));
    if (account->url.path.len > 1) /* path-style: the account is in there once more */
        buf_add(out, account->url.path);
    buf_add(out, request->path);
    for (size_t i = 0; i < request->parameter_count; i++) {
        buf_add_byte(out, '\n');
        buf_add(out, request->parameters[i].name);
        buf_add_byte(out, ':');
        buf_add(out, request->parameters[i].value);
    }
}

enum err blob_add_authorization(struct buf *out, const struct blob_account *account,
                                const struct blob_request *request)
{
    char signature[SAS_SIGNATURE_TEXT_BYTES];
    struct buf message;

    buf_init(&message, MESSAGE_MAX_BYTES);
    blob_string_to_sign(&message, account, request);
    enum err err = buf_err(&message);
    if (err == E_OK)
        err = sas_sign(slice_of(account->key), buf_slice(&message), signature);
    if (err == E_OK)
        buf_addf(out, "SharedKey %s:%s", account->name, signature);
    buf_done(&message);
    return err != E_OK ? err : buf_err(out);
}
