/* store/instance_files.h - what a server's folder holds: its configuration, its lock, its pid. Used
 * for every server that we run, those of caches too. */
#ifndef STORE_INSTANCE_FILES_H
#define STORE_INSTANCE_FILES_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* conf_add_quoted appends a line of a server's configuration: the name, and the value in quotes. */
void conf_add_quoted(struct buf *out, const char *name, const char *value);

struct instance_conf {
    const char *directory;
    const char *socket; /* used when port is 0 */
    uint16_t port;
    const char *fsync;
    const char *events; /* NULL = none */
};

/* instance_conf_write writes DIRECTORY/redis.conf. E_IO, E_DENIED with the file named. */
enum err instance_conf_write(const struct instance_conf *conf, struct cause *why);

/* instance_lock takes the folder's lock: E_OK and *ret_fd, which the server inherits and the caller
 * closes; E_EXISTS while another process has it; E_IO, E_DENIED. */
enum err instance_lock(const char *directory, int *ret_fd, struct cause *why);

#define INSTANCE_LOCK_FILE "lock"
#define INSTANCE_PID_FILE "redis.pid"

/* leftover_pid is the server that a daemon before us left in this folder, by its pid file; 0 if
 * there is none, also when its number has gone to another program meanwhile. */
pid_t leftover_pid(const char *directory, const char *pid_file);
/* recorded_pid is the number in the pid file, whoever has it now; 0 = none. */
pid_t recorded_pid(const char *directory, const char *pid_file);

#endif
