/* apps/fingerprint.h - have the files of an app changed, and which?
 * A fingerprint knows name, size and time of the files in a directory and its sub-directories (two
 * levels; hidden ones, __pycache__ and what workers write there are left out), and the names of the
 * sub-directories. */
#ifndef APPS_FINGERPRINT_H
#define APPS_FINGERPRINT_H

#include "base/buf.h"

struct fingerprint;

/* fingerprint_new; of a directory that cannot be read it knows nothing. Reads the disk: made for
 * work_run(). */
struct fingerprint *fingerprint_new(const char *path);
void fingerprint_free(struct fingerprint *fingerprint); /* NULL is fine */

/* fingerprint_diff writes what differs, "F/__init__.py, G/function.json (new), H/ (gone)", the
 * first few of it; nothing if they are the same. False if they are. */
bool fingerprint_diff(const struct fingerprint *before, const struct fingerprint *after,
                      struct buf *out);

/* fingerprint_directory: the next sub-directory's name, from *at = 0; NULL behind the last. */
const char *fingerprint_directory(const struct fingerprint *fingerprint, size_t *at);

#endif
