/* FOLDER --lock is ours, server started--> PROBE --PONG--> UP --ended--> PAUSE --> FOLDER
 *   ^ |                                     ^ | not yet      PROBE --ended--> PAUSE, if it ever was
 * UP,
 *   '-' locked: end the leftover            '-'                                else FAILED
 * Stopped: STOPPING until the process has ended, then STOPPED. One timer serves all waits. */
#include "store/instance.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/process.h"
#include "loop/timer.h"
#include "store/datadir.h"
#include "store/instance_files.h"
#include "store/last_words.h"
#include "store/probe.h"
#include "store/server_find.h"

#define PROBE_EVERY_MS 5
#define PROBE_TIMEOUT_MS 5000
#define LEFTOVER_EVERY_MS 20
#define LEFTOVER_KILL_AFTER_MS 15000
#define LEFTOVER_GIVE_UP_MS 20000
#define READY_TIMEOUT_MS 120000 /* a large append-only file takes its time to load */
#define STOP_KILL_AFTER_MS 10000
#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 5000

enum state { FOLDER, PROBE, UP, PAUSE, FAILED, STOPPING, STOPPED };

struct instance {
    struct loop *loop;
    char *name, *server, *directory, *fsync, *events;
    uint16_t port;
    char socket[SOCKET_PATH_MAX_BYTES + 1];
    char connection[SOCKET_PATH_MAX_BYTES + 16];
    void (*changed)(void *ctx, bool is_up);
    void *ctx;

    enum state state;
    bool was_up;
    bool has_told; /* of the leftover; of the kill */
    uint64_t since_ms;
    uint64_t pause_ms;
    struct op *ready; /* NULL once it has ended */
    struct op *stopped;
    struct timer *timer;
    struct process *process;
    struct probe *probe;
    struct op probe_op;
    struct stream_target target;
    struct last_words words;
};

static void go(struct instance *instance, enum state state, uint64_t wait_ms)
{
    static const char *const names[] = {
        [FOLDER] = "folder", [PROBE] = "probe",       [UP] = "up",          [PAUSE] = "pause",
        [FAILED] = "failed", [STOPPING] = "stopping", [STOPPED] = "stopped"};
    log_trace("%s: %s -> %s", instance->name, names[instance->state], names[state]);
    instance->state = state;
    instance->since_ms = loop_now_ms(instance->loop);
    timer_set(instance->timer, wait_ms);
}

static void end_ready(struct instance *instance, enum err err)
{
    struct op *ready = instance->ready;

    instance->ready = NULL;
    if (ready != NULL)
        op_end(ready, err);
}

static void fail(struct instance *instance, enum err err)
{
    timer_clear(instance->timer);
    instance->state = FAILED;
    end_ready(instance, err);
}

/* Once it was up, it must come back whatever happens; before that, a failure is the operator's. */
static void pause_or_fail(struct instance *instance, enum err err, const struct cause *why)
{
    if (!instance->was_up) {
        if (instance->ready != NULL)
            instance->ready->why = *why;
        fail(instance, err);
        return;
    }
    log_error("INSTANCE-DOWN", "%s: %s; starting it again in %llu ms", instance->name,
              cause_text(why, err), (unsigned long long)instance->pause_ms);
    go(instance, PAUSE, instance->pause_ms);
    instance->pause_ms =
        instance->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : instance->pause_ms * 2;
}

/* ---- the server's process ---- */

static void on_line(void *ctx, bool is_stderr, struct slice line)
{
    struct instance *instance = ctx;

    (void)is_stderr;
    last_words_add(&instance->words, line);
    log_debug("INSTANCE-SAYS", "%s: %.*s", instance->name, SLICE_ARG(line));
}

static void finish_stop(struct instance *instance)
{
    struct op *stopped = instance->stopped;

    timer_clear(instance->timer);
    instance->state = STOPPED;
    instance->stopped = NULL;
    if (instance->port == 0)
        (void)unlink(instance->socket); /* there still if it had to be killed */
    end_ready(instance, E_CANCELED);
    if (stopped != NULL)
        op_end(stopped, E_OK);
}

static void on_exited(void *ctx, int exit_code, int signal_number)
{
    struct instance *instance = ctx;
    bool was_up = instance->state == UP;
    struct cause why = {0};

    process_free(instance->process);
    instance->process = NULL;
    probe_free(instance->probe);
    instance->probe = NULL;
    if (instance->state == STOPPING) {
        finish_stop(instance);
        return;
    }
    (void)server_ended(&why, instance->server, exit_code, signal_number, &instance->words);
    if (was_up && instance->changed != NULL)
        instance->changed(instance->ctx, false);
    pause_or_fail(instance, E_CRASHED, &why);
}

