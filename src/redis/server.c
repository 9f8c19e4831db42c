#include "redis/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/stream.h"
#include "metrics/metrics.h"

struct redis_server *server_new(struct redis_options *options, struct metrics *metrics)
{
    struct redis_server *server = mem_new(struct redis_server);
    server->options = redis_options_ref(options);
    redis_options_name(options, server->name, sizeof server->name);
    if (metrics != NULL) {
        const char *labels[] = {server->name, NULL};
        server->up_series = metrics_series(metrics, METRIC_ID_REDIS_UP, labels);
        server->reconnects_series = metrics_series(metrics, METRIC_ID_RECONNECTS, labels);
    }
    return server;
}

void server_free(struct redis_server *server)
{
    tls_free(server->tls);
    redis_options_unref(server->options);
    free(server);
}

/* Revocation can be checked with the lists that the CA file holds. Without one OpenSSL would refuse
 * every certificate, so that the default of the connection string could reach no server at all. */
static bool has_revocation_list(const char *path)
{
    char line[128];
    bool has_list = false;
    FILE *file = path == NULL ? NULL : fopen(path, "r");

    if (file == NULL)
        return false;
    while (!has_list && fgets(line, sizeof line, file) != NULL)
        has_list = strncmp(line, "-----BEGIN X509 CRL", 19) == 0;
    fclose(file);
    return has_list;
}

enum err server_tls(struct redis_server *server, const struct tls **ret, struct cause *why)
{
    const struct redis_options *options = server->options;
    struct tls_options wish = {.ca_file = options->ca_file,
                               .cert_file = options->cert_file,
                               .key_file = options->key_file,
                               .is_insecure = options->is_tls_insecure,
                               .only_tls12 = options->only_tls12,
                               .only_tls13 = options->only_tls13,
                               .check_revocation = options->check_revocation &&
                                                   has_revocation_list(options->ca_file)};
    enum err err = E_OK;

    *ret = NULL;
    if (!options->is_tls)
        return E_OK;
    if (server->tls == NULL)
        err = tls_new(&wish, &server->tls, why);
    *ret = server->tls;
    return err;
}

void server_lost(struct redis_server *server, uint64_t generation, enum err err,
                 const struct cause *why)
{
    if (generation != server->generation)
        return; /* of an outage that is over */
    if (err == E_DENIED && !server->is_denied) {
        server->is_denied = true;
        log_error("REDIS-DENIED", "%s: the server refuses us: %s", server->name,
                  cause_text(why, err));
    } else if (!server->is_down) {
        log_warn("REDIS-LOST", "%s: %s: %s; trying until it answers", server->name,
                 server->was_up ? "connection lost" : "cannot connect", cause_text(why, err));
    }
    if (!server->is_down)
        server->down_at_ms = clock_now_ms();
    server->is_down = true;
    (void)cause_set(&server->trouble, err, "%s", cause_text(why, err));
    if (server->up_series != NULL)
        series_set(server->up_series, 0);
}

void server_restored(struct redis_server *server, bool is_again)
{
    if (server->up_series != NULL)
        series_set(server->up_series, 1);
    if (server->reconnects_series != NULL && is_again)
        series_add(server->reconnects_series, 1);
    server->was_up = true;
    if (!server->is_down)
        return;
    uint64_t down_ms = clock_now_ms() - server->down_at_ms;
    server->is_down = server->is_denied = false;
    server->generation++;
    log_info("REDIS-RESTORED", "%s: connection restored after %" PRIu64 ".%03" PRIu64 " s",
             server->name, down_ms / 1000, down_ms % 1000);
}
