/* apps/expression.h - `{Key}`, `{Id}`, `{Values.field}`, `{property}` in the commands of redis
 * bindings, read from a run's metadata.
 * Pure: callable anywhere. Behaviour: functions.md 6 and 13 of the specification. */
#ifndef APPS_EXPRESSION_H
#define APPS_EXPRESSION_H

#include "base/buf.h"
#include "wire/rpc_data.h"

/* expression_add appends `text` with every {name} replaced by its value: a metadata entry of that
 * name in any case, or a member of one that is JSON, as {Values.a.b}. A '{' without '}' stays.
 * E_OK; E_NOT_FOUND with the name in why; E_LIMIT. */
enum err expression_add(struct buf *out, struct slice text, const struct rpc_named *metadata,
                        size_t count, struct cause *why);

#endif
