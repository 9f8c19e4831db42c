/* caches/member.h - one server of a cache: a redis-server process in a folder of its own, from its
 * start to its end (caches.md 4).
 * Rules: the folder's lock lives exactly as long as the server, because the server holds it: so one
 * that outlived a daemon is found and adopted, and a folder is never open in two servers. A server
 * starts closed: no client reaches it. Its configuration, with the secrets, comes to it by a
 * sealed memory file as standard input and stands in no file, no argument and no environment. What
 * it logs lies in the file `log` of the folder and is copied to our log with the names of cache and
 * member. Each second it is asked for a PONG; one that says nothing for hang_ms is killed. It is
 * never started again from here: that, and what then happens to roles, is its owner's.
 * Ops: a start (member_start, member_adopt), a stop and a removal exclude each other; talks, infos
 * and syncs go on beside each other. They end with E_CLOSED when the server ends meanwhile; an
 * aborted one with E_CANCELED, soon. */
#ifndef CACHES_MEMBER_H
#define CACHES_MEMBER_H

#include <sys/types.h>

#include "caches/state.h"
#include "loop/op.h"
#include "wire/resp.h"

struct loop;
struct member;
struct redis;
struct redis_hub;

#define MEMBER_ADMIN "redgrid" /* the user that we are */
#define MEMBER_LAST_WORDS_BYTES 384

/* How a run ended. */
struct member_end {
    int exit_code, signal; /* one of them, the other 0; -1 and 0: it was adopted, nobody tells */
    bool is_hang;          /* it said nothing for hang_ms, so we killed it */
    char last_words[MEMBER_LAST_WORDS_BYTES]; /* of its log, "a / b / c"; "" = none */
};

struct member_options {
    struct loop *loop;
    struct redis_hub *hub;
    const char *cache;                 /* its name, for log lines */
    const struct cache_member *record; /* copied: name, address, ports, dir, program */
    const char *password;              /* of user redgrid */
    uint32_t hang_ms;                  /* caches.hang_ms */
    bool is_detached; /* caches.detach: the server outlives us; else it gets SIGTERM when we die */
    /* It ended, and nobody had asked it to: once per run that member_start() or member_adopt() had
     * ended well. All talks have ended or will with E_CLOSED. In it: member_start() yes,
     * member_free() yes, if no talk is under way. */
    void (*down)(void *ctx, struct member *member, const struct member_end *end);
    void *ctx;
};

/* member_new copies all it is given. Nothing is touched. member_free: no op of it may be under way;
 * a server that runs lives on when detached, else it is killed. NULL is fine. */
struct member *member_new(const struct member_options *options);
void member_free(struct member *member);

/* ---- life ---- */

/* member_start makes the folder (0700), takes its lock, empties it unless `keeps_files`, starts the
 * server with `config` (server_config_write(); copied) and waits until it answers PONG to user
 * redgrid; loading its files may take any time. If the lock is held by a server that lives, that
 * one is adopted instead: member_was_adopted(). Later: E_OK; E_CRASHED with its last words;
 * E_TIMEOUT: no word for hang_ms, it was killed; E_NOT_FOUND, E_DENIED: the program, named;
 * E_REDIS: it refuses our password, or the socket is another server's, and what was started was
 * killed; E_EXISTS: the lock is held by something that is no server of this folder; E_IO,
 * E_CANCELED (aborted: what was started was killed). */
void member_start(struct member *member, struct slice config, bool keeps_files, struct op *op);
/* member_adopt takes over the server that lives in the folder. Later: E_OK; E_NOT_FOUND: none does,
 * the lock is free. One that says nothing for hang_ms is killed, and so is what a dead server's
 * saving child left: E_NOT_FOUND then too. Else as member_start(). */
void member_adopt(struct member *member, struct op *op);
bool member_was_adopted(const struct member *member);

enum member_stop {
    STOP_DROP, /* SHUTDOWN NOSAVE NOW */
    STOP_SYNC, /* SHUTDOWN NOSAVE: replicas get all there is, an append-only file is synced */
    STOP_SAVE, /* SHUTDOWN SAVE: replicas get all there is, and a dump.rdb is written */
};
/* member_stop asks the server to end, kills its group after 10 s (STOP_SAVE: and 1 ms more for
 * every 10 KB that it holds), and waits until the lock is free. No `down` comes. Later: E_OK, also
 * when none was running; E_REDIS with its words: STOP_SAVE only, it could not save and runs on, as
 * before; E_TIMEOUT: the lock is still held. Aborted: it is killed now. Also ends a server that is
 * not adopted, by its pid file, so it may be called on a member that was just made. */
void member_stop(struct member *member, enum member_stop how, struct op *op);
/* member_kill kills the server's group at once; `down` comes as after any end. */
void member_kill(struct member *member);
/* member_remove_files removes the folder with all in it, on the pool, when no server has its lock.
 * Later: E_OK, also when it is not there; E_EXISTS: a server lives in it; E_IO, E_DENIED. */
void member_remove_files(struct member *member, struct op *op);

/* ---- what it is ---- */

bool member_is_up(const struct member *member); /* answers; from the start's end to `down` */
pid_t member_pid(const struct member *member);  /* 0 = does not run */
uint64_t member_start_time(const struct member *member); /* as /proc/PID/stat has it; 0 = none */
/* Of the last run, as INFO tells; 0 and "" before the first. The text is for people: "7.0.15",
 * "valkey 8.0.1"; the number is redis_version, of valkey the one it is compatible with. */
