#include "config/reference.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

#define PATH_MAX_BYTES 8192

char *path_join(const char *base, struct slice path)
{
    struct buf out;

    buf_init(&out, PATH_MAX_BYTES);
    if (base != NULL && path.len > 0 && path.data[0] != '/')
        buf_addf(&out, "%s/", base);
    buf_add(&out, path);
    char *joined = buf_detach(&out);
    buf_done(&out);
    return joined != NULL ? joined : slice_dup(path);
}

enum err reference_variable(struct slice name, char **ret, struct cause *why)
{
    char *text = slice_dup(name);
    const char *found = getenv(text);
    enum err err =
        found != NULL ? E_OK : cause_set(why, E_BAD_INPUT, "there is no variable %s", text);

    if (found != NULL)
        *ret = slice_dup(slice_of(found));
    free(text);
    return err;
}

static enum err read_text(const char *path, char **ret, struct cause *why)
{
    char text[REFERENCE_MAX_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text);

    if (fd >= 0)
        close(fd);
    if (len < 0)
        return cause_set(why, E_BAD_INPUT, "cannot read %s", path);
    if ((size_t)len == sizeof text)
        return cause_set(why, E_BAD_INPUT, "%s holds more than %d bytes", path,
                         REFERENCE_MAX_BYTES);
    *ret = slice_dup(slice_trim((struct slice){text, (size_t)len}));
    return E_OK;
}

enum err reference_file(const char *base, struct slice path, char **ret, struct cause *why)
{
    char *whole = path_join(base, path);
    enum err err = read_text(whole, ret, why);

    free(whole);
    return err;
}
