/* cmd/follow.h - log lines as they come: an answer that does not end, read from a stream of its
 * own. */
#ifndef CMD_FOLLOW_H
#define CMD_FOLLOW_H

#include "base/buf.h"
#include "cmd/cmdline.h"

/* follow_lines asks for `path` and shows each line of the answer until the server ends it: EXIT_OK;
 * or it complained: EXIT_FAILED. */
int follow_lines(const struct cmdline *line, const char *path);

/* show_log_line prints one log record as /api/logs sends it, as it is or for people. */
void show_log_line(struct slice json, bool is_raw);

#endif
