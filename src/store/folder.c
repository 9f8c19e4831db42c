#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 16

static enum err failed(struct cause *why, const char *path)
{
    return cause_set(why, err_from_errno(errno), "%s: %s", path, strerror(errno));
}

static bool is_kept(const char *name, const char *keep)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
           (keep != NULL && strcmp(name, keep) == 0);
}

static int empty(int fd, const char *keep, int depth); /* takes fd */

static int remove_at(int folder, const char *name, int depth)
{
    struct stat found;

    if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : -1; /* it has gone by itself */
    if (!S_ISDIR(found.st_mode))
        return unlinkat(folder, name, 0) != 0 && errno != ENOENT ? -1 : 0;
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || empty(fd, NULL, depth + 1) != 0)
        return -1;
    return unlinkat(folder, name, AT_REMOVEDIR) != 0 && errno != ENOENT ? -1 : 0;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MAX deep */
static int empty(int fd, const char *keep, int depth)
{
    DIR *directory = depth < DEPTH_MAX ? fdopendir(fd) : NULL;
    int status = 0;

    if (directory == NULL) {
        close(fd);
        errno = depth < DEPTH_MAX ? errno : ELOOP;
        return -1;
    }
    for (struct dirent *at; status == 0 && (at = readdir(directory)) != NULL;)
        if (!is_kept(at->d_name, keep))
            status = remove_at(dirfd(directory), at->d_name, depth);
    int number = errno;
    closedir(directory);
    errno = number;
    return status;
}

enum err folder_empty(const char *path, const char *keep, struct cause *why)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || empty(fd, keep, 0) != 0 ? failed(why, path) : E_OK;
}

enum err folder_remove(const char *path, struct cause *why)
{
    enum err err = folder_empty(path, NULL, why);

    if (err == E_OK && rmdir(path) != 0 && errno != ENOENT)
        err = failed(why, path);
    return err == E_NOT_FOUND ? E_OK : err;
}
