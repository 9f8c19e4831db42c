/* functions/arrivals.h - the target of all functions: events that the router wants them to have.
 *
 *   deliver() --> waits --its function can take it--> runs --> delivered, or failed
 *                   |  ^-------its app stopped or paused---'
 *                   |---there is none that works---> failed
 *                   `---too long, while its app starts or is read again--> failed
 *
 * Rules: which function is meant is looked up for each attempt, so that functions may come, go and
 * come back. What waits here is bounded by the router: a subscription has so many under way. */
#ifndef FUNCTIONS_ARRIVALS_H
#define FUNCTIONS_ARRIVALS_H

#include "functions/listener_event.h"

#define ARRIVALS_PATIENCE_MS 30000

struct arrivals;

enum arrival_place {
    ARRIVAL_NOWHERE, /* there is no function of that name that takes events */
    ARRIVAL_UNFIT,   /* there is one, but it is disabled or in error */
    ARRIVAL_LATER,   /* there is one, or may be: its app is about to start or to be read */
    ARRIVAL_NOW,
};

struct arrivals_options {
    struct loop *loop;
    /* find tells where the events of a function go; with ARRIVAL_NOW to *ret. */
    enum arrival_place (*find)(void *ctx, struct slice app, struct slice function,
                               struct listener **ret);
    /* write_names appends the functions that take events: "app/function, app/other". */
    void (*write_names)(void *ctx, struct buf *out);
    void *ctx;
    uint32_t patience_ms; /* 0 = ARRIVALS_PATIENCE_MS */
};

struct arrivals *arrivals_new(const struct arrivals_options *options);
/* arrivals_target delivers to destinations of kind function; lives as long as the arrivals. */
struct target *arrivals_target(struct arrivals *arrivals);
/* arrivals_look: an app has started, or is gone: what waits is placed anew, at the end of the turn.
 */
void arrivals_look(struct arrivals *arrivals);
/* arrivals_end: no function takes anything any more. What waits, and what still comes, ends with
 * E_CANCELED in the next turn: the router keeps it. */
void arrivals_end(struct arrivals *arrivals);
void arrivals_free(struct arrivals *arrivals); /* nothing may be under way; NULL is fine */

/* function_id_parse finds APP and NAME in ".../providers/Microsoft.Web/sites/APP/functions/NAME",
 * in any case. False if it is no such id. Pure. */
bool function_id_parse(struct slice id, struct slice *ret_app, struct slice *ret_function);

#endif
