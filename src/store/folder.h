/* store/folder.h - whole folders of a server's files. Both block: for the pool. */
#ifndef STORE_FOLDER_H
#define STORE_FOLDER_H

#include "base/err.h"

/* folder_empty removes all that is in a folder, folders too, except a file named `keep` (NULL =
 * nothing is kept). Links are not followed. E_OK; E_NOT_FOUND, E_DENIED, E_IO with the path. */
enum err folder_empty(const char *path, const char *keep, struct cause *why);
/* folder_remove removes it with all that is in it; E_OK too if it is not there. */
enum err folder_remove(const char *path, struct cause *why);

#endif
