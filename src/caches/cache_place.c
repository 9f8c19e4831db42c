/* Where members live: their address, ports and folder, and whether there is memory for them
 * (caches.md 2, 3.3). */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "caches/cache_internal.h"
#include "store/server_find.h"

#define PORTS_TRIED 2000
#define PORT_LAST 65534u
#define PATH_MAX_BYTES 4096

/* ---- ports ---- */

static bool is_bindable(const char *address, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is_v6 = inet_pton(AF_INET, address, &v4.sin_addr) != 1;

    if (is_v6 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
        return false;
    int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return false;
    /* as the server does, or what its last run left behind would be in the way */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool is_free = (is_v6 ? bind(fd, (struct sockaddr *)&v6, sizeof v6)
                          : bind(fd, (struct sockaddr *)&v4, sizeof v4)) == 0;
    close(fd);
    return is_free;
}

static bool has_port(const struct cache_state *state, uint16_t port)
{
    bool has = state->port == port || state->tls_port == port;

    for (size_t i = 0; i < state->shard_count && !has; i++)
        for (size_t j = 0; j < state->shards[i].member_count && !has; j++) {
            const struct cache_member *member = &state->shards[i].members[j];
            has = member->port == port || member->tls_port == port || member->bus_port == port;
        }
    return has;
}

/* Is it another cache's, whether or not that one has it open now? */
static bool is_taken(const struct caches *caches, uint16_t port)
{
    struct slice id, document;
    bool is_theirs = false;
    size_t at = 0;

    while (!is_theirs && resources_next(caches_options(caches)->resources, &at, &id, &document)) {
        struct cache_state state;
        if (!caches_is_state(id))
            continue;
        cache_state_init(&state);
        is_theirs = cache_state_read(&state, document, NULL) == E_OK && has_port(&state, port);
        cache_state_done(&state);
    }
    return is_theirs;
}

static bool is_free(const struct caches *caches, uint16_t port)
{
    const struct cache_host *host = caches_host(caches);
    bool is_ours = !is_taken(caches, port);

    for (size_t i = 0; i < host->address_count && is_ours; i++)
        is_ours = is_bindable(host->addresses[i], port);
    return is_ours;
}

/* As many in a row, from `first` on. */
static uint16_t find_ports(const struct caches *caches, uint16_t first, unsigned count)
{
    for (unsigned port = first;
         port < (unsigned)first + PORTS_TRIED && port + count <= PORT_LAST + 1;) {
        unsigned free = 0;
        while (free < count && is_free(caches, (uint16_t)(port + free)))
            free++;
        if (free == count)
            return (uint16_t)port;
        port += free + 1;
    }
    return 0;
}

enum err cache_place_ports(const struct caches *caches, const struct cache_spec *spec,
                           uint16_t *ret, struct cause *why)
{
    uint64_t wanted = cache_config_u64(&spec->config, "redgrid-port");
    uint16_t first = caches_options(caches)->settings.port;
    uint16_t port = 0;

    if (wanted == 0)
        port = find_ports(caches, first, 2);
    else if (is_free(caches, (uint16_t)wanted) && is_free(caches, (uint16_t)(wanted + 1)))
        port = (uint16_t)wanted;
    else
        return cause_set(why, E_BAD_INPUT,
                         "properties.redisConfiguration.redgrid-port: %" PRIu64 " or %" PRIu64
                         " (for TLS) is taken; name another, or none for the next free one",
                         wanted, wanted + 1);
    if (port == 0)
        return cause_set(why, E_EXISTS, "no two free ports in a row from %u on", first);
    *ret = port;
    return E_OK;
}

/* ---- addresses ---- */

/* Number 1 and up of the network, so that none is used twice in a cache. */
static enum err address_of(const char *network, uint32_t number, char **ret, struct cause *why)
{
    size_t slash = slice_find_byte(slice_of(network), '/');
    char *base = slice_dup(slice_first(slice_of(network), slash));
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    uint64_t bits = 0;
    bool is_network = inet_pton(AF_INET, base, &address) == 1 &&
                      slice_to_u64(slice_from(slice_of(network), slash + 1), &bits) && bits >= 8 &&
                      bits <= 30;

    free(base);
    if (!is_network)
        return cause_set(why, E_BAD_INPUT,
                         "caches.node_network: '%s' is no network like 127.77.0.0/16", network);
    uint32_t size = (uint32_t)1 << (32 - bits);
    if (number >= size - 1)
        return cause_set(why, E_FULL, "all %u addresses of caches.node_network %s were used",
                         (unsigned)(size - 2), network);
    address.s_addr = htonl((ntohl(address.s_addr) & ~(size - 1)) + number);
    *ret = slice_dup(slice_of(inet_ntop(AF_INET, &address, text, sizeof text)));
    return E_OK;
}

/* ---- memory ---- */

static uint64_t mb_of(uint64_t bytes)
{
    return (bytes + CACHE_MB - 1) / CACHE_MB;
}

enum err caches_budget_check(const struct caches *caches, uint64_t more_bytes, struct cause *why)
{
    uint64_t budget = caches_options(caches)->settings.memory_budget_bytes;
    uint64_t used = caches_used_bytes(caches);

    if (budget == 0 || used + more_bytes <= budget)
        return E_OK;
    return cause_set(why, E_BAD_INPUT,
                     "%" PRIu64 " MB more are needed, %" PRIu64 " MB of the %" PRIu64
                     " MB of caches.memory_budget are taken",
                     mb_of(more_bytes), mb_of(used), mb_of(budget));
}

/* ---- a new member ---- */

static enum err give_ports(struct cache *cache, struct cache_member *member, struct cause *why)
{
    member->port = cache->state.port;
    member->tls_port = cache->state.tls_port;
    if (cache->spec.shards == 0 || cache->state.members_made == 1)
        return E_OK;
    member->port = find_ports(cache->caches, cache->options->settings.port, 2);
    if (member->port == 0)
        return cause_set(why, E_EXISTS, "no two free ports in a row from %u on",
                         (unsigned)cache->options->settings.port);
    member->tls_port = cache->host.has_tls ? (uint16_t)(member->port + 1) : 0;
    return E_OK;
}

/* Of a cluster: for the bus. The pair that the member itself just got is not stored yet. */
static enum err give_bus_port(struct cache *cache, struct cache_member *member, struct cause *why)
{
    uint16_t first = (uint16_t)(member->port + 2);

    member->bus_port = cache->spec.shards != 0 ? find_ports(cache->caches, first, 1) : 0;
    if (cache->spec.shards != 0 && member->bus_port == 0)
        return cause_set(why, E_EXISTS, "no free port from %u on", (unsigned)first);
    return E_OK;
}

static struct cache_shard *shard_for(struct cache *cache, uint32_t shard)
{
    struct cache_shard *found = cache_shard_of(cache, shard);
    return found != NULL ? found : cache_state_shard(&cache->state, shard);
}

static char *find_program(const struct cache *cache, const char *program, struct cause *why)
{
    const char *said =
        program != NULL ? program : cache_config_said(&cache->spec.config, "redgrid-server-path");
    if (said == NULL)
        said = cache->options->settings.program;
    char *found = server_find(said);
    if (found == NULL)
        (void)!cause_set(why, E_NOT_FOUND, "there is no server program '%s'", said);
    return found;
}

enum err cache_add_member(struct cache *cache, uint32_t shard, const char *program,
                          struct cache_member **ret, struct cause *why)
{
    struct cache_shard *at = shard_for(cache, shard);
    char name[MEMBER_NAME_MAX_BYTES], dir[PATH_MAX_BYTES];
    uint32_t number = cache->state.members_made + 1;
    char *address = NULL;
    struct cache_numbers numbers = cache_spec_numbers(&cache->spec, &cache->host);
    enum err err = caches_budget_check(cache->caches, numbers.maxmemory_bytes, why);

    if (err == E_OK)
        err = address_of(cache->options->settings.node_network, number, &address, why);
    if (err)
        return err;
    snprintf(name, sizeof name, "n%" PRIu32, number);
    char *found = find_program(cache, program, why);
    struct cache_member *member =
        at != NULL && found != NULL ? cache_shard_add(at, slice_of(name)) : NULL;
    if (member == NULL) {
        free(address);
        free(found);
        return found == NULL ? E_NOT_FOUND
                             : cause_set(why, E_FULL, "there are as many servers as there may be");
    }
    cache->state.members_made = number;
    cache_write_dir(cache, dir, sizeof dir);
    member->address = address;
    snprintf(dir + strlen(dir), sizeof dir - strlen(dir), "/%s", name);
    member->dir = slice_dup(slice_of(dir));
    member->program = found;
    member->state = MEMBER_STARTING;
    err = give_ports(cache, member, why);
    if (err == E_OK)
        err = give_bus_port(cache, member, why);
    if (err)
        cache_shard_remove(at, member);
    else
        *ret = member;
    return err;
}

void cache_write_dir(const struct cache *cache, char *ret, size_t size)
{
    char room[CACHE_NAME_MAX + 1];
    struct slice name = slice_lower(slice_first(slice_of(cache->name), CACHE_NAME_MAX), room);

    snprintf(ret, size, "%s/caches/%.*s", cache->options->data, SLICE_ARG(name));
}
