/* caches/rdb.h - RDB files: what the first bytes tell, and what a server program says of the whole.
 */
#ifndef CACHES_RDB_H
#define CACHES_RDB_H

#include <stdint.h>

#include "base/str.h"
#include "loop/op.h"

#define RDB_HEAD_BYTES 9 /* "REDIS0011" */

struct loop;

/* rdb_version_read: E_OK and the version of the format; or E_BAD_INPUT with why `head` does not
 * begin an RDB file. Pure. */
enum err rdb_version_read(struct slice head, uint32_t *ret, struct cause *why);

struct rdb_check {
    struct loop *loop;
    const char *program;  /* a server, which is run by the name of its checker */
    const char *path;     /* of the file */
    uint32_t version_max; /* that the program reads */
};
/* rdb_check looks at the head, then has the program read the file from end to end. All that is
 * given is copied. Later: E_OK; E_BAD_INPUT: it is broken, or too new, in the program's words;
 * E_CRASHED: the program ended by a signal; E_NOT_FOUND, E_DENIED: file or program; E_IO;
 * E_CANCELED. */
void rdb_check(const struct rdb_check *check, struct op *op);

#endif
