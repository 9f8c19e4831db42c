#include "caches/server_config.h"

#include <openssl/sha.h>
#include <stdio.h>

#include "store/instance_files.h"

#define CLUSTER_NODE_TIMEOUT_MS 5000
#define SHUTDOWN_TIMEOUT_S 10
#define REPLICATION_RIGHTS "resetkeys resetchannels -@all +psync +replconf +ping"

void server_secret_hash(struct slice secret, char ret[SERVER_HASH_TEXT_BYTES])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)(secret.data != NULL ? secret.data : ""), secret.len, digest);
    ret[0] = '#';
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(ret + 1 + 2 * i, 3, "%02x", digest[i]);
}

static bool is_cluster(const struct server_config *config)
{
    return config->spec->shards != 0 && !config->member->is_side;
}

/* Its copy is a server like others. */
static bool is_side(const struct server_config *config)
{
    return config->member->is_side && config->primary == NULL;
}

static unsigned plain_port(const struct server_config *config, const struct cache_member *member)
{
    return config->spec->has_plain_port ? member->port : 0;
}

static unsigned tls_port(const struct server_config *config, const struct cache_member *member)
{
    return config->tls != NULL ? member->tls_port : 0;
}

static void write_network(struct buf *out, const struct server_config *config)
{
    const struct cache_member *member = config->member;

    buf_add(out, SLICE("bind"));
    for (size_t i = 0; is_cluster(config) && i < config->host->address_count; i++)
        buf_addf(out, " %s", config->host->addresses[i]);
    if (!is_cluster(config))
        buf_addf(out, " %s", member->address);
    buf_addf(out, "\nport %u\n", plain_port(config, member));
    buf_addf(out, "unixsocket %s\nunixsocketperm 700\nprotected-mode no\n", SERVER_SOCKET);
    if (config->tls == NULL)
        return;
    buf_addf(out, "tls-port %u\n", tls_port(config, member));
    conf_add_quoted(out, "tls-cert-file", config->tls->certificate);
    conf_add_quoted(out, "tls-key-file", config->tls->key);
    conf_add_quoted(out, "tls-ca-cert-file", config->tls->authority);
    buf_add(out, SLICE("tls-auth-clients no\ntls-protocols \"TLSv1.2 TLSv1.3\"\n"));
    if (is_cluster(config)) /* redis 7.0 sends clients by TLS to the right ports only so */
        buf_add(out, SLICE("tls-replication yes\ntls-cluster yes\n"));
    else if (!config->spec->has_plain_port)
        buf_add(out, SLICE("tls-replication yes\n"));
}

static void write_memory(struct buf *out, const struct server_config *config,
                         const struct cache_numbers *numbers)
{
    const struct cache_config *said = &config->spec->config;
    uint64_t maxmemory = is_side(config) ? 0 : numbers->maxmemory_bytes;

    buf_addf(out, "databases %u\nmaxmemory %llu\n", numbers->databases,
             (unsigned long long)maxmemory);
    conf_add_quoted(out, "maxmemory-policy", cache_config_text(said, "maxmemory-policy"));
    buf_addf(out, "maxclients %u\n", numbers->clients_max);
    conf_add_quoted(out, "notify-keyspace-events",
                    cache_config_text(said, "notify-keyspace-events"));
    buf_addf(out, "enable-debug-command %s\n", is_side(config) ? "local" : "no");
}

static void write_persistence(struct buf *out, const struct server_config *config)
{
    bool has_rdb = !is_side(config) && cache_spec_has_rdb(config->spec);
    bool has_aof = !is_side(config) && cache_spec_has_aof(config->spec);
    uint64_t minutes = cache_config_u64(&config->spec->config, "rdb-backup-frequency");

    if (has_rdb)
        buf_addf(out, "save %llu 1\n", (unsigned long long)minutes * 60);
    else
        buf_add(out, SLICE("save \"\"\n"));
    buf_addf(out, "appendonly %s\nappendfsync everysec\nrdb-del-sync-files yes\n",
             has_aof ? "yes" : "no");
    buf_addf(out, "shutdown-on-sigterm %s now\nshutdown-timeout %d\n", has_rdb ? "save" : "nosave",
             SHUTDOWN_TIMEOUT_S);
}

/* Every server can become a primary or a replica, so each has both sides of it. */
static void write_replication(struct buf *out, const struct server_config *config,
                              const struct cache_numbers *numbers)
{
    const char *address = is_cluster(config) ? config->host->addresses[0] : config->member->address;

    buf_addf(out, "replica-announce-ip %s\nmasteruser redgrid-repl\n", address);
    conf_add_quoted(out, "masterauth", config->secrets->replication);
    buf_addf(out,
             "repl-diskless-sync no\nrepl-diskless-load on-empty-db\nrepl-backlog-size %llu\n"
             "repl-backlog-ttl 0\n",
             (unsigned long long)numbers->backlog_bytes);
    if (config->primary == NULL || is_cluster(config))
        return;
    unsigned port = plain_port(config, config->primary);
    buf_addf(out, "replicaof %s %u\n", config->primary->address,
             port != 0 ? port : tls_port(config, config->primary));
}

static void write_users(struct buf *out, const struct server_config *config)
{
    const struct cache_spec *spec = config->spec;
    bool is_on = is_cluster(config) && !spec->is_key_refused;
    char hash[SERVER_HASH_TEXT_BYTES];

    server_secret_hash(slice_of(config->secrets->admin), hash);
    buf_addf(out, "user redgrid on %s ~* &* +@all\n", hash);
    server_secret_hash(slice_of(config->secrets->replication), hash);
    buf_addf(out, "user redgrid-repl on %s " REPLICATION_RIGHTS "\n", hash);
    buf_addf(out, "user default %s", is_on ? "on" : "off");
    for (size_t i = 0; i < ACCESS_KEYS_COUNT; i++) {
        server_secret_hash(slice_of(config->secrets->keys.text[i]), hash);
        if (config->secrets->keys.text[i][0] != '\0')
            buf_addf(out, " %s", hash);
    }
    if (cache_config_bool(&spec->config, "authnotrequired"))
        buf_add(out, SLICE(" nopass")); /* drops the keys: any is taken */
    buf_add(out, SLICE(" " CACHE_CLIENT_RIGHTS "\n"));
}

static void write_cluster(struct buf *out, const struct server_config *config)
{
    const struct cache_member *member = config->member;

    if (!is_cluster(config))
        return;
    buf_addf(out, "cluster-enabled yes\ncluster-port %u\ncluster-announce-ip %s\n",
             (unsigned)member->bus_port, config->host->addresses[0]);
    buf_addf(out, "cluster-announce-port %u\n", plain_port(config, member));
    if (config->tls != NULL)
        buf_addf(out, "cluster-announce-tls-port %u\n", tls_port(config, member));
    buf_addf(out,
             "cluster-announce-bus-port %u\ncluster-node-timeout %d\n"
             "cluster-replica-no-failover yes\ncluster-allow-replica-migration no\n"
             "cluster-require-full-coverage no\n",
             (unsigned)member->bus_port, CLUSTER_NODE_TIMEOUT_MS);
}

void server_config_write(struct buf *out, const struct server_config *config)
{
    struct cache_numbers numbers = cache_spec_numbers(config->spec, config->host);

    conf_add_quoted(out, "dir", config->member->dir); /* first: the others lie in it */
    buf_add(out, SLICE("logfile log\npidfile pid\ndaemonize no\n"));
    write_network(out, config);
    write_memory(out, config, &numbers);
    write_persistence(out, config);
    write_replication(out, config, &numbers);
    write_users(out, config);
    write_cluster(out, config);
}
