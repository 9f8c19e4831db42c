/* router/declaration.h - topics and subscriptions as somebody declares that they shall be: what is
 * wrong with that, what it would change, and the change.
 *
 *   declaration_new() --> .audit says what is wrong, .items what would change
 *                     --> declaration_apply() --> .items say what was done
 *
 * The text: {"topics":[{"name":"orders","inputSchema":..}],
 *            "subscriptions":[{"name":"billing","topic":"orders","destination":..}]}
 * Members are those of `properties` in requests. In the place of `topic`, `sourceResourceId` has
 * the id of what a subscription belongs to. Rules: nothing is changed while anything is wrong. What
 * is not said is default, what is as it shall be is left alone, and one change that fails does not
 * stop the others. What is not named stays, unless it is asked to prune: then subscriptions go that
 * belong to a topic that is named, and are not named themselves. Topics never go. */
#ifndef ROUTER_DECLARATION_H
#define ROUTER_DECLARATION_H

#include "router/router.h"
#include "json/audit.h"

#define DECLARED_MAX 2000 /* topics and subscriptions in one text */

/* step, its name */
#define DECLARED_STEPS(X)                                                                          \
    X(DECLARED_STAYS, "none")                                                                      \
    X(DECLARED_CREATE, "create")                                                                   \
    X(DECLARED_CHANGE, "change")                                                                   \
    X(DECLARED_ASK, "ask") /* as declared, but its endpoint must be asked again */                 \
    X(DECLARED_REMOVE, "remove")

#define DECLARED_ENUM(step, name) step,
enum declared_step { DECLARED_STEPS(DECLARED_ENUM) DECLARED_STEP_COUNT };
#undef DECLARED_ENUM

/* One topic or subscription. */
struct declared {
    bool is_topic;
    char path[32];           /* "topics[2]"; "" = not declared, it shall go */
    char *name;              /* NULL: a mistake */
    char *topic_name;        /* of a subscription */
    char *scope;             /* resource id of the topic */
    struct slice properties; /* into the text */
    struct topic topic;      /* of one that is a topic, without a mistake */
    enum declared_step step;
    struct buf members; /* of a change: [{"path":"a.b","before":1,"after":2}], secrets hidden */
    enum err err;       /* how it ended */
    struct cause why;
};

struct declaration {
    struct router *router;
    char *text, *url;
    struct declared *items; /* topics first */
    size_t count, room;
    struct jx_audit audit; /* paths from the text's top on: "subscriptions[3].filter" */
    size_t next, under_way;
    struct op *applied;
};

/* declaration_new reads it and finds out what it would change. Nothing is changed. */
struct declaration *declaration_new(struct router *router, struct slice text, bool is_pruning);
void declaration_free(struct declaration *declaration); /* NULL is fine; not while it is applied */

/* declaration_apply makes the changes; only if nothing is wrong. `url` is this server's, as the
 * endpoints can reach it. The op ends with E_OK when all changes have ended, well or not. */
void declaration_apply(struct declaration *declaration, struct slice url, struct op *op);

/* declared_write appends {"type":"subscription","name":..,"topic":..,"path":..,"step":"change",
 * "members":[..],"state":"Succeeded","error":".."}: the members as they apply. */
void declared_write(struct buf *out, const struct declaration *declaration,
                    const struct declared *item);
const char *declared_step_name(enum declared_step step);

#endif
