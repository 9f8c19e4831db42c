/* functions/binding.h - the redis bindings of a function, besides its trigger: commands run before
 * it and after it. Behaviour: functions.md 13 of the specification. */
#ifndef FUNCTIONS_BINDING_H
#define FUNCTIONS_BINDING_H

#include "apps/app.h"
#include "loop/op.h"
#include "redis/client.h"
#include "wire/rpc_data.h"

struct binding_set;  /* the connections of one function's bindings */
struct binding_call; /* the input values of one delivery, and its output commands */

/* binding_set_new: E_OK with *ret NULL if the function has no such binding; E_BAD_INPUT,
 * E_UNSUPPORTED with the binding named. `fallback` is used for names that no setting explains; may
 * be NULL. */
enum err binding_set_new(struct redis_hub *hub, const struct function *function,
                         const char *fallback, struct binding_set **ret, struct cause *why);
void binding_set_free(struct binding_set *set); /* NULL is fine; no call may be under way */
bool binding_set_has_inputs(const struct binding_set *set);
bool binding_set_has_outputs(const struct binding_set *set);

/* binding_read runs the input commands with expressions filled from the metadata. Later E_OK; or
 * the first error, with the binding named. */
struct binding_call *binding_call_new(struct binding_set *set);
enum err binding_read(struct binding_call *call, const struct rpc_named *metadata, size_t count,
                      struct op *op);
/* binding_inputs: the values read, in the order of the bindings; borrowed from the call until its
 * next use. */
size_t binding_inputs(const struct binding_call *call, const struct rpc_named **ret);
/* binding_write runs the commands that the function's outputs ask for, in order. Now E_EMPTY: they
 * ask for none; or an error. Later E_OK; or the first error. */
enum err binding_write(struct binding_call *call, const struct rpc_named *outputs, size_t count,
                       const struct rpc_data *return_value, struct op *op);
void binding_call_free(struct binding_call *call); /* NULL is fine; not while an op is under way */

#endif
