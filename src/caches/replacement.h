/* caches/replacement.h - REPLACE (caches.md 6.4): another server takes the place of a member, or
 * the member gets another program where it is, if the memory budget has no room for one more.
 *
 *   begin: tell clients, START the new one --> (hand over, if the old one is the primary) -->
 *   end: STOP the old one, or STOP and START it where it is; tell clients
 *
 * Rules: operation->work has the member `replacement` while one is under way: {"old","new",
 * "program","before"}; without `new` it stays where it is. Each part may be run again. Not of a
 * cluster. Tasks of steps, as those of cache.h. */
#ifndef CACHES_REPLACEMENT_H
#define CACHES_REPLACEMENT_H

#include "caches/cache.h"

struct replacement { /* a zeroed one is new; it may be used again */
    struct routine routine;

    struct cache *cache; /* private, as all below */
    char name[MEMBER_NAME_MAX_BYTES];
    const char *program;
    struct member_task task;
    struct op op;
    enum err err;
    struct cause why;
};

/* replacement_begin: for the member `name` a new one is there, in sync; or it is noted that it will
 * stay where it is, since a second one does not fit. `program` is borrowed; NULL = that of the
 * cache. */
enum err replacement_begin(struct cache *cache, const char *name, const char *program,
                           struct replacement *task);
/* replacement_restart: no new one; the member will be started again where it is. */
enum err replacement_restart(struct cache *cache, const char *name, struct replacement *task);
/* replacement_end: the old one goes, or is started again where it is: a replica emptied and until
 * it is in sync, a primary, which no other can stand in for, with what it had. If it does not start
 * with the new program, it is started with the one before, and the error is told. E_OK also when
 * none is under way. */
enum err replacement_end(struct cache *cache, struct replacement *task);
/* replacement_undo: what replacement_begin() made goes. */
enum err replacement_undo(struct cache *cache, struct replacement *task);
void replacement_done(struct replacement *task); /* not under way */

/* Of the one that is under way: the old one, the new one; NULL = none. Borrowed from the record. */
const char *replacement_old(const struct cache *cache);
const char *replacement_new(const struct cache *cache);
/* replacement_keeps: is it a member that a step stops and starts where it is, so that nobody else
 * should? Its files are all there is of it then. */
bool replacement_keeps(const struct cache *cache, const char *name);

#endif
