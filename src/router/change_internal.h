/* router/change_internal.h - what change.c and proposal.c share. */
#ifndef ROUTER_CHANGE_INTERNAL_H
#define ROUTER_CHANGE_INTERNAL_H

#include "router/change.h"

#define DOCUMENT_MAX_BYTES RESOURCE_MAX_BYTES

struct changes {
    struct changes_options options;
    struct list list; /* struct change, under way */
    size_t count;
    struct change *chore; /* a removal that nobody here asked for; NULL = none */
    struct timer *timer;  /* to look for such */
    bool has_unfinished;  /* there may be one that somebody began */
    bool is_stopping;
};

enum change_state { VALIDATE, WRITE, MEMBERS, NOTIFY, EMPTY, FORGET, DONE };

/* change_document is what the store has of it now; SLICE_NONE: nothing. */
struct slice change_document(const struct change *change);
/* change_init checks that it may begin now; an error: nothing is to be undone. */
enum err change_init(struct changes *changes, struct slice id, struct change *change);
/* change_begin sets it going; change_drop gives it up before that, and returns `err`. */
void change_begin(struct change *change, enum change_state state);
enum err change_drop(struct change *change, enum err err);

/* proposal_validate starts the handshake; proposal_settle writes the document by its result: E_OK,
 * and change->result is what the change ends with once it is written; else it ends with that now.
 */
void proposal_validate(struct change *change, struct op *op);
enum err proposal_settle(struct change *change);
void proposal_free(struct proposal *proposal);

/* quota_topic and quota_subscription: may one more be made? E_OK, also when it is there already; or
 * E_FULL. */
enum err quota_topic(struct change *change);
enum err quota_subscription(struct change *change, const struct scope *scope);

#endif
