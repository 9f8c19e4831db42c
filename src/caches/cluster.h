/* caches/cluster.h - the servers of a cache as one cluster: to look at them, and to make of them
 * one that knows all its members and no others (caches.md 8).
 * Rules: the servers' own files (nodes.conf) are the truth of roles and slots, so whatever is done
 * begins with a look, and does what is missing: each of these may be cut short anywhere and begun
 * again. A server is known to the others by its id, and to us by the port of its bus, which it
 * keeps for its life. Only we promote (takeover.h). */
#ifndef CACHES_CLUSTER_H
#define CACHES_CLUSTER_H

#include "caches/cluster_line.h"
#include "caches/commands.h"
#include "caches/member.h"
#include "caches/slots.h"
#include "loop/routine.h"

#define CLUSTER_MEMBERS_MAX ROUTINE_WAITS_MAX
#define CLUSTER_SHARD_ID_MAX 255

struct cluster_member {
    struct member *member; /* borrowed; must be up */
    uint32_t shard;
    bool is_primary; /* of its shard, as the record has it */

    /* The rest is what the last look saw; an empty id: nothing yet. */
    char id[CLUSTER_ID_BYTES];
    char follows[CLUSTER_ID_BYTES]; /* of a replica, else empty */
    bool is_replica;
    bool is_ok;      /* cluster_state:ok */
    uint64_t epoch;  /* of its configuration */
    size_t slots;    /* how many it says to have itself */
    bool has_others; /* it knows another server than itself */
};

struct cluster {
    struct loop *loop;
    const char *address;  /* that all of them announce; borrowed, as is: */
    const char *password; /* of user redgrid */
    bool is_tls;          /* they speak TLS with each other, to the TLS ports */
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    size_t count;
};

/* cluster_add adds a member; false if there are as many as may be. */
bool cluster_add(struct cluster *cluster, struct member *member, uint32_t shard, bool is_primary);
/* Finding, NULL if there is none. cluster_primary is what the record says; cluster_master is what
 * the last look saw: of a shard the one that has slots, of two the one with the higher epoch, and
 * of a shard without slots the record's, if it is none's replica. */
struct cluster_member *cluster_find(struct cluster *cluster, const struct member *member);
struct cluster_member *cluster_primary(struct cluster *cluster, uint32_t shard);
struct cluster_member *cluster_master(struct cluster *cluster, uint32_t shard);
uint16_t cluster_port(const struct cluster *cluster, const struct cluster_member *member);

/* ---- to look ---- */

/* It is large: belongs on the heap, and zeroed before its first use. */
struct cluster_look {
    struct routine routine;
    struct cluster *cluster;
    struct member_talk talks[CLUSTER_MEMBERS_MAX];
};
/* cluster_look asks all members at once, and sets what was seen of each. Later: E_OK; E_BAD_WIRE:
 * one is not of a cluster; else as a talk, with the member named: then nothing is set. */
void cluster_look(struct cluster *cluster, struct cluster_look *look);
void cluster_look_done(struct cluster_look *look); /* not under way; leaves zeroes */
/* cluster_look_lines is the answer of a member (its place in the cluster) to the last look, for
 * cluster_line_next(). */
struct slice cluster_look_lines(const struct cluster_look *look, size_t member);
/* cluster_look_slots is who says of itself to have each slot; of two the one with the higher epoch.
 */
void cluster_look_slots(const struct cluster_look *look, struct slot_map *ret);

/* ---- to make ---- */

/* As a look. */
struct cluster_form {
    struct routine routine;
    struct cluster *cluster;
    const struct slot_map *first;
    uint64_t end_at_ms, meet_at_ms, limit_ms;
    struct cluster_look look;
    struct commands commands[CLUSTER_MEMBERS_MAX];
    struct member_talk talks[CLUSTER_MEMBERS_MAX];
    struct op syncs[CLUSTER_MEMBERS_MAX];
    struct timer *nap;
    struct op op;
    struct cause missing; /* what it waits for */
};
/* cluster_form makes one cluster of all members, and of no others: they get slots that nobody has,
 * after `first` (borrowed; NULL: none), meet, follow their shard's primary, forget who is none of
 * them; and it waits until each knows all, agrees with the record, and is ready for clients, and
 * each replica is in sync. So it forms, and it grows, and after slots were moved off it shrinks; a
 * server that still has slots is not forgotten. Later: E_OK; E_TIMEOUT after limit_ms, with what
 * was missing; else as a look. */
void cluster_form(struct cluster *cluster, const struct slot_map *first, uint64_t limit_ms,
                  struct cluster_form *form);
void cluster_form_done(struct cluster_form *form); /* not under way; leaves zeroes */

#endif
