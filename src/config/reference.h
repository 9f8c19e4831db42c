/* config/reference.h - texts that stand elsewhere, in a variable or in a file of their own, as
 * secrets do. Blocks. */
#ifndef CONFIG_REFERENCE_H
#define CONFIG_REFERENCE_H

#include "base/err.h"
#include "base/str.h"

#define REFERENCE_MAX_BYTES 4096

/* Each: E_OK and *ret, which free() ends; or E_BAD_INPUT with the reason. */
enum err reference_variable(struct slice name, char **ret, struct cause *why);
/* reference_file drops white space at both ends. `base` is the folder from which a relative path is
 * meant, or NULL. */
enum err reference_file(const char *base, struct slice path, char **ret, struct cause *why);

/* path_join is the path as it is meant from a folder (NULL = as it is); free() ends it. */
char *path_join(const char *base, struct slice path);

#endif
