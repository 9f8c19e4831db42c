/* caches/commands.h - a list of commands that is made while a program runs, for one talk with a
 * member (member.h).
 * Rules: each is written as text, its words between spaces; what may hold spaces, or nothing, is
 * added as a word of its own, and borrowed. The list must live until the talk has ended. A zeroed
 * one is empty and valid. */
#ifndef CACHES_COMMANDS_H
#define CACHES_COMMANDS_H

#include "caches/member.h"

struct commands {
    struct member_command *list;
    size_t *first; /* its place in `words`, of each */
    size_t count, room;
    struct slice *words;
    char **texts; /* what words point into, of each command */
    size_t word_count, word_room;
};
void commands_done(struct commands *commands);  /* frees; leaves zeroes */
void commands_clear(struct commands *commands); /* empties, keeps the memory */

/* commands_add begins a command; commands_try one that may fail (member_command.may_fail). */
void commands_add(struct commands *commands, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void commands_try(struct commands *commands, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* commands_word adds an argument to the newest one; borrowed. */
void commands_word(struct commands *commands, struct slice word);

/* commands_send is member_talk() with all of them; there must be one. */
void commands_send(struct commands *commands, struct member *member, struct member_talk *talk);

#endif
