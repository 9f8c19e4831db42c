/* caches/file_url.h - where a file of an import or an export is: at an http or https URL, usually
 * with a SAS, or in a directory of this machine (`file:`). Which directories these may be is the
 * setting caches.file_dirs: whoever may import could read any RDB file otherwise.
 * Rules: messages name a URL without what is behind its '?', where the signature is. Pure, but for
 * what is said to block. */
#ifndef CACHES_FILE_URL_H
#define CACHES_FILE_URL_H

#include "base/buf.h"
#include "base/err.h"

#define FILE_PATH_MAX_BYTES 4000

struct file_dirs {
    const char *const *paths; /* absolute */
    size_t count;
};

struct file_url {
    char *text; /* the whole of it */
    char *shown;
    char *path; /* of file:, decoded, absolute, beneath one of the directories; NULL: http, https */
};

/* file_url_read: E_OK and *ret, which file_url_done() ends; or E_BAD_INPUT, E_LIMIT, E_UNSUPPORTED
 * (scheme), E_DENIED (in no directory) with the URL and the reason in `why`. */
enum err file_url_read(struct slice text, const struct file_dirs *dirs, struct file_url *ret,
                       struct cause *why);
void file_url_done(struct file_url *url); /* leaves zeroes */

/* file_open opens a regular file to read, file_open_folder a directory, beneath one of `dirs` when
 * all symlinks are followed. Both block. E_OK and a descriptor, which is the caller's; or
 * E_NOT_FOUND, E_DENIED, E_IO, E_BAD_INPUT (another kind of file) with the reason in `why`. */
enum err file_open(const char *path, const struct file_dirs *dirs, int *ret, struct cause *why);
enum err file_open_folder(const char *path, const struct file_dirs *dirs, int *ret,
                          struct cause *why);

#endif
