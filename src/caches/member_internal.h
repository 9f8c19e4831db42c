/* caches/member_internal.h - what the files member*.c share. Nobody else includes it. */
#ifndef CACHES_MEMBER_INTERNAL_H
#define CACHES_MEMBER_INTERNAL_H

#include "caches/member.h"
#include "caches/member_log.h"
#include "caches/server_config.h"
#include "loop/routine.h"
#include "loop/stream.h"
#include "store/datadir.h"

struct pid_watch;
struct probe;
struct process;
struct timer;

#define MEMBER_PID_FILE "pid"
#define MEMBER_VERSION_TEXT_BYTES 32
#define MEMBER_STOP_MS 10000

/* IDLE --start, adopt--> COMING --ready--> UP --stop--> GOING --> IDLE
 *   ^                      |               |            | refused
 *   '------- failed -------'-- it ended ---'   UP <-----' */
enum member_life { LIFE_IDLE, LIFE_COMING, LIFE_UP, LIFE_GOING };

/* The one sequence under way: a start, an adoption, a stop or a removal. */
struct member_sequence {
    struct routine routine;
    struct op *op; /* the caller's; NULL = none is under way */
    struct op wait;
    struct timer *timer;
    struct buf config; /* of a start; wiped when it is over */
    bool may_start;    /* else it only adopts */
    bool keeps_files;  /* of a start */
    bool has_lock;     /* lock_fd is open */
    int lock_fd;
    enum member_stop how;
    uint32_t tries;
    uint64_t heard_at_ms, limit_at_ms; /* monotonic */
    enum err err;                      /* what it will end with, and */
    struct cause why;
};

struct member {
    struct loop *loop;
    struct redis_hub *hub;
    struct cache_member record;
    char *name, *password;
    uint32_t hang_ms;
    bool is_detached;
    void (*down)(void *ctx, struct member *member, const struct member_end *end);
    void *ctx;

    enum member_life life;
    struct process *process; /* our child, or */
    struct pid_watch *watch; /* one that is adopted */
    pid_t pid;               /* 0 = none */
    uint64_t start_time;
    bool was_adopted, is_hang;
    bool has_ended; /* while it came or went */
    int exit_code, signal;
    uint32_t version;
    char version_text[MEMBER_VERSION_TEXT_BYTES];
    struct redis *redis;
    struct member_log log;

    int folder_fd; /* behind `socket` when the folder's path is too long for one; else -1 */
    char socket[SOCKET_PATH_MAX_BYTES + 1];
    struct stream_target target;
    struct probe *probe; /* the last question; one at a time */
    struct op probe_op;  /* of the watch */
    struct timer *tick;  /* of the watch */
    uint32_t silent_ticks;
    struct member_sequence sequence;
};

/* Questions on a connection of their own: AUTH, and then these. */
void member_ask(struct member *member, const struct member_command *commands, size_t count,
                uint32_t timeout_ms, struct op *op);
bool member_is_alive_error(const char *text); /* LOADING and the like: it answers, and will do */

/* member_lock_is_free: no server has the folder, or there is no folder. */
bool member_lock_is_free(const struct member *member);
/* member_kill_group kills what holds the lock: the server, and the children it left. */
void member_kill_group(const struct member *member, pid_t pid);
/* member_reach fills in socket and target, once there is a folder. */
enum err member_reach(struct member *member, struct cause *why);
enum err member_connect(struct member *member, struct cause *why); /* opens member->redis */
void member_disconnect(struct member *member);
/* member_forget_run drops what we know of the run; a process that is ours is let go. */
void member_forget_run(struct member *member);
void member_on_exited(void *ctx, int exit_code, int signal); /* for process_start() */
void member_on_adopted_ended(void *ctx);                     /* for pid_watch_new() */

void member_watch_begin(struct member *member);
void member_watch_end(struct member *member);

/* A sequence begins with its first stage, and ends as the routine does. */
void member_sequence_begin(struct member *member, struct op *op,
                           enum stage (*run)(struct routine *routine, uint32_t stage,
                                             enum err err));
/* sequence_pause waits, and goes on with that stage. */
enum stage sequence_pause(struct member *member, uint64_t ms, uint32_t stage);

#endif
