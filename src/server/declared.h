/* server/declared.h - the files of the setting `resources`: topics and subscriptions that there
 * shall be, as `redgrid apply` makes them.
 * Rules: a mistake is logged with its place, and then nothing is changed; the server goes on. What
 * is not named stays. */
#ifndef SERVER_DECLARED_H
#define SERVER_DECLARED_H

#include "router/router.h"

struct declared_files;

struct declared_files *declared_files_new(struct loop *loop, struct router *router);
/* declared_files_apply reads the files, a list ended by NULL, and begins; while it is at it, it
 * does so once more afterwards. Blocks on the disk. `url` is this server's, as endpoints can reach
 * it. */
void declared_files_apply(struct declared_files *files, const char *const *paths, struct slice url);
/* declared_files_stop: nothing more begins. declared_files_free: after the router has stopped,
 * before it goes. Both: NULL is fine. */
void declared_files_stop(struct declared_files *files);
void declared_files_free(struct declared_files *files);

#endif
