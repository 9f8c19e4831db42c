/* apps/trigger_json.h - one binding of function.json: a trigger, or a redis command.
 * Rules: inner to the app loader; pure. Mistakes go to the view, doubts to function->warnings. To
 * add a property: a row in one of the tables of trigger_json.c. */
#ifndef APPS_TRIGGER_JSON_H
#define APPS_TRIGGER_JSON_H

#include "apps/app.h"
#include "apps/host_json.h"
#include "json/json.h"

/* trigger_type_of knows the types of triggers and their old names, in any case. */
enum trigger_type trigger_type_of(struct slice type);

/* trigger_defaults sets what holds when neither binding nor host.json speak. */
void trigger_defaults(struct trigger *ret);
/* trigger_options_read reads redgrid's own properties, which host.json may hold too. */
void trigger_options_read(struct jx_view *view, struct trigger *ret, bool *ret_has_payload);

/* trigger_read fills function->trigger from a binding. */
void trigger_read(struct function *function, const struct host_json *host, enum trigger_type type,
                  struct jx_view *view);
void trigger_done(struct trigger *trigger);

/* redis_binding_read fills *ret from a binding of type redis; redis_binding_done ends it. */
void redis_binding_read(struct function *function, struct jx_view *view, enum direction direction,
                        struct redis_binding *ret);
void redis_binding_done(struct redis_binding *binding);

#endif
