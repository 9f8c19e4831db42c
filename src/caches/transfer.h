/* caches/transfer.h - the files of imports and exports on their way, one at a time: from a URL to
 * this disk, and from this disk to a container of blobs or a directory.
 * Rules: a file of any size takes one block of memory at most. All that touches the disk happens on
 * the pool. What fails for a while (no connection, an answer of 5xx) is tried again, up to
 * TRANSFER_TRIES times in all; a refusal is not. Everything may be run again after a crash, from
 * its start: what was there of it is written over. Messages name URLs without their signatures. All
 * that is given is copied. In callbacks: yes. */
#ifndef CACHES_TRANSFER_H
#define CACHES_TRANSFER_H

#include "caches/file_url.h"
#include "loop/op.h"

#define TRANSFER_TRIES 4
#define TRANSFER_RETRY_MS 1000 /* doubles, when retry_ms is 0 */
#define TRANSFER_BLOCK_BYTES (8u << 20)

struct http_client;
struct loop;

/* What transfers work with. Borrowed while one is under way. */
struct transfer_ways {
    struct loop *loop;
    struct http_client *http; /* NULL: only file: is possible */
    struct file_dirs dirs;
    uint32_t retry_ms;  /* for tests, as is */
    size_t block_bytes; /* this; 0 = the above */
};

/* transfer_fetch brings what `url` names into the file `path`, which is on the disk then. Later:
 * E_OK; E_NOT_FOUND, E_DENIED, E_BAD_INPUT (the URL), E_LIMIT: it is larger than half of what the
 * disk has free; E_FAILED: another answer than 200; what http_send() ends with; E_IO; E_CANCELED.
 * On failure the file is gone. */
void transfer_fetch(const struct transfer_ways *ways, struct slice url, const char *path,
                    struct op *op);

/* Where an export goes. */
struct transfer_target {
    struct slice container; /* URL of a container with a SAS, or of a directory */
    struct slice name;      /* "orders-shard0.rdb" */
    struct slice attempt;   /* id of the operation: tells what it writes from what others do */
};
/* transfer_target_check: can that be? E_OK; or as file_url_read(), the member `container` or
 * `prefix` named. Pure. */
enum err transfer_target_check(const struct transfer_target *target, const struct file_dirs *dirs,
                               struct cause *why);

/* transfer_upload puts the file `path` there, so that nobody sees it yet. Later: E_OK;
 * E_NOT_FOUND, E_DENIED (container, SAS), E_LIMIT (too many blocks), E_FAILED, as http_send(),
 * E_IO, E_CANCELED.
 * transfer_commit makes what was uploaded of `path`, which has not changed since, appear in one
 * step, in place of what had that name; it may be repeated. Later: as transfer_upload().
 * transfer_drop removes what was not committed, as far as it can: stores of blobs forget it by
 * themselves. Later: E_OK, always. */
void transfer_upload(const struct transfer_ways *ways, const struct transfer_target *target,
                     const char *path, struct op *op);
void transfer_commit(const struct transfer_ways *ways, const struct transfer_target *target,
                     const char *path, struct op *op);
void transfer_drop(const struct transfer_ways *ways, const struct transfer_target *target,
                   struct op *op);

#endif
