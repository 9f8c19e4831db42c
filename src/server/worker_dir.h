/* server/worker_dir.h - where the built-in language workers are. */
#ifndef SERVER_WORKER_DIR_H
#define SERVER_WORKER_DIR_H

/* worker_dir_find looks beside the program: workers/ in a build tree, ../libexec/redgrid/workers
 * when installed. free() ends it; NULL if there is neither. */
char *worker_dir_find(void);

#endif
