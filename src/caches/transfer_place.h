/* caches/transfer_place.h - what the container of an export says, read. */
#ifndef CACHES_TRANSFER_PLACE_H
#define CACHES_TRANSFER_PLACE_H

#include "blob/account.h"
#include "caches/transfer.h"

#define TRANSFER_NAME_MAX_BYTES 200 /* of a file, with what is put around it */

struct transfer_place {
    struct file_url url;         /* url.path: a directory; else */
    struct blob_account account; /* of blobs, */
    struct slice container;      /* in `url` */
};
/* transfer_place_read reads onto a zeroed place, which transfer_place_done() ends in any case. Else
 * as transfer_target_check(). */
enum err transfer_place_read(struct transfer_place *place, const struct transfer_target *target,
                             const struct file_dirs *dirs, struct cause *why);
void transfer_place_done(struct transfer_place *place);

#endif
