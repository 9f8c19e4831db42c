/* store/datadir.h - the folder in which one daemon keeps its state.
 * Rules: one daemon at a time, held by a lock that the kernel gives back however the daemon ends.
 * Nothing in it is for other users (0700). */
#ifndef STORE_DATADIR_H
#define STORE_DATADIR_H

#include "base/buf.h"

#define DATADIR_PATH_MAX_BYTES 4096
#define SOCKET_PATH_MAX_BYTES 107 /* what fits into sun_path, its NUL left out */

struct datadir;

/* datadir_open makes the folder (and its parents) if need be and takes the lock. Blocks on the
 * disk. E_OK and *ret; E_EXISTS: another daemon has it, its pid named; E_DENIED, E_IO with the path
 * named. */
enum err datadir_open(const char *path, struct datadir **ret, struct cause *why);
void datadir_close(struct datadir *data);             /* gives the lock back; NULL is fine */
const char *datadir_path(const struct datadir *data); /* absolute */

/* datadir_replace writes a whole file of the folder so that readers see the old or the new one, and
 * a power cut leaves one of them. */
enum err datadir_replace(const struct datadir *data, const char *name, struct slice bytes,
                         struct cause *why);

/* folder_replace does the same in any folder; only this user can read the file. */
enum err folder_replace(const char *folder, const char *name, struct slice bytes,
                        struct cause *why);
/* folder_make makes a folder and its parents, 0700; E_OK too if it is there already. */
enum err folder_make(const char *path, struct cause *why);

/* socket_path writes the path of a unix socket `name` in `folder`, or, when that is too long for
 * the kernel, in a short private folder that depends on `folder` alone; *ret_is_moved tells. */
enum err socket_path(const char *folder, const char *name, char ret[SOCKET_PATH_MAX_BYTES + 1],
                     bool *ret_is_moved, struct cause *why);

#endif
