/* caches/spec.h - what a user said of a cache: the members of its `properties` (caches.md 3.1,
 * azure-api.md 7.2), and what follows from them on this host.
 * Rules: reading changes only the members that are there, so a PUT is read onto a fresh spec and a
 * PATCH onto a copy of the stored one; null changes nothing, except in `redisConfiguration`, which
 * is merged key by key. What only the server writes (provisioningState, hostName, instances, ..)
 * and members that nobody knows are passed over: clients send back what they were shown. Pure. */
#ifndef CACHES_SPEC_H
#define CACHES_SPEC_H

#include "caches/config.h"
#include "caches/tier.h"

#define CACHE_NAME_MAX 63
#define CACHE_SHARDS_MAX 10
#define CACHE_KEPT_MAX_BYTES 16384 /* of each member that is stored and returned, no more */

/* Members without an effect here. */
enum cache_kept {
    KEPT_UPDATE_CHANNEL,
    KEPT_NETWORK_ACCESS,
    KEPT_TENANT_SETTINGS,
    KEPT_ZONES,
    KEPT_IDENTITY,
    KEPT_SUBNET,
    KEPT_STATIC_IP,
    KEPT_ZONE_POLICY,
    CACHE_KEPT
};

struct cache_spec {
    bool has_sku; /* else tier and capacity say nothing yet */
    enum cache_tier tier;
    uint32_t capacity;
    uint32_t shards;      /* 1..CACHE_SHARDS_MAX; 0 = no cluster */
    uint32_t replicas;    /* of each shard; 0 = as many as the tier has */
    uint32_t tls_minimum; /* 10, 11, 12; 0 = not said */
    bool has_plain_port;  /* enableNonSslPort */
    bool is_key_refused;  /* disableAccessKeyAuthentication */
    struct cache_config config;
    char *kept[CACHE_KEPT]; /* JSON; NULL = not said */
};

/* The settings of this server that count here (caches.md 2). */
struct cache_host {
    const char *const *addresses; /* caches.address: for clients, 1 at least; IP addresses */
    size_t address_count;
    uint64_t memory_max_bytes; /* caches.max_memory, of one server; 0 = none */
    uint64_t files_max;        /* RLIMIT_NOFILE of a server; 0 = not known */
    bool has_tls;              /* caches.tls is on, and the server program can do it */
};
bool cache_host_is_loopback(
    const struct cache_host *host); /* do all addresses stay on the machine? */

/* cache_name_check: E_OK, or E_BAD_INPUT with the rule that is broken in `why`. */
enum err cache_name_check(struct slice name, struct cause *why);

/* cache_spec_init makes one with the defaults of a host. */
void cache_spec_init(struct cache_spec *spec, const struct cache_host *host);
void cache_spec_done(struct cache_spec *spec);                              /* leaves zeroes */
void cache_spec_copy(struct cache_spec *to, const struct cache_spec *from); /* `to` is new */

/* cache_spec_read reads the object `properties` of a request. E_OK; or E_BAD_INPUT, E_LIMIT with
 * `properties.sku.capacity: ...` in `why`: then throw the spec away, part of it may be changed.
 * cache_spec_read_stored reads, onto a zeroed spec, what cache_spec_write_stored() of any version
 * wrote: members are not checked against each other, nor against the host. */
enum err cache_spec_read(struct cache_spec *spec, const struct cache_host *host,
                         struct slice properties, struct cause *why);
enum err cache_spec_read_stored(struct cache_spec *spec, struct slice properties,
                                struct cause *why);
/* cache_spec_audit notes all that is wrong with the `properties` of a PUT; paths begin below. */
void cache_spec_audit(const struct cache_host *host, struct slice properties,
                      struct jx_audit *audit);
/* cache_spec_warning: is something in it allowed, but hardly meant? Then `ret` says what. */
bool cache_spec_warning(const struct cache_spec *spec, struct cause *ret);

/* cache_spec_keep: a PUT on a cache that is there takes from `old` what it does not say and only a
 * creation decides: the port, and the number of databases. */
void cache_spec_keep(struct cache_spec *spec, const struct cache_spec *old);

/* What follows from a spec on a host, for each server. */
struct cache_numbers {
    uint64_t memory_bytes;   /* of the size, before reserves and limits */
    uint64_t reserved_bytes; /* what the user reserved of it */
    uint64_t maxmemory_bytes;
    uint64_t backlog_bytes; /* of the replication */
    uint32_t clients_max, databases;
    uint32_t shards;   /* 1 at least */
    uint32_t replicas; /* of each shard */
    uint32_t servers;  /* of the cache */
};
/* cache_spec_numbers: of a spec that has a sku. */
struct cache_numbers cache_spec_numbers(const struct cache_spec *spec,
                                        const struct cache_host *host);
bool cache_spec_has_rdb(const struct cache_spec *spec);
bool cache_spec_has_aof(const struct cache_spec *spec);

/* cache_spec_write appends the members of `properties` that an API shows, without braces, since
 * the answer has some of its own; cache_spec_write_stored an object with the secrets. */
void cache_spec_write(struct buf *out, const struct cache_spec *spec,
                      const struct cache_host *host);
void cache_spec_write_stored(struct buf *out, const struct cache_spec *spec);

#endif