uint32_t member_version(const struct member *member); /* 0xMMmmpp */
const char *member_version_text(const struct member *member);
const struct cache_member *member_record(const struct member *member); /* our copy */
const char *member_name(const struct member *member);                  /* "orders/n1" */
/* member_redis: the client on its unix socket, as user redgrid. NULL while it is not up; closed
 * when it ends: ask anew each time. */
struct redis *member_redis(const struct member *member);

/* ---- talks: several commands, one write ---- */

struct member_command {
    const struct slice *args; /* copied */
    size_t count;
    uint32_t timeout_ms; /* 0 = hang_ms; for those that take long */
    bool may_fail;       /* an error of this one does not end the talk badly */
};
/* COMMAND(SLICE("CONFIG"), SLICE("SET"), ..) in an array of commands. */
#define COMMAND(...)                                                                               \
    {                                                                                              \
        .args = (const struct slice[]){__VA_ARGS__},                                               \
        .count = sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice)                \
    }

struct member_talk_call;
struct member_talk {
    struct op op; /* the owner sets done */
    struct member *member;
    struct member_talk_call *calls; /* private, as all below */
    size_t count, left;
    struct op ready;
    struct timer *limit;
    bool is_late, is_aborted;
    enum err err;
    struct cause why;
};

/* member_talk sends the commands in one write and ends when all are answered. Later: E_OK; E_REDIS
 * with the command and the words of the first that failed (all were sent); E_CLOSED; E_TIMEOUT: no
 * connection could be made in hang_ms. A zeroed talk is new; each talk drops the replies of the one
 * before. Its memory must stay until the end, also after an abort. */
void member_talk(struct member *member, const struct member_command *commands, size_t count,
                 struct member_talk *talk);
/* member_talk_reply: the answer to a command, valid until the talk is used again or done; NULL if
 * none came. */
const struct resp *member_talk_reply(const struct member_talk *talk, size_t index);
void member_talk_done(struct member_talk *talk); /* not under way; leaves zeroes */

/* A ROLE, out of a talk's reply. */
struct member_role {
    bool is_primary;
    bool is_connected; /* of a replica: its link is up */
    uint64_t offset;   /* of replication */
};
/* member_role_read: E_OK; E_BAD_WIRE if it is none. */
enum err member_role_read(const struct resp *reply, struct member_role *ret);

/* ---- talks that there are names for (caches.md 6.2; not of a cluster) ---- */

struct member_door {              /* where clients come in */
    const char *const *addresses; /* of the cache */
    size_t count;
    bool is_key_refused; /* user default stays off */
};
/* member_admit makes it a primary that clients reach: REPLICAOF NO ONE, the users, the addresses.
 */
void member_admit(struct member *member, const struct member_door *door, struct member_talk *talk);
/* member_shut takes the addresses away, then the users, then the connections, and asks for ROLE:
 * clients see a closed connection, or a refused one, nothing else. member_shut_offset is its
 * offset then, which does not grow any more; of a talk that ended with E_OK. */
void member_shut(struct member *member, struct member_talk *talk);
uint64_t member_shut_offset(const struct member_talk *talk);
/* member_follow makes it a replica. */
void member_follow(struct member *member, const char *address, uint16_t port,
                   struct member_talk *talk);

/* ---- how it is ---- */

#define MEMBER_REPLICAS_MAX 16
struct member_replica {
    char address[46];
    uint16_t port;
    bool is_online;
    uint64_t offset; /* that it has acknowledged */
};
struct member_info {
    bool is_primary, is_loading;
    uint64_t offset; /* of a primary master_repl_offset, of a replica slave_repl_offset */
    char replid[41]; /* master_replid */
    /* of a replica: */
    bool is_link_up, is_syncing;
    char primary_address[46];
    uint16_t primary_port;
    /* of a primary: */
    struct member_replica replicas[MEMBER_REPLICAS_MAX];
    size_t replica_count;
    uint64_t used_bytes, maxmemory_bytes, evicted_keys, keys, clients;
    bool is_saving;                            /* rdb_bgsave_in_progress */
    bool is_save_ok;                           /* rdb_last_bgsave_status */
    uint64_t saved_unix_s;                     /* rdb_last_save_time */
    bool has_aof, is_rewriting, is_rewrite_ok; /* aof_rewrite_in_progress or _scheduled */
    uint64_t flush_calls;                      /* cmdstat_flushall, of this run */
    bool is_cluster;
};
/* member_info asks once. Later: E_OK and *ret is set; else as a talk, and *ret is untouched. */
void member_info(struct member *member, struct member_info *ret, struct op *op);
/* member_info_read reads the text of an INFO. Pure. */
void member_info_read(struct slice text, struct member_info *ret);

/* member_sync waits until `replica` has all that `primary` had at the call, and more: not only is
 * its link up, a message sent after that has arrived (caches.md 4.2). Later: E_OK: it is in sync;
 * E_TIMEOUT after limit_ms, with how far it came; as a talk, the member named. */
void member_sync(struct member *replica, struct member *primary, uint64_t limit_ms, struct op *op);

#endif
