/* caches/program.h - a server program: which version, what it can do. */
#ifndef CACHES_PROGRAM_H
#define CACHES_PROGRAM_H

#include <stdint.h>

#include "base/str.h"
#include "loop/op.h"

struct loop;

#define PROGRAM_VERSION_MIN 0x070000
#define PROGRAM_NAME_BYTES 16
#define PROGRAM_VERSION_BYTES 32

struct program {
    char name[PROGRAM_NAME_BYTES];    /* "redis", "valkey" */
    char text[PROGRAM_VERSION_BYTES]; /* of its version, "7.0.15" */
    uint32_t version;                 /* 0xMMmmpp, its own */
    uint32_t rdb_version;             /* of the files it writes; it reads these and older ones */
    bool has_tls;
};

/* program_check runs `path --version`, and asks it for TLS. `path` is absolute, or looked up in
 * PATH; copied. Later: E_OK and *ret is set; else *ret is untouched: E_NOT_FOUND, E_DENIED: no such
 * program; E_UNSUPPORTED: older than 7.0, or no such server; E_TIMEOUT: it did not end within 10 s;
 * E_IO; E_CANCELED: aborted. The program is named in each. */
void program_check(struct loop *loop, const char *path, struct program *ret, struct op *op);

/* program_version reads "7.0.15" as 0x07000f; 0 if it is none. Pure. */
uint32_t program_version(struct slice text);
/* program_read reads the answer to --version; has_tls is not known from that. E_OK; E_UNSUPPORTED
 * as above. Pure. */
enum err program_read(struct slice answer, struct program *ret, struct cause *why);

#endif
