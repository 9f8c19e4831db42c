/* functions/app_files.h - the files of an app: what they were when it was read, and word when they
 * may be others.
 * Rules: watch, then look, then ask whether they differ, so that no change falls between. What
 * cannot be watched, as a folder that is not there, is looked at every now and then. */
#ifndef FUNCTIONS_APP_FILES_H
#define FUNCTIONS_APP_FILES_H

#include "base/buf.h"

struct loop;
struct app_files;

/* app_files_new; `changed` says that it is time to look. */
struct app_files *app_files_new(struct loop *loop, const char *directory,
                                void (*changed)(void *ctx), void *ctx);
void app_files_free(struct app_files *files);

/* app_files_watch watches what is there now: a folder made again is another one than before.
 * app_files_wait, when nothing is to be done: goes on looking if not all could be watched. */
void app_files_watch(struct app_files *files);
void app_files_wait(struct app_files *files);
void app_files_unwatch(struct app_files *files);

/* app_files_look reads the disk: on the pool's thread. */
void app_files_look(struct app_files *files);
/* app_files_take: what was seen last is what they are. */
void app_files_take(struct app_files *files);
/* app_files_differ: is what was seen last other than what was taken? Then `out` names it. */
bool app_files_differ(struct app_files *files, struct buf *out);

#endif
