/* cmd/follow.h - lines as they come: an answer that does not end, read from a stream of its own. */
#ifndef CMD_FOLLOW_H
#define CMD_FOLLOW_H

#include "base/buf.h"
#include "cmd/cmdline.h"

/* follow_lines asks for `path` and has `show` print each line of the answer until the server ends
 * it: EXIT_OK; or it complained: EXIT_FAILED. is_raw: with --output json. */
int follow_lines(const struct cmdline *line, const char *path,
                 void (*show)(struct slice line, bool is_raw));

/* show_text prints a line; control bytes as '?', because what a server says must not drive the
 * terminal. */
void show_text(struct slice text);

/* show_log_line prints one log record as /api/logs sends it, as it is or for people. */
void show_log_line(struct slice json, bool is_raw);

#endif
