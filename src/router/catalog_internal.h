/* router/catalog_internal.h - what catalog.c and active.c share. */
#ifndef ROUTER_CATALOG_INTERNAL_H
#define ROUTER_CATALOG_INTERNAL_H

#include "router/catalog.h"

struct catalog {
    struct catalog_options options;
    struct map scopes;   /* lower-case id -> struct scope */
    struct map topics;   /* lower-case name -> struct scope */
    struct map queues;   /* id -> struct active, not the retired */
    struct list retired; /* struct active */
    struct map ending;   /* queue -> how many of the retired subscribers still work on it, as a
                            number in the pointer */
    struct list pulls;   /* struct active, in queue mode */
    size_t pull_count;
    struct waits waits;
    struct op *stopped;
};

/* catalog_account is where dead letters of the subscription are to go; NULL: nobody has named it.
 */
const struct blob_account *catalog_account(const struct catalog *catalog,
                                           const struct subscription *subscription);

/* member_activate sets a subscription to work, if its document and its topic allow it;
 * member_deactivate retires what works, if anything does. */
void member_activate(struct member *member);
void member_deactivate(struct member *member);
/* active_wake_here is active_wake(), for this node alone. */
void active_wake_here(struct active *active);

#endif
