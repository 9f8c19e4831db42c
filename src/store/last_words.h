/* store/last_words.h - the last lines that a server wrote, for the text of what it ended with. */
#ifndef STORE_LAST_WORDS_H
#define STORE_LAST_WORDS_H

#include "base/buf.h"

#define LAST_WORDS 3
#define LAST_WORDS_BYTES 128 /* of each line; longer ones are cut */

struct last_words { /* zeroed = none */
    char lines[LAST_WORDS][LAST_WORDS_BYTES];
    size_t count; /* ever; the lines are a ring */
};

void last_words_add(struct last_words *words, struct slice line);
/* last_words_write appends "a / b / c"; nothing if there are none. */
void last_words_write(struct buf *out, const struct last_words *words);
/* server_ended sets why to how a server ended, and what it said before: E_CRASHED. */
enum err server_ended(struct cause *why, const char *server, int exit_code, int signal_number,
                      const struct last_words *words);

#endif
