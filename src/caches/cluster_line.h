/* caches/cluster_line.h - what a server of a cluster says of the others and of itself: the answer
 * to CLUSTER NODES, line by line. Pure. Source: the documentation of CLUSTER NODES of Redis. */
#ifndef CACHES_CLUSTER_LINE_H
#define CACHES_CLUSTER_LINE_H

#include "base/str.h"

#define CLUSTER_ID_BYTES 41 /* of a server's name in its cluster, 40 digits, and a NUL */

struct cluster_line {
    struct slice id;
    uint16_t bus_port;
    bool is_self; /* who answers */
    bool is_replica;
    bool is_met;          /* no handshake any more, and its address is known */
    bool is_failing;      /* said to be, or suspected */
    bool is_connected;    /* of oneself always */
    struct slice primary; /* id; of a replica */
    uint64_t epoch;       /* of its configuration */
    struct slice slots;   /* for cluster_slots_next() */
};
/* cluster_line_next takes the next line off `*text`; one that is none is passed over. False at the
 * end. */
bool cluster_line_next(struct slice *text, struct cluster_line *ret);

enum cluster_slots_kind { SLOTS_OWNED, SLOTS_MIGRATING, SLOTS_IMPORTING };
struct cluster_slots {
    enum cluster_slots_kind kind;
    uint16_t first, last; /* the same, unless owned */
    struct slice other;   /* id of where to, or where from */
};
bool cluster_slots_next(struct slice *slots, struct cluster_slots *ret);
size_t cluster_slots_count(struct slice slots); /* owned ones */

#endif