static enum err spawn(struct instance *instance, int lock_fd, struct cause *why)
{
    char conf[DATADIR_PATH_MAX_BYTES];
    const char *const args[] = {instance->server, conf, NULL};
    const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};

    snprintf(conf, sizeof conf, "%s/redis.conf", instance->directory);
    instance->words = (struct last_words){0};
    return process_start(instance->loop,
                         &(struct process_options){.file = instance->server,
                                                   .args = args,
                                                   .env = env,
                                                   .cwd = instance->directory,
                                                   .fd = lock_fd,
                                                   .death_signal = SIGTERM,
                                                   .line = on_line,
                                                   .exited = on_exited,
                                                   .ctx = instance},
                         &instance->process, why);
}

static void name_port(struct instance *instance, uint16_t port)
{
    instance->port = port;
    instance->target =
        (struct stream_target){.host = "127.0.0.1", .port = port, .timeout_ms = PROBE_TIMEOUT_MS};
    snprintf(instance->connection, sizeof instance->connection, "127.0.0.1:%u", (unsigned)port);
}

static enum err start_server(struct instance *instance, int lock_fd, struct cause *why)
{
    /* Before it was up for the first time nobody knows its port: another may be taken. */
    if (instance->port != 0 && !instance->was_up) {
        uint16_t port = port_free(instance->port);
        if (port == 0)
            return cause_set(why, E_EXISTS, "no free port from %u on", (unsigned)instance->port);
        name_port(instance, port);
    }
    const struct instance_conf conf = {.directory = instance->directory,
                                       .socket = instance->socket,
                                       .port = instance->port,
                                       .fsync = instance->fsync,
                                       .events = instance->events};
    enum err err = instance_conf_write(&conf, why);
    return err ? err : spawn(instance, lock_fd, why);
}

/* ---- what the timer and the probe lead to ---- */

static void end_leftover(struct instance *instance)
{
    pid_t pid = leftover_pid(instance->directory, INSTANCE_PID_FILE);
    uint64_t waited_ms = loop_now_ms(instance->loop) - instance->since_ms;
    bool is_late = waited_ms > LEFTOVER_KILL_AFTER_MS;

    if (waited_ms > LEFTOVER_GIVE_UP_MS) {
        struct cause why;
        (void)cause_set(&why, E_EXISTS, "%s is in use by another process (pid %d)",
                        instance->directory, (int)pid);
        instance->since_ms = loop_now_ms(instance->loop);
        pause_or_fail(instance, E_EXISTS, &why);
        return;
    }
    if (pid > 0 && (!instance->has_told || is_late)) {
        log_warn("INSTANCE-LEFTOVER",
                 "%s: a server of an earlier run still has %s (pid %d): ending it", instance->name,
                 instance->directory, (int)pid);
        instance->has_told = true;
        (void)kill(pid, is_late ? SIGKILL : SIGTERM);
    }
    timer_set(instance->timer, LEFTOVER_EVERY_MS);
}

static void look_at_folder(struct instance *instance)
{
    struct cause why = {0};
    int lock_fd = -1;
    enum err err = instance_lock(instance->directory, &lock_fd, &why);

    if (err == E_EXISTS) {
        end_leftover(instance);
        return;
    }
    instance->has_told = false;
    if (err == E_OK)
        err = start_server(instance, lock_fd, &why);
    if (lock_fd >= 0)
        close(lock_fd); /* the server has its own copy, and with it the lock */
    if (err)
        pause_or_fail(instance, err, &why);
    else
        go(instance, PROBE, PROBE_EVERY_MS);
}

static void came_up(struct instance *instance)
{
    bool is_again = instance->was_up;

    instance->was_up = true;
    go(instance, UP, PAUSE_MAX_MS * 2);
    if (is_again)
        log_warn("INSTANCE-UP", "%s: answers again on %s (pid %d)", instance->name,
                 instance->connection, (int)process_id(instance->process));
    if (is_again && instance->changed != NULL)
        instance->changed(instance->ctx, true);
    end_ready(instance, E_OK);
}

