/* loop/process_internal.h - how process_start() tells its child what to become. The hidden
 * arguments: CHILD_MODE, death signal (0 = none), id of the parent, first descriptor to close,
 * file, and then the program's own. */
#ifndef LOOP_PROCESS_INTERNAL_H
#define LOOP_PROCESS_INTERNAL_H

#include "loop/process.h"

#define CHILD_NAME "redgrid-child" /* what it is called before it has become the program */
#define CHILD_MODE "--redgrid-child"

enum child_arg { ARG_NAME, ARG_MODE, ARG_SIGNAL, ARG_PARENT, ARG_CLOSE_FROM, ARG_FILE, ARG_ARGS };

/* process_find: the path to execute, free() ends it; or E_NOT_FOUND, E_DENIED. */
enum err process_find(const struct process_options *options, char **ret, struct cause *why);

/* main() has called process_child_main(). One that has not would run as its own child, which would
 * start children in its turn, without end. */
extern bool process_child_was_asked;

/* process_input makes a sealed file in memory that holds `text`: E_OK and *ret_fd; E_IO, E_LIMIT.
 */
enum err process_input(struct slice text, int *ret_fd, struct cause *why);

#endif
