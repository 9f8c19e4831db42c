#include "server/managed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/settings.h"
#include "router/farewell.h"
#include "router/router.h"
#include "server/listeners.h"
#include "store/datadir.h"
#include "store/nodes.h"
#include "store/operations.h"

#define PATH_MAX_BYTES (DATADIR_PATH_MAX_BYTES + 32)
#define MB ((uint64_t)1 << 20)

static bool on_is_earlier(void *ctx, struct slice node)
{
    const struct managed *managed = ctx;
    return nodes_is_earlier(managed->nodes, node);
}

static bool on_is_gone(void *ctx, struct slice node)
{
    const struct managed *managed = ctx;
    return nodes_is_gone(managed->nodes, node);
}

static enum err on_forget(void *ctx, struct slice id, struct op *op)
{
    const struct managed *managed = ctx;

    farewell_begin(managed->router, id, op);
    return E_OK;
}

static void on_emitted(void *ctx)
{
    const struct managed *managed = ctx;
    router_emits(managed->router);
}

static uint64_t budget_of(const struct settings *settings)
{
    uint64_t percent = (uint64_t)settings_number(settings, SETTING_CACHES_MEMORY_BUDGET_ID);
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 100 * percent : 0;
}

static const char *const *addresses_of(const struct settings *settings)
{
    static const char *const loopback[] = {"127.0.0.1", NULL};
    const char *const *said = settings_list(settings, SETTING_CACHES_ADDRESS_ID);

    return said[0] != NULL ? said : loopback;
}

static uint32_t number(const struct settings *settings, enum setting_id id)
{
    return (uint32_t)settings_number(settings, id);
}

static struct caches_settings settings_of(const struct settings *s)
{
    return (struct caches_settings){
        .addresses = addresses_of(s),
        .host_name = settings_text(s, SETTING_CACHES_HOST_NAME_ID),
        .port = (uint16_t)number(s, SETTING_CACHES_PORT_ID),
        .node_network = settings_text(s, SETTING_CACHES_NODE_NETWORK_ID),
        .program = settings_text(s, SETTING_CACHES_SERVER_ID),
        .memory_max_bytes = number(s, SETTING_CACHES_MAX_MEMORY_ID) * MB,
        .memory_budget_bytes = budget_of(s),
        .is_detached = settings_bool(s, SETTING_CACHES_DETACH_ID),
        .has_tls = settings_bool(s, SETTING_CACHES_TLS_ID),
        .patches_in_window = strcmp(settings_text(s, SETTING_CACHES_PATCH_ID), "window") == 0,
        .notice_ms = number(s, SETTING_CACHES_NOTICE_ID),
        .hang_ms = number(s, SETTING_CACHES_HANG_ID),
        .sync_timeout_ms = number(s, SETTING_CACHES_SYNC_TIMEOUT_ID),
        .file_dirs = settings_list(s, SETTING_CACHES_FILE_DIRS_ID)};
}

enum err managed_start(struct managed *managed, const struct managed_options *options,
                       struct cause *why)
{
    struct resources *resources = router_resources(options->router);
    char folder[PATH_MAX_BYTES];
    enum err err = E_OK;

    snprintf(folder, sizeof folder, "%s/tls", options->data);
    if (settings_bool(options->settings, SETTING_CACHES_TLS_ID))
        err = listeners_certificate(options->settings, folder, why);
    managed->nodes = options->nodes;
    managed->router = options->router;
    if (err == E_OK)
        err = caches_start(&(struct caches_options){.loop = options->loop,
                                                    .hub = options->hub,
                                                    .http = options->http,
                                                    .resources = resources,
                                                    .node = options->node,
                                                    .data = options->data,
                                                    .settings = settings_of(options->settings),
                                                    .is_earlier = on_is_earlier,
                                                    .is_gone = on_is_gone,
                                                    .emitted = on_emitted,
                                                    .forget = on_forget,
                                                    .ctx = managed},
                           &managed->caches, why);
    if (err)
        return err;
    managed->sweeper = operations_sweeper_new(options->loop, resources);
    return E_OK;
}

void managed_changed(struct managed *managed, struct slice id, struct slice document)
{
    if (managed->caches != NULL)
        caches_changed(managed->caches, id, document);
}

enum err managed_stop(struct managed *managed, uint32_t limit_ms, struct op *op)
{
    if (managed->caches == NULL)
        return E_EMPTY;
    operations_sweeper_stop(managed->sweeper);
    caches_stop(managed->caches, limit_ms, op);
    return E_OK;
}

void managed_free(struct managed *managed)
{
    caches_free(managed->caches);
    operations_sweeper_free(managed->sweeper);
    *managed = (struct managed){0};
}
