/* redis/server.h - what the connections to one server share: its name, its TLS side, and whether it
 * is known to be down; private to this folder.
 * Rules: an outage has one line when it begins and one when it ends, whoever notices. A connection
 * that notices late, after the server was restored, tells nothing new: `generation` shows it. */
#ifndef REDIS_SERVER_H
#define REDIS_SERVER_H

#include "redis/client.h"

#define SERVER_NAME_MAX_BYTES 300

struct tls;

struct redis_server {
    struct list_node node; /* in the hub */
    uint32_t refs;
    struct redis_options *options;
    char name[SERVER_NAME_MAX_BYTES];
    struct tls *tls;
    uint64_t generation;  /* grows when an outage ends */
    uint64_t down_at_ms;  /* monotonic; valid while is_down, as is: */
    struct cause trouble; /* what the last attempt failed with */
    bool is_down;
    bool is_denied;          /* the refusal was logged in this outage */
    bool was_up;             /* has ever been */
    bool is_without_scripts; /* that has been told */
    bool wants_primary;      /* a replica refused a write: until there is a primary, none will do */
    struct series *up_series, *reconnects_series; /* NULL = nobody counts */
};

/* server_new makes it; hub.c shares it by options. metrics may be NULL. */
struct redis_server *server_new(struct redis_options *options, struct metrics *metrics);
void server_free(struct redis_server *server);

/* server_tls gives the TLS side, or NULL if there is none; E_TLS and the like: its files are bad.
 */
enum err server_tls(struct redis_server *server, const struct tls **ret, struct cause *why);

/* A connection of `generation` was lost, or could not be made. */
void server_lost(struct redis_server *server, uint64_t generation, enum err err,
                 const struct cause *why);
/* A connection was made; is_again: not its first. */
void server_restored(struct redis_server *server, bool is_again);

#endif
