/* apps/command.h - the Redis commands that input and output bindings ask for, as arguments.
 * Rules: pure; the list owns all its bytes and is made to be used again for the next run.
 * Behaviour: functions.md 13 of the specification. */
#ifndef APPS_COMMAND_H
#define APPS_COMMAND_H

#include "base/buf.h"
#include "wire/rpc_data.h"

struct command {
    const struct slice *args; /* the command's name first */
    size_t arg_count;
};

struct command_list {
    size_t count;
    /* Inner. */
    struct buf text;
    struct slice *args;
    size_t arg_count, arg_cap;
    size_t *ends; /* of each command, in args */
    size_t end_cap;
};

/* All commands together take at most max_bytes. */
void command_list_init(struct command_list *list, size_t max_bytes);
void command_list_done(struct command_list *list);
void command_list_clear(struct command_list *list); /* keeps the memory */

/* command_list_get: `index` < count. Stale after the next add or clear. */
struct command command_list_get(const struct command_list *list, size_t index);

/* command_is_input: may an input binding run this command (first word of its template)? Any case.
 */
bool command_is_input(struct slice word);

/* command_add_input adds the command of an input binding. The template is split at single spaces
 * before {names} are replaced, so that a value with spaces stays one argument. E_OK; E_UNSUPPORTED
 * "Command 'x' not supported for Redis Input Binding."; E_NOT_FOUND, E_LIMIT. */
enum err command_add_input(struct command_list *list, struct slice template,
                           const struct rpc_named *metadata, size_t count, struct cause *why);

/* command_add_output adds what a function gave out: one command per element of an array (also of a
 * text that is a JSON array), else one; none for no value. Each value is split at single spaces
 * into the arguments of `command`; an empty one has none. E_OK, E_LIMIT. */
enum err command_add_output(struct command_list *list, struct slice command,
                            const struct rpc_data *value, struct cause *why);

#endif
