/* cmd/input.h - files that a command reads. */
#ifndef CMD_INPUT_H
#define CMD_INPUT_H

#include "base/buf.h"

/* input_read appends a file, or standard input for "-". EXIT_OK; or it complained and gives the
 * exit code. */
int input_read(const char *path, struct buf *ret);

#endif
