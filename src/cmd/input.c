#include "cmd/input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmdline.h"

static bool read_all(FILE *file, struct buf *ret)
{
    char piece[65536];
    size_t len;

    do {
        len = fread(piece, 1, sizeof piece, file);
        buf_add(ret, (struct slice){piece, len});
    } while (len == sizeof piece); /* less: the end, or an error */
    return ferror(file) == 0;
}

int input_read(const char *path, struct buf *ret)
{
    bool is_read;

    if (strcmp(path, "-") == 0) {
        is_read = read_all(stdin, ret);
    } else {
        FILE *file = fopen(path, "re");
        if (file == NULL)
            return complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
        is_read = read_all(file, ret);
        fclose(file);
    }
    if (!is_read || buf_err(ret))
        return complain(EXIT_FAILED, "%s: %s", path, is_read ? "is too large" : "cannot be read");
    return EXIT_OK;
}
