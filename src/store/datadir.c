#include "store/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define FOLDER_MODE 0700
#define FILE_MODE 0600

struct datadir {
    char *path;
    int lock_fd;
};

static enum err failed(struct cause *why, const char *path)
{
    return cause_set(why, err_from_errno(errno), "%s: %s", path, strerror(errno));
}

/* Who may not write there learns what to do. */
static enum err failed_to(const char *what, struct cause *why, const char *path)
{
    bool is_other_place_better = errno == EACCES || errno == EPERM || errno == EROFS;

    return cause_set(why, err_from_errno(errno), "cannot %s %s: %s%s", what, path, strerror(errno),
                     is_other_place_better
                         ? ": choose another folder with --data, or let this user write there"
                         : "");
}

enum err folder_make(const char *path, struct cause *why)
{
    char part[DATADIR_PATH_MAX_BYTES];
    struct stat found;
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof part)
        return cause_set(why, E_BAD_INPUT, "'%s' is no path of a folder", path);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, FOLDER_MODE) != 0 && errno != EEXIST)
            return failed_to("make the folder", why, part);
        part[i] = path[i];
    }
    if (stat(path, &found) != 0)
        return failed(why, path);
    if (!S_ISDIR(found.st_mode))
        return cause_set(why, E_EXISTS, "%s: is not a folder", path);
    return E_OK;
}

static enum err take_lock(struct datadir *data, struct cause *why)
{
    char path[DATADIR_PATH_MAX_BYTES + 8];
    char pid[32] = {0};

    snprintf(path, sizeof path, "%s/lock", data->path);
    data->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (data->lock_fd < 0)
        return failed_to("write", why, path);
    if (flock(data->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return failed(why, path);
        ssize_t len = pread(data->lock_fd, pid, sizeof pid - 1, 0);
        struct slice owner = slice_trim((struct slice){pid, len > 0 ? (size_t)len : 0});
        return cause_set(
            why, E_EXISTS,
            "%s is in use by another redgrid (pid %.*s): stop it, or choose another folder "
            "with --data",
            data->path, SLICE_ARG(owner.len > 0 ? owner : SLICE("unknown")));
    }
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(data->lock_fd, 0) != 0 || pwrite(data->lock_fd, pid, (size_t)len, 0) != len)
        return failed(why, path);
    return E_OK;
}

enum err datadir_open(const char *path, struct datadir **ret, struct cause *why)
{
    enum err err = folder_make(path, why);
    if (err)
        return err;
    char *whole = realpath(path, NULL);
    if (whole == NULL)
        return failed(why, path);
    struct datadir *data = mem_new(struct datadir);
    data->path = whole;
    data->lock_fd = -1;
    err = strlen(whole) < DATADIR_PATH_MAX_BYTES / 2
              ? take_lock(data, why)
              : cause_set(why, E_LIMIT, "%s: the path is too long", path);
    if (err)
        datadir_close(data);
    else
        *ret = data;
    return err;
}

void datadir_close(struct datadir *data)
{
    if (data == NULL)
        return;
    if (data->lock_fd >= 0)
        close(
            data->lock_fd); /* the file stays: unlinking it would let two daemons lock two files */
    free(data->path);
    free(data);
}

const char *datadir_path(const struct datadir *data)
{
    return data->path;
}

static bool write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t wrote = write(fd, bytes.data, bytes.len);
        if (wrote < 0 && errno != EINTR)
            return false;
        if (wrote > 0)
            bytes = slice_from(bytes, (size_t)wrote);
    }
    return true;
}

enum err folder_replace(const char *folder, const char *name, struct slice bytes, struct cause *why)
{
    char path[DATADIR_PATH_MAX_BYTES];
    char temporary[DATADIR_PATH_MAX_BYTES + 8];

    int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (len < 0 || (size_t)len >= sizeof path)
        return cause_set(why, E_LIMIT, "%.64s...: the path is too long", folder);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return failed(why, temporary);
    bool is_written = write_all(fd, bytes) && fsync(fd) == 0;
    enum err err = is_written ? E_OK : failed(why, temporary);
    close(fd);
    if (err == E_OK && rename(temporary, path) != 0)
        err = failed(why, path);
    int folder_fd = err == E_OK ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder_fd >= 0) {
        (void)fsync(
            folder_fd); /* some file systems refuse it: then the rename is as safe as it gets */
        close(folder_fd);
    }
    return err;
}

enum err datadir_replace(const struct datadir *data, const char *name, struct slice bytes,
                         struct cause *why)
{
    return folder_replace(data->path, name, bytes, why);
}

/* A hash that is the same in every process, unlike slice_hash(): FNV-1a. */
static uint64_t path_hash(const char *path)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *path != '\0'; path++)
        hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
    return hash;
}

enum err socket_path(const char *folder, const char *name, char ret[SOCKET_PATH_MAX_BYTES + 1],
                     bool *ret_is_moved, struct cause *why)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char parent[SOCKET_PATH_MAX_BYTES + 1];
    struct stat found;

    *ret_is_moved = strlen(folder) + 1 + strlen(name) > SOCKET_PATH_MAX_BYTES;
    if (!*ret_is_moved) {
        snprintf(ret, SOCKET_PATH_MAX_BYTES + 1, "%s/%s", folder, name);
        return E_OK;
    }
    if (runtime == NULL || runtime[0] != '/' || strlen(runtime) > 50 || stat(runtime, &found) != 0)
        runtime = "/tmp";
    snprintf(parent, sizeof parent, "%.50s/redgrid-%u-%016llx", runtime, (unsigned)getuid(),
             (unsigned long long)path_hash(folder));
    if (mkdir(parent, FOLDER_MODE) != 0 && errno != EEXIST)
        return failed(why, parent);
    /* In /tmp somebody else may have been there first. */
    if (lstat(parent, &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != getuid() ||
        (found.st_mode & 077) != 0)
        return cause_set(why, E_DENIED, "%s: is not a private folder of this user", parent);
    char whole[2 * SOCKET_PATH_MAX_BYTES];
    int len = snprintf(whole, sizeof whole, "%s/%s", parent, name);
    if (len < 0 || len > SOCKET_PATH_MAX_BYTES)
        return cause_set(why, E_LIMIT, "%s/%s: is too long for a socket", parent, name);
    memcpy(ret, whole, (size_t)len + 1);
    return E_OK;
}
