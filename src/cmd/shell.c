#include "cmd/shell.h"

#include <string.h>

void shell_add_word(struct buf *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./-+,:@%";

    if (word[0] == '-')
        buf_add(out, SLICE("./"));
    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        buf_add(out, slice_of(word));
        return;
    }
    buf_add_byte(out, '\'');
    for (; *word != '\0'; word++)
        if (*word == '\'')
            buf_add(out, SLICE("'\\''"));
        else
            buf_add_byte(out, *word);
    buf_add_byte(out, '\'');
}
