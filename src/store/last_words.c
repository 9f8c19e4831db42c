#include "store/last_words.h"

#include <stdio.h>
#include <string.h>

void last_words_add(struct last_words *words, struct slice line)
{
    snprintf(words->lines[words->count++ % LAST_WORDS], LAST_WORDS_BYTES, "%.*s",
             SLICE_ARG(slice_trim(line)));
}

void last_words_write(struct buf *out, const struct last_words *words)
{
    size_t first = words->count > LAST_WORDS ? words->count - LAST_WORDS : 0;

    for (size_t i = first; i < words->count; i++)
        buf_addf(out, "%s%s", i == first ? "" : " / ", words->lines[i % LAST_WORDS]);
}

enum err server_ended(struct cause *why, const char *server, int exit_code, int signal_number,
                      const struct last_words *words)
{
    const char *it_said = words->count > 0 ? "; it said: " : "";
    struct buf said;

    buf_init(&said, CAUSE_MAX_BYTES);
    last_words_write(&said, words);
    if (signal_number != 0)
        (void)cause_set(why, E_CRASHED, "%s ended by signal %d (%s)%s%s", server, signal_number,
                        strsignal(signal_number), it_said, buf_text(&said));
    else
        (void)cause_set(why, E_CRASHED, "%s ended with code %d%s%s", server, exit_code, it_said,
                        buf_text(&said));
    buf_done(&said);
    return E_CRASHED;
}