static void on_probe_done(struct op *op, enum err err)
{
    struct instance *instance = container_of(op, struct instance, probe_op);

    probe_free(instance->probe);
    instance->probe = NULL;
    if (instance->state != PROBE)
        return;
    if (err == E_OK) {
        came_up(instance);
    } else if (instance->ready != NULL &&
               loop_now_ms(instance->loop) - instance->since_ms > READY_TIMEOUT_MS) {
        (void)cause_set(&instance->ready->why, E_TIMEOUT, "%s does not answer on %s: %s",
                        instance->server, instance->connection, cause_text(&op->why, err));
        fail(instance, E_TIMEOUT);
    } else {
        timer_set(instance->timer, PROBE_EVERY_MS);
    }
}

static void on_timer(void *ctx)
{
    struct instance *instance = ctx;

    switch (instance->state) {
    case FOLDER:
        look_at_folder(instance);
        break;
    case PROBE:
        instance->probe = probe_start(instance->loop, &instance->target, &instance->probe_op);
        break;
    case UP: /* it lived long enough for the next end to be a new one */
        instance->pause_ms = PAUSE_MIN_MS;
        break;
    case PAUSE:
        go(instance, FOLDER, 0);
        break;
    case STOPPING:
        if (instance->process == NULL) {
            finish_stop(instance);
            break;
        }
        log_warn("INSTANCE-KILL", "%s: does not end: killing it", instance->name);
        process_signal(instance->process, SIGKILL);
        timer_set(instance->timer, STOP_KILL_AFTER_MS);
        break;
    case FAILED:
    case STOPPED:
        break;
    }
}

/* ---- exported ---- */

static enum err choose_address(struct instance *instance, uint16_t port, struct cause *why)
{
    bool is_moved;

    if (port != 0) {
        name_port(instance, port);
        return E_OK;
    }
    enum err err = socket_path(instance->directory, "redis.sock", instance->socket, &is_moved, why);
    if (err)
        return err;
    if (is_moved)
        log_info("INSTANCE-SOCKET",
                 "%s: the path of the data folder is too long for a socket: it is %s",
                 instance->name, instance->socket);
    instance->target =
        (struct stream_target){.path = instance->socket, .timeout_ms = PROBE_TIMEOUT_MS};
    snprintf(instance->connection, sizeof instance->connection, "unix://%s", instance->socket);
    return E_OK;
}

enum err instance_start(const struct instance_options *options, struct op *ready,
                        struct instance **ret, struct cause *why)
{
    enum err err = folder_make(options->directory, why);
    if (err)
        return cause_wrap(why, err, "%s", options->name);
    char *server = server_find(options->server);
    if (server == NULL)
        return cause_set(
            why, E_NOT_FOUND,
            "%s: %s is not installed: apt install redis-server (or valkey-server), or set "
            "store.server",
            options->name,
            options->server != NULL && options->server[0] != '\0' ? options->server
                                                                  : "redis-server");
    struct instance *instance = mem_new(struct instance);
    instance->loop = options->loop;
    instance->name = slice_dup(slice_of(options->name));
    instance->server = server;
    instance->directory = slice_dup(slice_of(options->directory));
    instance->fsync = slice_dup(slice_of(options->fsync));
    instance->events = options->events != NULL ? slice_dup(slice_of(options->events)) : NULL;
    instance->changed = options->changed;
    instance->ctx = options->ctx;
    instance->pause_ms = PAUSE_MIN_MS;
    instance->probe_op.done = on_probe_done;
    instance->timer = timer_new(options->loop, on_timer, instance);
    err = choose_address(instance, options->port, why);
    if (err) {
        instance_free(instance);
        return cause_wrap(why, err, "%s", options->name);
    }
    instance->ready = ready;
    op_begin(ready, NULL, instance);
    go(instance, FOLDER, 0);
    *ret = instance;
    return E_OK;
}

const char *instance_connection(const struct instance *instance)
{
    return instance->connection;
}

uint16_t instance_port(const struct instance *instance)
{
    return instance->port;
}

pid_t instance_pid(const struct instance *instance)
{
    return instance->process != NULL ? process_id(instance->process) : 0;
}

void instance_stop(struct instance *instance, struct op *op)
{
    instance->stopped = op;
    op_begin(op, NULL, instance);
    if (instance->process != NULL)
        process_signal(instance->process, SIGTERM);
    go(instance, STOPPING, instance->process != NULL ? STOP_KILL_AFTER_MS : 0);
}

void instance_free(struct instance *instance)
{
    if (instance == NULL)
        return;
    timer_free(instance->timer);
    probe_free(instance->probe);
    process_free(instance->process);
    free(instance->name);
    free(instance->server);
    free(instance->directory);
    free(instance->fsync);
    free(instance->events);
    free(instance);
}
