/* cmd/pages.h - the man page and the shell completion, from the table of commands. */
#ifndef CMD_PAGES_H
#define CMD_PAGES_H

#include "base/buf.h"

void page_write_man(struct buf *out);        /* roff, redgrid(1) */
void page_write_completion(struct buf *out); /* bash */

#endif
