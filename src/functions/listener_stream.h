/* functions/listener_stream.h - the parts of the stream listener, for its own files alone.
 * listener_stream.c reads new entries; stream_entry.c runs, acknowledges and dead-letters them;
 * stream_tender.c keeps what runs alive and takes over what others left. */
#ifndef FUNCTIONS_LISTENER_STREAM_H
#define FUNCTIONS_LISTENER_STREAM_H

#include "functions/acks.h"
#include "functions/scale.h"
#include "loop/loop.h"

#define STREAM_ID_MAX_BYTES 44

struct stream_listener;

struct stream_id_text {
    char text[STREAM_ID_MAX_BYTES];
    uint32_t len;
};

/* One delivery: an entry, or a batch of them. */
struct stream_entry {
    struct job job; /* its node is in acks or spare when it is in no slot */
    struct stream_listener *listener;
    struct stream_id_text first;
    struct stream_id_text *ids; /* &first, or an array for a batch */
    uint64_t deliveries;
    struct redis_call call; /* of the dead letter */
    struct cause why;
};

struct stream_listener {
    struct listener base;
    struct redis *reader; /* the connection that blocks */
    struct slice *keys;
    struct slice group, consumer;

    /* Reading (listener_stream.c). */
    int state;
    struct redis_call read;
    struct op wait; /* for the connection, or the back-off */
    struct timer *timer;
    size_t group_at;           /* key whose group is being made */
    bool is_recreating;        /* the group was lost: begin at 0 whatever startFrom says */
    bool had_groups;           /* every key's was there once: a missing one is a lost one */
    bool is_unsure;            /* the server was too full to say whether the groups are there */
    uint64_t next_read_ms;     /* polling by the clock: not before; 0 = at once */
    size_t page_max;           /* entries that one answer can hold, as far as we have learned */
    size_t asked;              /* COUNT of the last read: so many of each key */
    uint64_t read_at_ms;       /* when it was sent */
    struct stream_id *read_to; /* by key: the newest entry that was read */
    bool is_by_key;            /* one entry of every key is too much: until all were empty, */
    size_t read_key;           /* one key after the other is read, */
    size_t empty_keys;         /* and so many in a row had nothing */
    struct turn turn;          /* read on and acknowledge, once a turn */

    /* Entries (stream_entry.c). */
    struct slots slots;
    struct acks acks;
    struct list spare;
    size_t settling; /* dead letters under way */

    /* Tending (stream_tender.c). */
    struct stream_tender *tender;
    bool has_claims; /* something waits to be claimed: goes ahead of reading */
};

/* stream_take starts (or queues) every entry of an XREADGROUP or XCLAIM answer: nodes of [id,
 * fields]. deliveries[i] is the counter of the i-th, or NULL for 1. Entries that were deleted (nil)
 * are skipped. */
void stream_take(struct stream_listener *s, size_t key, const struct resp *entries,
                 const uint64_t *deliveries);
/* stream_holds: is this entry of ours under way? */
bool stream_holds(const struct stream_listener *s, size_t key, struct slice id);
/* stream_is_coming: may this entry of ours, idle for so long, be in an answer that is on its way?
 */
bool stream_is_coming(const struct stream_listener *s, size_t key, struct slice id,
                      uint64_t idle_ms);
/* stream_turn asks for the turn's end, when reading goes on and acknowledgements leave. */
void stream_turn(struct stream_listener *s);
/* stream_bury writes an entry that was not run to the dead letters. */
void stream_bury(struct stream_listener *s, size_t key, struct slice id, uint64_t deliveries,
                 const char *error);
void stream_init_entries(struct stream_listener *s);
void stream_free_entries(struct stream_listener *s);
/* stream_maybe_stopped goes on with the stop when nothing is under way any more. */
void stream_maybe_stopped(struct stream_listener *s);

struct stream_tender *tender_new(struct stream_listener *s);
/* tender_hurry looks at once: at the start, when a node died; tender_at after some time: when an
 * entry failed. */
void tender_hurry(struct stream_tender *t);
void tender_at(struct stream_tender *t, uint64_t ms);
/* tender_leave ends tending and removes our consumer if it holds nothing; the op ends when that is
 * done. */
void tender_leave(struct stream_tender *t, struct op *op);
void tender_free(struct stream_tender *t);

#endif
