#include "caches/commands.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define COMMAND_TEXT_MAX_BYTES 1024

void commands_clear(struct commands *commands)
{
    for (size_t i = 0; i < commands->count; i++)
        free(commands->texts[i]);
    commands->count = commands->word_count = 0;
}

void commands_done(struct commands *commands)
{
    commands_clear(commands);
    free(commands->list);
    free(commands->first);
    free(commands->texts);
    free(commands->words);
    *commands = (struct commands){0};
}

void commands_word(struct commands *commands, struct slice word)
{
    assert(commands->count > 0);
    if (commands->word_count == commands->word_room) {
        commands->word_room = 2 * commands->word_room + 64;
        commands->words = mem_resize(commands->words, commands->word_room, sizeof *commands->words);
    }
    commands->words[commands->word_count++] = word;
    commands->list[commands->count - 1].count++;
}

static void make_room(struct commands *commands)
{
    if (commands->count < commands->room)
        return;
    commands->room = 2 * commands->room + 8;
    commands->list = mem_resize(commands->list, commands->room, sizeof *commands->list);
    commands->first = mem_resize(commands->first, commands->room, sizeof *commands->first);
    commands->texts = mem_resize(commands->texts, commands->room, sizeof *commands->texts);
}

__attribute__((format(printf, 3, 0))) static void add(struct commands *commands, bool may_fail,
                                                      const char *fmt, va_list args)
{
    char text[COMMAND_TEXT_MAX_BYTES];
    int len = vsnprintf(text, sizeof text, fmt, args);

    assert(len > 0 && (size_t)len < sizeof text);
    make_room(commands);
    size_t at = commands->count++;
    commands->list[at] = (struct member_command){.may_fail = may_fail};
    commands->first[at] = commands->word_count;
    commands->texts[at] = mem_dup(text, (size_t)len);
    struct slice rest = {commands->texts[at], (size_t)len}, word;
    while (slice_cut(&rest, ' ', &word))
        commands_word(commands, word);
}

void commands_add(struct commands *commands, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add(commands, false, fmt, args);
    va_end(args);
}

void commands_try(struct commands *commands, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add(commands, true, fmt, args);
    va_end(args);
}

void commands_send(struct commands *commands, struct member *member, struct member_talk *talk)
{
    assert(commands->count > 0);
    for (size_t i = 0; i < commands->count; i++)
        commands->list[i].args = &commands->words[commands->first[i]];
    member_talk(member, commands->list, commands->count, talk);
}
