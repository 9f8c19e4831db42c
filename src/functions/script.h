/* functions/script.h - one step at the server: a Lua script, or where the server refuses us scripts
 * (ACL, rename-command, connection string) a program of plain commands.
 * Rules: a script is atomic. A program is not: it runs in rounds, each a pipeline of commands, and
 * may end between any two commands. So it writes to the new place before it removes from the old
 * one: then a crash, or another node in between, can repeat but not lose. Only this file knows
 * which of the two is used.
 * To add a step: its Lua and its program, with the same KEYS, ARGV and answer. */
#ifndef FUNCTIONS_SCRIPT_H
#define FUNCTIONS_SCRIPT_H

#include "base/arena.h"
#include "redis/client.h"

struct plain;

struct script {
    const char *lua;
    /* Called at first, and after each round that had no error: looks at the replies, and asks for
     * the next round or ends. NULL: this is not done without scripts. */
    void (*plain)(struct plain *p);
};

/* script_call takes the step; `keys` and `args` as redis_call() takes its arguments. Ends as
 * redis_call() does; E_UNSUPPORTED (now or later, with the reason) where it cannot be done without
 * scripts. The reply of a program cannot be kept (reply_ref). */
enum err script_call(struct redis *redis, const struct script *script, const struct slice *keys,
                     size_t key_count, const struct slice *args, size_t arg_count,
                     struct redis_call *call);

/* --- for programs --- */

struct plain {
    struct redis *redis;
    const struct slice *keys, *args; /* copies, for as long as the program lasts */
    size_t key_count, arg_count;
    int state;         /* the program's own; 0 at first */
    void *own;         /* the same: plain_memory(); NULL at first */
    bool takes_errors; /* the next round's error replies are the program's to judge */

    /* Below: script.c's. */
    const struct script *script;
    struct redis_call *call;
    struct arena memory;
    struct reply **replies; /* NULL = none came */
    size_t reply_count, reply_cap, round_at, round_end;
    size_t pending;
    enum err err;
    struct cause why;
    const struct resp *root;
};

/* plain_ask adds a command to the next round. */
void plain_ask(struct plain *p, const struct slice *args, size_t count);
#define PLAIN_ASK(p, ...)                                                                          \
    plain_ask(p, (const struct slice[]){__VA_ARGS__},                                              \
              sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice))
/* plain_reply: what the last round's i-th command got; valid until plain_forget(), or the end. */
const struct resp *plain_reply(const struct plain *p, size_t index);
/* plain_forget gives the memory of all replies back. */
void plain_forget(struct plain *p);
/* plain_memory gives zeroed memory for as long as the program lasts. */
void *plain_memory(struct plain *p, size_t count, size_t size);
/* plain_number and plain_digest write a number, and the SHA-1 of a text as Redis' Lua gives it. */
struct slice plain_number(struct plain *p, int64_t number);
struct slice plain_digest(struct plain *p, struct slice text);
/* plain_int and plain_int_of_text: 0 if it is no integer. plain_now_ms reads the reply to TIME. */
int64_t plain_int(const struct resp *node);
int64_t plain_int_of_text(struct slice text);
int64_t plain_now_ms(const struct resp *time);
/* Nodes to make an answer of; the children of the array have none below them. */
struct resp plain_int_node(int64_t number);
struct resp plain_array_node(size_t count);

/* The end: with an integer, with a reply (of this program, or made in its memory; an error ends it
 * with E_REDIS), or with an error of our own. What was asked for before it is still waited for, and
 * its errors do not matter. */
void plain_end(struct plain *p, int64_t number);
void plain_end_with(struct plain *p, const struct resp *root);
void plain_fail(struct plain *p, enum err err, const char *text);

#endif
