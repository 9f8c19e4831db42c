/* cmd/shell.h - words that a shell reads. */
#ifndef CMD_SHELL_H
#define CMD_SHELL_H

#include "base/buf.h"

/* shell_add_word appends a word so that a POSIX shell reads it as it is. A path that begins with a
 * dash gets "./" in front: no program takes it for an option. */
void shell_add_word(struct buf *out, const char *word);

#endif
