/* router/document.h - the documents of topics and subscriptions: how they are written, and what
 * they say apart from settings (catalog.h shows them whole). Pure.
 *
 *   state Succeeded             in force
 *         AwaitingManualAction  its endpoint is to be confirmed by hand: `waiting`
 *         Failed                its endpoint did not pass its handshake
 *         Deleting              to be removed by whoever finds it
 *
 *   waiting {"code":"<guid>","token":"<guid>","until":<ms>,"properties":{..}}
 *         A change of the endpoint that waits has the properties in here, those in force stay. */
#ifndef ROUTER_DOCUMENT_H
#define ROUTER_DOCUMENT_H

#include "event/topic.h"
#include "router/labels.h"

#define STATE_SUCCEEDED "Succeeded"
#define STATE_AWAITING "AwaitingManualAction"
#define STATE_FAILED "Failed"
#define STATE_DELETING "Deleting"

/* document_text is the text of a member, for free(); NULL if there is none. */
char *document_text(struct slice document, const char *member);
/* document_is: is its state this one? */
bool document_is(struct slice document, const char *state);
/* document_state is the state as a client sees it at that time. Never NULL. */
const char *document_state(struct slice document, uint64_t now_unix_ms);

/* document_latest is the properties that were asked for last: those that wait for the endpoint to
 * be confirmed, while it may be, before those in force. */
struct slice document_latest(struct slice document, uint64_t now_unix_ms);

/* Who may confirm, until when. */
struct waiting {
    struct slice code, token;
    uint64_t until_unix_ms;
};
/* document_waiting reads it; false: nothing waits. The slices point into the document. */
bool document_waiting(struct slice document, struct waiting *ret);

void document_write_topic(struct buf *out, const struct topic *topic, const struct labels *labels);

struct member_draft {
    struct slice name, id, queue;
    const char *state;
    struct slice properties;       /* JSON, as subscription_write_stored() writes it */
    const struct waiting *waiting; /* NULL = nothing waits */
    struct slice later;            /* properties that wait; SLICE_NONE */
};
void document_write_member(struct buf *out, const struct member_draft *draft);
/* document_write_confirmed writes the document with what waited in force, document_write_deleting
 * with another state only. */
void document_write_confirmed(struct buf *out, struct slice document);
void document_write_deleting(struct buf *out, struct slice document);

#endif
