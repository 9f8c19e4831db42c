/* caches/server_config.h - the configuration of one server of a cache, as it reads it from stdin
 * (caches.md 4.1). It stands in no file: the record is what is true, and it is rendered anew at
 * each start.
 * Rules: a server starts closed, that is on its own address, with the clients' user off; those of a
 * cluster start with it on, since there owning slots is what opens. Passwords are hashes, except
 * the one that a replica must say. Paths are relative to the server's folder. Pure. */
#ifndef CACHES_SERVER_CONFIG_H
#define CACHES_SERVER_CONFIG_H

#include "caches/spec.h"
#include "caches/state.h"

#define SERVER_CONFIG_MAX_BYTES (64u * 1024)
#define SERVER_SOCKET "s" /* within its folder, where also `log` and `pid` are */

/* What clients may do (caches.md 3.4), for ACL SETUSER. */
#define CACHE_CLIENT_RIGHTS                                                                        \
    "~* &* +@all -acl +acl|whoami -bgrewriteaof -bgsave -cluster +cluster|info +cluster|nodes "    \
    "+cluster|slots +cluster|shards +cluster|keyslot +cluster|myid +cluster|countkeysinslot "      \
    "+cluster|getkeysinslot -config -debug -failover -migrate -module -monitor -psync -replconf "  \
    "-replicaof -save -shutdown -slaveof -sync"

struct server_tls { /* files, absolute */
    const char *certificate, *key, *authority;
};

struct server_config {
    const struct cache_spec *spec;
    const struct cache_host *host;
    const struct cache_member *member;  /* with address, ports and folder. The side of an import,
                                           which follows nobody, takes all that is in a file, keeps
                                           nothing, may merge; it and its copy are of no cluster */
    const struct cache_member *primary; /* whom it follows; NULL = nobody. Not of a cluster */
    const struct cache_secrets *secrets;
    const struct server_tls *tls; /* NULL = no TLS port */
};

/* server_config_write appends the text; a miss stays in `out`. */
void server_config_write(struct buf *out, const struct server_config *config);

/* server_secret_hash is a password as ACL SETUSER takes it, and `!` instead of `#` drops it: # and
 * the SHA-256 in lower-case hexadecimal. */
#define SERVER_HASH_TEXT_BYTES 66
void server_secret_hash(struct slice secret, char ret[SERVER_HASH_TEXT_BYTES]);

#endif
