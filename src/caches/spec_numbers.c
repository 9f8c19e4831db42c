/* What follows from a spec on a host. */
#include <arpa/inet.h>

#include "caches/spec.h"

#define FILES_BESIDE_CLIENTS 32 /* a server keeps them for itself */
#define BACKLOG_MIN_BYTES CACHE_MB
#define BACKLOG_MAX_BYTES (64 * CACHE_MB)
#define BACKLOG_PART 16 /* of maxmemory */
#define DATABASES_DEFAULT 16
#define DATABASES_MAX 64

static bool is_loopback(const char *address)
{
    struct in6_addr six;
    struct in_addr four;

    if (inet_pton(AF_INET, address, &four) == 1)
        return (ntohl(four.s_addr) >> 24) == IN_LOOPBACKNET;
    return inet_pton(AF_INET6, address, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool cache_host_is_loopback(const struct cache_host *host)
{
    for (size_t i = 0; i < host->address_count; i++)
        if (!is_loopback(host->addresses[i]))
            return false;
    return true;
}

bool cache_spec_has_rdb(const struct cache_spec *spec)
{
    return cache_config_bool(&spec->config, "rdb-backup-enabled");
}

bool cache_spec_has_aof(const struct cache_spec *spec)
{
    return cache_config_bool(&spec->config, "aof-backup-enabled");
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The part that is reserved of the size stays reserved of the limit. In megabytes, so that nothing
 * overflows; never 0, which means no limit. */
static uint64_t maxmemory_of(const struct cache_numbers *numbers, const struct cache_host *host)
{
    uint64_t size_mb = numbers->memory_bytes / CACHE_MB;
    uint64_t reserved_mb = smaller(numbers->reserved_bytes / CACHE_MB, size_mb);
    uint64_t limit = numbers->memory_bytes;

    if (host->memory_max_bytes != 0)
        limit = smaller(limit, host->memory_max_bytes);
    uint64_t left = limit / size_mb * (size_mb - reserved_mb);
    left += limit % size_mb * (size_mb - reserved_mb) / size_mb;
    return left < CACHE_MB ? CACHE_MB : left;
}

struct cache_numbers cache_spec_numbers(const struct cache_spec *spec,
                                        const struct cache_host *host)
{
    const struct cache_size *size = cache_size_of(spec->tier, spec->capacity);
    const struct cache_config *config = &spec->config;
    uint64_t own = cache_config_memory(config) / CACHE_MB * CACHE_MB;
    struct cache_numbers ret = {
        .memory_bytes = own != 0 ? own : size->memory_bytes,
        .reserved_bytes = (cache_config_u64(config, "maxmemory-reserved") +
                           cache_config_u64(config, "maxfragmentationmemory-reserved")) *
                          CACHE_MB,
        .clients_max = size->clients_max,
        .databases = spec->shards != 0 ? 1 : (uint32_t)cache_config_u64(config, "databases"),
        .shards = spec->shards != 0 ? spec->shards : 1,
        .replicas = spec->replicas != 0 ? spec->replicas : cache_tier_rules(spec->tier)->replicas,
    };

    if (ret.databases == 0 || ret.databases > DATABASES_MAX)
        ret.databases = DATABASES_DEFAULT; /* the store says what no version of ours wrote */
    ret.maxmemory_bytes = maxmemory_of(&ret, host);
    ret.backlog_bytes = smaller(ret.maxmemory_bytes / BACKLOG_PART, BACKLOG_MAX_BYTES);
    if (ret.backlog_bytes < BACKLOG_MIN_BYTES)
        ret.backlog_bytes = BACKLOG_MIN_BYTES;
    if (host->files_max > FILES_BESIDE_CLIENTS)
        ret.clients_max =
            (uint32_t)smaller(ret.clients_max, host->files_max - FILES_BESIDE_CLIENTS);
    ret.servers = ret.shards * (1 + ret.replicas);
    return ret;
}
