/* blob/sign.h - what a request to a blob store is signed with by SharedKey.
 * Source: Azure Storage, "Authorize with Shared Key". Pure: callable anywhere. */
#ifndef BLOB_SIGN_H
#define BLOB_SIGN_H

#include "blob/account.h"
#include "wire/http1.h"

#define BLOB_HEADERS_MAX 12
#define BLOB_PARAMETERS_MAX 8

/* One request. The x-ms-* headers and the parameters are in the order of their names, names in
 * lower case. */
struct blob_request {
    struct slice method;
    struct slice path; /* below the endpoint, escaped: "/container/a/b.json" */
    struct slice content_type;
    size_t content_length;
    struct http_header headers[BLOB_HEADERS_MAX]; /* x-ms-*: all that are sent */
    size_t header_count;
    struct http_header parameters[BLOB_PARAMETERS_MAX]; /* of the query, not escaped */
    size_t parameter_count;
};

/* blob_string_to_sign appends what the signature is made of. */
void blob_string_to_sign(struct buf *out, const struct blob_account *account,
                         const struct blob_request *request);
/* blob_add_authorization appends `SharedKey NAME:SIGNATURE`. E_OK, or E_LIMIT. */
enum err blob_add_authorization(struct buf *out, const struct blob_account *account,
                                const struct blob_request *request);

#endif
