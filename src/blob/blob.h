/* blob/blob.h - requests to a blob store (Azure Blob Storage, Azurite): put, get, delete and list.
 * Rules: a call is embedded in the one that waits for it; what it is given is borrowed until it
 * returns, but for the body of a put, which is until op.done. Each of them: now E_OK; or E_LIMIT,
 * and op.done never runs. Later: E_OK; E_NOT_FOUND (404: the blob or its container), E_DENIED (401,
 * 403), E_FAILED (any other status); or what http_send() ends with. op.why names the request, the
 * status and the store's own code. */
#ifndef BLOB_BLOB_H
#define BLOB_BLOB_H

#include "blob/listing.h"
#include "blob/sign.h"
#include "loop/op.h"

#define BLOB_VERSION "2021-08-06"
#define BLOB_TIMEOUT_MS 30000
#define BLOB_MAX_BYTES (16 * 1024 * 1024) /* of one that is read */
#define BLOB_BLOCK_TIMEOUT_MS 120000
#define BLOB_BLOCKS_MAX 50000

struct http_call;
struct http_client;

#define BLOB_METADATA_MAX 8

struct blob_metadata {
    struct slice name, value;
};

struct blob_call {
    struct op op;
    struct slice body; /* of get and list, valid until op.done returns */
    const struct http_call *answer;
};
/* blob_call_metadata gives what stands beside the blob that a get brought, valid until op.done
 * returns; SLICE_NONE. */
struct slice blob_call_metadata(const struct blob_call *call, struct slice name);

/* Where. */
struct blob_place {
    struct http_client *http;
    const struct blob_account *account;
    struct slice container;
};

/* blob_put writes a JSON blob, in place of one of that name. `name` is as in a listing. At most
 * BLOB_METADATA_MAX metadata, names in lower case and sorted. */
struct blob_writing {
    struct slice name, body;
    const struct blob_metadata *metadata;
    size_t metadata_count;
};
enum err blob_put(const struct blob_place *place, const struct blob_writing *writing,
                  struct blob_call *call);
/* A large blob, in blocks that are put one after the other. Nobody sees it before all of them are
 * committed at once, in place of a blob of that name; until then, any block may be put again, and
 * what is never committed is forgotten. `set` (at most 40 bytes) tells these blocks from those of
 * another attempt. blob_commit asks for `count` of them (1..BLOB_BLOCKS_MAX), and may be repeated.
 */
struct blob_blocks {
    struct slice name, set;
};
enum err blob_put_block(const struct blob_place *place, const struct blob_blocks *blocks,
                        uint32_t index, struct slice body, struct blob_call *call);
enum err blob_commit(const struct blob_place *place, const struct blob_blocks *blocks,
                     uint32_t count, struct blob_call *call);
enum err blob_get(const struct blob_place *place, struct slice name, struct blob_call *call);
enum err blob_delete(const struct blob_place *place, struct slice name, struct blob_call *call);
/* blob_list brings XML for blob_listing_read(): up to `count` (1..BLOB_ITEMS_MAX) whose names begin
 * with `prefix`, in the order of their names; `marker` as the page before said, empty = the first.
 */
enum err blob_list(const struct blob_place *place, struct slice prefix, struct slice marker,
                   size_t count, struct blob_call *call);

#endif
