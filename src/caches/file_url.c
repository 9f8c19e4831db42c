#include "caches/file_url.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/url.h"

/* ---- what a text says ---- */

static bool is_beneath(struct slice path, struct slice dir)
{
    while (dir.len > 1 && dir.data[dir.len - 1] == '/')
        dir.len--;
    if (!slice_has_prefix(path, dir))
        return false;
    return path.len == dir.len || path.data[dir.len] == '/' || dir.data[dir.len - 1] == '/';
}

static enum err check_place(struct slice path, const struct file_dirs *dirs, struct cause *why)
{
    for (size_t i = 0; i < dirs->count; i++)
        if (is_beneath(path, slice_of(dirs->paths[i])))
            return E_OK;
    if (dirs->count == 0)
        return cause_set(why, E_DENIED,
                         "is of this machine, and the setting caches.file_dirs names no directory "
                         "for that");
    return cause_set(why, E_DENIED, "is not in a directory of the setting caches.file_dirs (%s%s)",
                     dirs->paths[0], dirs->count > 1 ? ", .." : "");
}

/* Names that lead elsewhere are refused, not resolved: nobody means them. */
static enum err check_path(struct slice path, struct cause *why)
{
    struct slice rest = path, name;

    if (path.len == 0 || path.data[0] != '/')
        return cause_set(why, E_BAD_INPUT, "needs an absolute path: file:///DIRECTORY/..");
    if (path.len > FILE_PATH_MAX_BYTES)
        return cause_set(why, E_LIMIT, "has a path longer than %d bytes", FILE_PATH_MAX_BYTES);
    if (slice_find_byte(path, '\0') < path.len)
        return cause_set(why, E_BAD_INPUT, "has a NUL in its path");
    while (slice_cut(&rest, '/', &name))
        if (slice_eq(name, SLICE(".")) || slice_eq(name, SLICE("..")))
            return cause_set(why, E_BAD_INPUT, "has '.' or '..' in its path");
    return E_OK;
}

/* RFC 8089: file:/path, file:///path, file://localhost/path. */
static enum err read_path(struct slice rest, struct buf *path, struct cause *why)
{
    if (slice_has_prefix(rest, SLICE("//"))) {
        struct slice host = slice_from(rest, 2);
        host = slice_first(host, slice_find_byte(host, '/'));
        if (host.len > 0 && !slice_eq_nocase(host, SLICE("localhost")))
            return cause_set(why, E_BAD_INPUT, "names a host: file:///DIRECTORY/..");
        rest = slice_from(rest, 2 + host.len);
    }
    enum err err = url_decode(path, rest);
    if (err)
        return cause_set(why, err, "has a malformed escape in its path, or is too long");
    while (path->len > 1 && path->data[path->len - 1] == '/')
        path->len--;
    return check_path(buf_slice(path), why);
}

static enum err read_local(struct slice rest, const struct file_dirs *dirs, char **ret,
                           struct cause *why)
{
    struct buf path;

    buf_init(&path, URL_MAX_BYTES);
    enum err err = read_path(rest, &path, why);
    if (err == E_OK)
        err = check_place(buf_slice(&path), dirs, why);
    if (err == E_OK)
        *ret = slice_dup(buf_slice(&path));
    buf_done(&path);
    return err;
}

static enum err read_remote(struct slice text, struct cause *why)
{
    struct url url;
    enum err err = url_parse(text, &url, why);

    if (err == E_OK && url.scheme == URL_UNIX)
        err = cause_set(why, E_UNSUPPORTED, "the scheme must be http, https or file");
    return err;
}

enum err file_url_read(struct slice text, const struct file_dirs *dirs, struct file_url *ret,
                       struct cause *why)
{
    static const struct slice scheme = SLICE_INIT("file:");
    bool is_local = slice_has_prefix_nocase(text, scheme);
    struct slice shown = is_local ? text : slice_first(text, slice_find_byte(text, '?'));
    struct file_url url = {.text = NULL};
    enum err err = is_local ? read_local(slice_from(text, scheme.len), dirs, &url.path, why)
                            : read_remote(text, why);
    if (err)
        return cause_wrap(why, err, "'%.*s'", shown.len < 200 ? (int)shown.len : 200,
                          shown.data != NULL ? shown.data : "");
    url.text = slice_dup(text);
    url.shown = slice_dup(shown);
    *ret = url;
    return E_OK;
}

void file_url_done(struct file_url *url)
{
    if (url->text != NULL)
        explicit_bzero(url->text, strlen(url->text));
    free(url->text);
    free(url->shown);
    free(url->path);
    *url = (struct file_url){0};
}

/* ---- what is on the disk ---- */

/* Where a descriptor really is. */
static enum err place_of(int fd, char room[PATH_MAX])
{
    char link[64];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(link, room, PATH_MAX - 1);
    if (got < 0)
        return err_from_errno(errno);
    room[got] = '\0';
    return E_OK;
}

static enum err check_real_place(int fd, const struct file_dirs *dirs, struct cause *why)
{
    char place[PATH_MAX], dir[PATH_MAX];
    enum err err = place_of(fd, place);

    for (size_t i = 0; i < dirs->count && err == E_OK; i++)
        if (realpath(dirs->paths[i], dir) != NULL && is_beneath(slice_of(place), slice_of(dir)))
            return E_OK;
    return cause_set(why, E_DENIED, "leads out of the directories of the setting caches.file_dirs");
}

/* Opens what `path` names only after it has seen what and where that is: a descriptor of O_PATH
 * does nothing to a device or a pipe. */
static enum err open_checked(const char *path, const struct file_dirs *dirs, bool is_folder,
                             int *ret, struct cause *why)
{
    char link[64];
    struct stat info;
    int fd = -1;

    int place = open(path, O_PATH | O_CLOEXEC);
    if (place < 0)
        return cause_set(why, err_from_errno(errno), "%s", strerror(errno));
    enum err err = check_real_place(place, dirs, why);
    if (err == E_OK &&
        (fstat(place, &info) != 0 || !(is_folder ? S_ISDIR(info.st_mode) : S_ISREG(info.st_mode))))
        err = cause_set(why, E_BAD_INPUT, is_folder ? "is no directory" : "is no regular file");
    if (err == E_OK) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", place);
        fd = open(link, O_RDONLY | O_CLOEXEC | (is_folder ? O_DIRECTORY : 0));
        if (fd < 0)
            err = cause_set(why, err_from_errno(errno), "%s", strerror(errno));
    }
    close(place);
    if (err == E_OK)
        *ret = fd;
    return err;
}

enum err file_open(const char *path, const struct file_dirs *dirs, int *ret, struct cause *why)
{
    return open_checked(path, dirs, false, ret, why);
}

enum err file_open_folder(const char *path, const struct file_dirs *dirs, int *ret,
                          struct cause *why)
{
    return open_checked(path, dirs, true, ret, why);
}
