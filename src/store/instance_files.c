#include "store/instance_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/datadir.h"

#define CONF_MAX_BYTES (64 * 1024)
#define PATH_BYTES (DATADIR_PATH_MAX_BYTES + 32)

static enum err failed(struct cause *why, const char *path)
{
    return cause_set(why, err_from_errno(errno), "%s: %s", path, strerror(errno));
}

void conf_add_quoted(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "%s \"", name);
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            buf_add_byte(out, '\\');
        if ((unsigned char)*value < 0x20)
            buf_addf(out, "\\x%02x", (unsigned char)*value);
        else
            buf_add_byte(out, *value);
    }
    buf_add(out, SLICE("\"\n"));
}

enum err instance_conf_write(const struct instance_conf *conf, struct cause *why)
{
    char path[PATH_BYTES];
    struct buf text;

    buf_init(&text, CONF_MAX_BYTES);
    buf_add(&text, SLICE("# Written by redgrid at every start: changes are lost.\n"
                         "daemonize no\nsupervised no\nlogfile \"\"\nloglevel notice\n"
                         "appendonly yes\nsave \"\"\nmaxmemory-policy noeviction\n"));
    if (conf->port != 0)
        buf_addf(&text, "bind 127.0.0.1\nport %u\n", (unsigned)conf->port);
    else
        conf_add_quoted(&text, "port 0\nunixsocketperm 700\nunixsocket", conf->socket);
    conf_add_quoted(&text, "appendfsync", conf->fsync);
    conf_add_quoted(&text, "dir", conf->directory);
    snprintf(path, sizeof path, "%s/" INSTANCE_PID_FILE, conf->directory);
    conf_add_quoted(&text, "pidfile", path);
    if (conf->events != NULL)
        conf_add_quoted(&text, "notify-keyspace-events", conf->events);
    snprintf(path, sizeof path, "%s/redis.conf", conf->directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_written = fd >= 0 && write(fd, text.data, text.len) == (ssize_t)text.len;
    enum err err = is_written ? buf_err(&text) : failed(why, path);
    if (fd >= 0)
        close(fd);
    buf_done(&text);
    return err;
}

enum err instance_lock(const char *directory, int *ret_fd, struct cause *why)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "%s/" INSTANCE_LOCK_FILE, directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(why, path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum err err = errno == EWOULDBLOCK ? cause_set(why, E_EXISTS, "%s: is locked", path)
                                            : failed(why, path);
        close(fd);
        return err;
    }
    *ret_fd = fd;
    return E_OK;
}

pid_t recorded_pid(const char *directory, const char *pid_file)
{
    char path[PATH_BYTES], text[32];
    uint64_t pid;

    snprintf(path, sizeof path, "%s/%s", directory, pid_file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    bool is_number = len > 0 && slice_to_u64(slice_trim((struct slice){text, (size_t)len}), &pid);
    return is_number && pid <= INT32_MAX ? (pid_t)pid : 0;
}

pid_t leftover_pid(const char *directory, const char *pid_file)
{
    char path[PATH_BYTES];
    struct stat at, folder;
    pid_t pid = recorded_pid(directory, pid_file);

    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    /* A server works in its folder: another program does not. */
    bool is_there = pid > 0 && stat(path, &at) == 0 && stat(directory, &folder) == 0 &&
                    at.st_dev == folder.st_dev && at.st_ino == folder.st_ino;
    return is_there ? pid : 0;
}
