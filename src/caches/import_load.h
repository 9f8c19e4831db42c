/* caches/import_load.h - the side server of an import takes in the files that were fetched into its
 * folder, `import-0.rdb` and so on, and becomes a server like the others: a task as those of
 * cache.h.
 *
 *   stop, if it runs --> (place a file as dump.rdb --> load or merge it)* --> fit
 *
 * Rules: begun anew it begins with the first file, so what an earlier run did does not matter. Of
 * equal keys those of a later file win. */
#ifndef CACHES_IMPORT_LOAD_H
#define CACHES_IMPORT_LOAD_H

#include "caches/cache.h"
#include "caches/commands.h"

#define IMPORT_FILES_MAX 32

struct import_load { /* a zeroed one is new */
    struct routine routine;
    struct cache *cache;
    char name[MEMBER_NAME_MAX_BYTES];
    size_t count, at; /* files */
    struct member_task task;
    struct member_talk talk;
    struct commands commands;
    char schedule[32]; /* of dumps */
    struct member_info info;
    struct op op;
    struct timer *timer;
    char dir[4096];
};

/* import_load_start loads `count` files into the member. Later: E_OK; E_CRASHED: the server ended
 * over a file, with its words; E_REDIS; else as cache_start_member().
 * import_fit_start makes sure that what it holds fits into the cache, and gives it the limits and
 * the persistence of one. Later: E_OK; E_LIMIT: it does not fit, with the numbers; E_CLOSED;
 * E_IO. */
enum err import_load_start(struct cache *cache, const char *name, size_t count,
                           struct import_load *load);
enum err import_fit_start(struct cache *cache, const char *name, struct import_load *load);
void import_load_done(struct import_load *load); /* not under way */

/* import_write_path: of file `at` in the folder of a member. */
void import_write_path(const char *dir, size_t at, char *ret, size_t size);

#endif
