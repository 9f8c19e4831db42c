/* cmd/screen.h - a page on a terminal: no wider and no higher than that, and without flicker. */
#ifndef CMD_SCREEN_H
#define CMD_SCREEN_H

#include "base/buf.h"

#define SCREEN_CLEAR_BYTES 16

struct screen {
    size_t columns, rows; /* 0 = no limit: standard output is no terminal, or does not tell */
};

struct screen screen_now(void);
void screen_clear(struct buf *out); /* SCREEN_CLEAR_BYTES at most */
/* screen_draw writes `page` over the one before, cut to what fits, and `foot` below it, which tells
 * how many lines are missing. */
void screen_draw(struct buf *out, const struct screen *screen, struct slice page, const char *foot);

#endif
