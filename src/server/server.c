/* Up:   HTTP --> STORE --> CACHE --> NODES --> HOST --> ROUTER --> EVENTS --> FUNCTIONS --> (runs)
 * Down: DRAIN --> ROUTER --> NODES --> HTTP --> CACHE --> STORE --> (ended)
 * A row starts its one operation, or is done at once (E_EMPTY: nothing to wait for). A failure on
 * the way up, or a signal at any moment, leads to the first row down; what was never made is
 * skipped there. */
#include "server/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/answer.h"
#include "api/log_ring.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "blob/account.h"
#include "config/settings.h"
#include "functions/host.h"
#include "http/client.h"
#include "loop/loop.h"
#include "loop/process.h"
#include "loop/stream.h"
#include "loop/timer.h"
#include "redis/client.h"
#include "router/router.h"
#include "server/declared.h"
#include "server/front.h"
#include "server/listeners.h"
#include "server/managed.h"
#include "server/own.h"
#include "server/places.h"
#include "store/datadir.h"
#include "store/instance.h"
#include "store/nodes.h"
#include "store/store.h"

#define HTTP_GRACE_MS 1000
#define MANAGED_STOP_MS 60000                     /* of servers that save what they hold */
#define BODY_MAX_BYTES ((size_t)16 * 1024 * 1024) /* as `redgrid function invoke --file` sends */
#define SAME_SIGNAL_MS 100 /* timeout(1) tells a process, then its group: one stop, not two */
#define PORTS_FILE "ports.json"
#define PORTS_MAX_BYTES 4096
#define HANDLER_CONNECTIONS 10000 /* the trigger limits them: what waited here would time out */
#define CHANGES_MAX_BYTES 4096
#define URL_MAX_BYTES 8192
#define PATH_MAX_BYTES (DATADIR_PATH_MAX_BYTES + 32)

struct server {
    struct settings *settings;
    const char *const *whole_environment;
    const char *const *environment; /* without the daemon's own variables */
    struct loop *loop;
    struct datadir *data;
    struct metrics *metrics;
    struct log_ring *logs;
    struct front front;
    struct listeners *listeners;
    struct http_client *client;   /* of custom handlers */
    struct http_client *webhooks; /* of deliveries */
    struct http_client *storage;  /* of dead letters */
    struct blob_accounts accounts;
    struct tls *tls;
    struct router *router;
    struct managed managed;
    struct declared_files *declared;
    struct redis_hub *hub;
    struct store *store;
    struct instance *cache;
    struct nodes *nodes;
    struct host *host;
    struct id id;
    char *worker_dir, *include_dir, *cache_dir;

    size_t step; /* of up_steps, then of down_steps */
    bool is_up, is_stopping;
    bool has_terminal; /* at the start */
    struct op up, down;
    enum err result;
    struct cause *why;
    uint64_t started_at_ms, told_at_ms; /* told: the first signal to stop */
    struct signal_watch *watches[3];
};

static const char *text(const struct server *server, enum setting_id id)
{
    return settings_text(server->settings, id);
}

static uint32_t number(const struct server *server, enum setting_id id)
{
    return (uint32_t)settings_number(server->settings, id);
}

/* ---- what the API asks ---- */

static void on_reasons(void *ctx, struct buf *ret);
static void on_describe(void *ctx, struct buf *out);
static void on_reload(void *ctx);
static bool on_is_gone(void *ctx, struct slice node_id);

static void on_refresh(void *ctx)
{
    struct server *server = ctx;

    series_set(metrics_series(server->metrics, METRIC_ID_UPTIME, NULL),
               (double)(clock_now_ms() - server->started_at_ms) / 1000);
}

/* ---- up ---- */

static enum err begin(struct server *server, struct cause *why)
{
    (void)why;
    loop_later(server->loop, &server->up, E_OK); /* all the rest happens inside of the loop */
    return E_OK;
}

static enum err open_http(struct server *server, struct cause *why)
{
    front_open(&server->front,
               &(struct front_options){
                   .api = {.loop = server->loop,
                           .metrics = server->metrics,
                           .logs = server->logs,
                           .program = {on_reasons, on_describe, on_refresh, on_reload, server}},
                   .settings = server->settings,
                   .node = server->id.text,
                   .data = datadir_path(server->data),
                   .is_gone = on_is_gone});
    enum err err = front_listen(&server->front,
                                &(struct listeners_options){.loop = server->loop,
                                                            .settings = server->settings,
                                                            .data = datadir_path(server->data),
                                                            .body_max_bytes = BODY_MAX_BYTES},
                                &server->listeners, why);
    return err ? err : E_EMPTY;
}

static enum err open_store(struct server *server, struct cause *why)
{
    return store_start(&(struct store_options){.loop = server->loop,
                                               .hub = server->hub,
                                               .connection = text(server, SETTING_STORE_ID),
                                               .data = datadir_path(server->data),
                                               .server = text(server, SETTING_STORE_SERVER_ID),
                                               .fsync = text(server, SETTING_STORE_FSYNC_ID)},
                       &server->up, &server->store, why);
}

static bool needs_cache(const struct server *server)
{
    const char *const *apps = settings_list(server->settings, SETTING_APP_ID);

    for (; settings_bool(server->settings, SETTING_CACHE_AUTO_ID) && *apps != NULL; apps++)
        if (host_needs_cache(*apps, server->environment))
            return true;
    return false;
}

static enum err open_cache(struct server *server, struct cause *why)
{
    char directory[PATH_MAX_BYTES];

    if (!needs_cache(server))
        return E_EMPTY;
    snprintf(directory, sizeof directory, "%s/cache", datadir_path(server->data));
    return instance_start(
        &(struct instance_options){.loop = server->loop,
                                   .name = "cache",
                                   .server = text(server, SETTING_STORE_SERVER_ID),
                                   .directory = directory,
                                   .port = (uint16_t)number(server, SETTING_CACHE_PORT_ID),
                                   .fsync = "everysec",
                                   .events = "KEA"},
        &server->up, &server->cache, why);
}

static void on_node_died(void *ctx)
{
    struct server *server = ctx;

    if (server->host != NULL)
        host_node_died(server->host);
    if (server->router != NULL)
        router_node_died(server->router);
    arm_node_died(server->front.arm);
}

static enum err join_nodes(struct server *server, struct cause *why)
{
    enum err err = nodes_start(
        &(struct nodes_options){.loop = server->loop,
                                .redis = store_redis(server->store),
                                .data = server->data,
                                .id = server->id.text,
                                .heartbeat_ms = number(server, SETTING_NODES_HEARTBEAT_ID),
                                .dead_ms = number(server, SETTING_NODES_DEAD_ID),
                                .died = on_node_died,
                                .ctx = server},
        &server->nodes, why);
    return err ? err : E_EMPTY;
}

static bool on_is_dead(void *ctx, struct slice node_id)
{
    const struct server *server = ctx;

    return server->nodes != NULL && nodes_is_dead(server->nodes, node_id);
}

static bool on_is_gone(void *ctx, struct slice node_id)
{
    const struct server *server = ctx;

    return server->nodes != NULL && nodes_is_gone(server->nodes, node_id);
}

static enum err on_connection(void *ctx, const char *name, char **ret, struct cause *why)
{
    const struct server *server = ctx;
    const char *cache = server->cache != NULL ? instance_connection(server->cache) : NULL;

    return own_redis(server->environment, cache, name, ret, why);
}

static void on_document(void *ctx, struct slice id, struct slice document)
{
    managed_changed(&((struct server *)ctx)->managed, id, document);
}

static enum err open_storage(struct server *server, struct cause *why)
{
    enum err err = own_accounts(server->settings, &server->accounts, why);

    if (err)
        return err;
    server->storage =
        http_client_new(server->loop, &(struct http_client_options){.tls = server->tls});
    return E_OK;
}

static enum err open_router(struct server *server, struct cause *why)
{
    struct buf url;

    server->webhooks = own_webhooks(server->loop, server->settings, &server->tls);
    enum err err = open_storage(server, why);
    if (err)
        return err;
    buf_init(&url, URL_MAX_BYTES);
    listeners_write_url(&url, server->listeners);
    server->router = router_start(
        &(struct router_options){
            .loop = server->loop,
            .redis = store_redis(server->store),
            .feed = store_open(server->store, "redgrid-resources"),
            .http = server->webhooks,
            .storage = server->storage,
            .accounts = &server->accounts,
            .metrics = server->metrics,
            .node = server->id.text,
            .url = buf_text(&url),
            .is_dead = on_is_gone,
            .functions = host_target(server->host),
            .hub = server->hub,
            .connection = on_connection,
            .changed = on_document,
            .ctx = server,
            .allows_http = settings_bool(server->settings, SETTING_DELIVERY_ALLOW_HTTP_ID),
            .topics_max = number(server, SETTING_TOPICS_MAX_ID),
            .subscriptions_max = number(server, SETTING_TOPICS_SUBSCRIPTIONS_MAX_ID),
            .timeout_ms = number(server, SETTING_DELIVERY_TIMEOUT_ID),
            .window = number(server, SETTING_DELIVERY_WINDOW_ID),
            .window_ms = number(server, SETTING_DELIVERY_VALIDATION_ID)},
        &server->up);
    buf_done(&url);
    return E_OK;
}

/* Not before all is loaded: publishers would be told that their topic is unknown, or, worse, that
 * an event was accepted which a subscription that is not known yet wants. */
static enum err open_events(struct server *server, struct cause *why)
{
    (void)why;
    front_router(&server->front, server->router, server->managed.caches);
    return E_EMPTY;
}

static enum err open_caches(struct server *server, struct cause *why)
{
    enum err err = managed_start(&server->managed,
                                 &(struct managed_options){.loop = server->loop,
                                                           .hub = server->hub,
                                                           .http = server->storage,
                                                           .router = server->router,
                                                           .nodes = server->nodes,
                                                           .settings = server->settings,
                                                           .node = server->id.text,
                                                           .data = datadir_path(server->data)},
                                 why);
    return err ? err : E_EMPTY;
}

static enum err stop_caches(struct server *server, struct cause *why)
{
    (void)why;
    return managed_stop(&server->managed, MANAGED_STOP_MS, &server->down);
}

static struct host_limits limits_of(const struct server *server)
{
    return (struct host_limits){.drain_timeout_ms = number(server, SETTING_DRAIN_TIMEOUT_ID),
                                .process_min = number(server, SETTING_WORKERS_MIN_ID),
                                .process_max = number(server, SETTING_WORKERS_MAX_ID)};
}

static enum err open_host(struct server *server, struct cause *why)
{
    const char *const *only = settings_list(server->settings, SETTING_FUNCTIONS_ID);
    const char *worker_dir = text(server, SETTING_WORKERS_DIR_ID);
    char directory[PATH_MAX_BYTES];

    snprintf(directory, sizeof directory, "%s/compiled", datadir_path(server->data));
    enum err err = folder_make(directory, why);
    if (err)
        return err;
    server->cache_dir = slice_dup(slice_of(directory));
    server->worker_dir = worker_dir[0] != '\0' ? slice_dup(slice_of(worker_dir)) : places_workers();
    if (server->worker_dir == NULL)
        return cause_set(why, E_NOT_FOUND,
                         "the language workers are not beside the program: set workers.dir");
    server->include_dir = places_include();
    server->host = host_new(&(struct host_options){
        .loop = server->loop,
        .hub = server->hub,
        .http = server->client,
        .metrics = server->metrics,
        .peers = {.is_dead = on_is_dead, .ctx = server},
        .node_id = server->id.text,
        .worker_dir = server->worker_dir,
        .include_dir = server->include_dir,
        .cache_dir = server->cache_dir,
        .default_connection = server->cache != NULL ? instance_connection(server->cache) : NULL,
        .environment = server->environment,
        .only = only[0] != NULL ? only : NULL,
        .limits = limits_of(server)});
    return E_EMPTY;
}

/* Apps come last: what is delivered to them waits for them. */
static enum err start_apps(struct server *server, struct cause *why)
{
    (void)why;
    host_set_apps(server->host, settings_list(server->settings, SETTING_APP_ID));
    front_host(&server->front, server->host);
    return E_EMPTY;
}

static void write_ports(const struct server *server)
{
    struct cause why = {0};
    struct buf out;

    buf_init(&out, PORTS_MAX_BYTES);
    member_u64(&out, "http", listeners_http_port(server->listeners));
    if (listeners_https_port(server->listeners) > 0)
        member_u64(&out, "https", listeners_https_port(server->listeners));
    if (server->cache != NULL)
        member_u64(&out, "cache", instance_port(server->cache));
    member_i64(&out, "pid", getpid());
    member_text(&out, "node", id_slice(&server->id));
    member_text(&out, "store", slice_of(store_name(server->store)));
    buf_add(&out, SLICE("}\n"));
    enum err err = datadir_replace(server->data, PORTS_FILE, buf_slice(&out), &why);
    if (err)
        log_warn("SERVER-PORTS", "%s", cause_text(&why, err));
    buf_done(&out);
}

/* show_banner tells what runs where. */
static enum err show_banner(struct server *server, struct cause *why)
{
    const char *const *apps = settings_list(server->settings, SETTING_APP_ID);
    struct buf urls;

    (void)why;
    buf_init(&urls, URL_MAX_BYTES);
    listeners_write_url(&urls, server->listeners);
    if (listeners_https_port(server->listeners) > 0)
        buf_add(&urls, SLICE(", "));
    listeners_write_https(&urls, server->listeners);
    log_info("SERVER-UP", "redgrid " REDGRID_VERSION ": %s, pid %d, data in %s", buf_text(&urls),
             (int)getpid(), datadir_path(server->data));
    buf_done(&urls);
    if (store_is_private(server->store))
        log_info("SERVER-STORE", "store: a private server on %s, fsync %s",
                 store_name(server->store), text(server, SETTING_STORE_FSYNC_ID));
    else
        log_info("SERVER-STORE", "store: %s", store_name(server->store));
    if (server->cache != NULL)
        log_info("SERVER-CACHE",
                 "cache: started a Redis on %s for apps that name none (redis-cli -p %u)",
                 instance_connection(server->cache), (unsigned)instance_port(server->cache));
    for (; *apps != NULL; apps++)
        log_info("SERVER-APP", "app: %s", *apps);
    if (settings_list(server->settings, SETTING_APP_ID)[0] == NULL)
        log_info("SERVER-NO-APP",
                 "no function app is named, so events only: --app DIR runs functions, "
                 "`redgrid init NAME` makes some");
    write_ports(server);
    server->is_up = true;
    return E_EMPTY;
}

static enum err apply_declared(struct server *server, struct cause *why)
{
    struct buf url;

    (void)why;
    if (server->declared == NULL)
        server->declared = declared_files_new(server->loop, server->router);
    buf_init(&url, URL_MAX_BYTES);
    listeners_write_url(&url, server->listeners);
    declared_files_apply(server->declared, settings_list(server->settings, SETTING_RESOURCES_ID),
                         buf_slice(&url));
    buf_done(&url);
    return E_EMPTY;
}

/* ---- again ---- */

static void reload_settings(struct server *server)
{
    struct cause why = {0};
    struct buf taken, kept;

    buf_init(&taken, CHANGES_MAX_BYTES);
    buf_init(&kept, CHANGES_MAX_BYTES);
    enum err err =
        settings_reload(server->settings, server->whole_environment, &taken, &kept, &why);
    if (err)
        log_error("SERVER-SETTINGS", "%s; all settings stay as they are", cause_text(&why, err));
    own_start_log(server->settings);
    if (taken.len > 0)
        log_info("SERVER-SETTINGS", "changed: %s", buf_text(&taken));
    if (kept.len > 0)
        log_warn("SERVER-RESTART",
                 "changed, but in force only after a restart: %s; stop redgrid (SIGTERM) and start "
                 "it again",
                 buf_text(&kept));
    buf_done(&taken);
    buf_done(&kept);
}

static void on_reload(void *ctx)
{
    struct server *server = ctx;

    if (server->host == NULL || server->is_stopping)
        return;
    log_info("SERVER-RELOAD", "reading the settings and the apps again");
    reload_settings(server);
    if (server->cache == NULL && needs_cache(server))
        log_warn(
            "SERVER-RESTART",
            "an app names a connection that no setting explains: the Redis for such is started "
            "with redgrid only; stop redgrid (SIGTERM) and start it again, or explain it");
    front_reload(&server->front, server->settings, server->listeners);
    host_set_limits(server->host, limits_of(server));
    host_reload(server->host);
    host_set_apps(server->host, settings_list(server->settings, SETTING_APP_ID));
    if (server->is_up) /* else the router may not know yet what there is, and a step will do it */
        (void)apply_declared(server, NULL);
}

/* ---- down ---- */

static enum err drain_host(struct server *server, struct cause *why)
{
    (void)why;
    if (server->router != NULL)
        router_end_waits(server->router);
    if (server->host == NULL)
        return E_EMPTY;
    host_drain(server->host, &server->down);
    return E_OK;
}

static enum err stop_router(struct server *server, struct cause *why)
{
    (void)why;
    if (server->router == NULL)
        return E_EMPTY;
    declared_files_stop(server->declared);
    arm_stop(server->front.arm);
    router_stop(server->router, number(server, SETTING_DRAIN_TIMEOUT_ID), &server->down);
    return E_OK;
}

static enum err leave_nodes(struct server *server, struct cause *why)
{
    (void)why;
    if (server->nodes == NULL)
        return E_EMPTY;
    nodes_stop(server->nodes, &server->down);
    return E_OK;
}

static enum err close_http(struct server *server, struct cause *why)
{
    char path[PATH_MAX_BYTES];

    (void)why;
    snprintf(path, sizeof path, "%s/" PORTS_FILE, datadir_path(server->data));
    (void)unlink(path); /* it was never written if the start failed */
    if (server->listeners == NULL)
        return E_EMPTY;
    api_end_streams(server->front.api); /* they would keep their connections open */
    listeners_close(server->listeners, HTTP_GRACE_MS, &server->down);
    server->listeners = NULL;
    return E_OK;
}

static enum err close_clients(struct server *server, struct cause *why)
{
    (void)why;
    if (server->front.api != NULL) { /* the address was refused before it was made */
        front_host(&server->front, NULL);
        front_router(&server->front, NULL, NULL);
    }
    if (server->host != NULL)
        host_free(server->host);
    server->host = NULL;
    nodes_free(server->nodes);
    server->nodes = NULL;
    declared_files_free(server->declared);
    managed_free(&server->managed);
    router_free(server->router);
    server->router = NULL;
    http_client_free(server->webhooks);
    http_client_free(server->storage);
    server->webhooks = server->storage = NULL;
    http_client_free(server->client);
    server->client = NULL;
    return E_EMPTY;
}

static enum err close_cache(struct server *server, struct cause *why)
{
    (void)why;
    if (server->cache == NULL)
        return E_EMPTY;
    instance_stop(server->cache, &server->down);
    return E_OK;
}

static enum err close_store(struct server *server, struct cause *why)
{
    (void)why;
    if (server->store == NULL)
        return E_EMPTY;
    store_stop(server->store, &server->down);
    return E_OK;
}

static enum err end_loop(struct server *server, struct cause *why)
{
    (void)why;
    loop_stop(server->loop);
    return E_OK;
}

/* ---- the machine ---- */

struct step {
    const char *name;
    enum err (*start)(struct server *server, struct cause *why);
};
static const struct step up_steps[] = {
    {"begin", begin},          {"http", open_http},     {"store", open_store},
    {"cache", open_cache},     {"nodes", join_nodes},   {"host", open_host},
    {"router", open_router},   {"caches", open_caches}, {"events", open_events},
    {"functions", start_apps}, {"banner", show_banner}, {"resources", apply_declared},
};
static const struct step down_steps[] = {
    {"functions", drain_host}, {"caches", stop_caches}, {"router", stop_router},
    {"nodes", leave_nodes},    {"http", close_http},    {"clients", close_clients},
    {"cache", close_cache},    {"store", close_store},  {"loop", end_loop},
};

/* walk goes on from server->step until a step waits for its op. */
static enum err walk(struct server *server, const struct step *steps, size_t count,
                     struct cause *why)
{
    while (server->step < count) {
        log_trace("server: %s", steps[server->step].name);
        enum err err = steps[server->step].start(server, why);
        if (err != E_EMPTY)
            return err;
        server->step++;
    }
    return E_OK;
}

static void go_down(struct server *server)
{
    struct cause why;

    server->is_stopping = true;
    server->step = 0;
    (void)walk(server, down_steps, COUNT_OF(down_steps), &why);
}

static void fail(struct server *server, enum err err, const struct cause *why)
{
    server->result = err;
    *server->why = *why;
    go_down(server);
}

static void go_up(struct server *server)
{
    struct cause why = {0};
    enum err err = walk(server, up_steps, COUNT_OF(up_steps), &why);

    if (err)
        fail(server, err, &why);
}

static void on_up(struct op *op, enum err err)
{
    struct server *server = container_of(op, struct server, up);

    if (server->is_stopping)
        return; /* a signal came first */
    if (err) {
        fail(server, err, &op->why);
        return;
    }
    server->step++;
    go_up(server);
}

static void on_down(struct op *op, enum err err)
{
    struct server *server = container_of(op, struct server, down);
    struct cause why;

    if (err == E_TIMEOUT && server->step == 0)
        log_warn("SERVER-CUT", "the drain was cut short: what still ran is delivered again");
    server->step++;
    (void)walk(server, down_steps, COUNT_OF(down_steps), &why);
}

static void on_stop_signal(void *ctx)
{
    struct server *server = ctx;

    if (server->is_stopping && clock_now_ms() - server->told_at_ms < SAME_SIGNAL_MS)
        return;
    if (server->is_stopping) {
        log_warn("SERVER-KILLED", "second signal: ending at once");
        log_flush();
        _exit(1);
    }
    server->told_at_ms = clock_now_ms();
    log_info("SERVER-DRAIN", "stopping: no new work, waiting for what runs (at most %u ms)",
             (unsigned)number(server, SETTING_DRAIN_TIMEOUT_ID));
    go_down(server);
}

/* SIGHUP is also what comes when the terminal is closed; nobody is left then who could stop us. */
static void on_hangup(void *ctx)
{
    struct server *server = ctx;

    if (!server->has_terminal || isatty(STDIN_FILENO))
        on_reload(server);
    else if (!server->is_stopping)
        on_stop_signal(server);
}

static void on_reasons(void *ctx, struct buf *ret)
{
    const struct server *server = ctx;

    if (server->is_stopping)
        buf_add(ret, SLICE("draining\n"));
    else if (!server->is_up)
        buf_addf(ret, "starting: %s\n",
                 server->step < COUNT_OF(up_steps) ? up_steps[server->step].name : "");
    else if (!host_is_started(server->host))
        buf_add(ret, SLICE("functions: not every trigger has had its first answer\n"));
    if (server->is_up && !server->is_stopping && !store_is_up(server->store))
        buf_addf(ret, "store: %s does not answer\n", store_name(server->store));
}

static void on_describe(void *ctx, struct buf *out)
{
    const struct server *server = ctx;
    bool is_ready = server->is_up && !server->is_stopping && host_is_started(server->host);

    member_text(out, "state",
                server->is_stopping ? SLICE("draining")
                : is_ready          ? SLICE("ready")
                                    : SLICE("starting"));
    member_text(out, "node", id_slice(&server->id));
    member_i64(out, "pid", getpid());
    member_u64(out, "uptimeMs", clock_now_ms() - server->started_at_ms);
    member_text(out, "data", slice_of(datadir_path(server->data)));
    if (server->listeners != NULL) { /* HTTPS is closed behind HTTP, and answers until then */
        member_u64(out, "httpPort", listeners_http_port(server->listeners));
        listeners_describe(out, server->listeners);
    }
    member_text(out, "store",
                server->store != NULL ? slice_of(store_name(server->store)) : SLICE_NONE);
    member_bool(out, "storeUp", server->store != NULL && store_is_up(server->store));
    member_text(out, "cache",
                server->cache != NULL ? slice_of(instance_connection(server->cache)) : SLICE_NONE);
    member_u64(out, "pullClients", server->router != NULL ? router_waits(server->router) : 0);
    member_u64(out, "nodes", server->nodes != NULL ? nodes_count(server->nodes) : 0);
}

/* ---- life ---- */

static void server_init(struct server *server, const struct server_options *options,
                        struct cause *why)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

    server->settings = options->settings;
    server->whole_environment = options->environment;
    server->environment = own_child_environment(options->environment);
    server->why = why;
    server->started_at_ms = clock_now_ms();
    server->id = id_secret();
    server->up.done = on_up;
    server->down.done = on_down;
    server->loop = loop_new();
    server->metrics = metrics_new();
    server->logs = log_ring_new(server->loop);
    server->hub = redis_hub_new(server->loop);
    redis_hub_metrics(server->hub, server->metrics);
    own_raise_file_limit();
    server->client = http_client_new(
        server->loop, &(struct http_client_options){.connections_max = HANDLER_CONNECTIONS});
    series_set(metrics_series(server->metrics, METRIC_ID_BUILD_INFO,
                              (const char *const[]){REDGRID_VERSION, NULL}),
               1);
    (void)signal(SIGPIPE, SIG_IGN); /* who reads the log may go */
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        server->watches[i] = signal_watch_new(
            server->loop, numbers[i], numbers[i] == SIGHUP ? on_hangup : on_stop_signal, server);
    server->has_terminal = isatty(STDIN_FILENO);
}

static void server_done(struct server *server)
{
    for (size_t i = 0; i < COUNT_OF(server->watches); i++)
        signal_watch_free(server->watches[i]);
    front_close(&server->front);
    store_free(server->store);
    instance_free(server->cache);
    redis_hub_free(server->hub);
    log_ring_free(server->logs);
    loop_free(server->loop);
    tls_free(server->tls);
    blob_accounts_done(&server->accounts);
    metrics_free(server->metrics);
    datadir_close(server->data);
    free(server->worker_dir);
    free(server->include_dir);
    free(server->cache_dir);
    free((void *)(uintptr_t)server->environment);
}

enum err server_run(const struct server_options *options, struct cause *why)
{
    struct server server = {0};

    mem_return_large();
    own_start_log(options->settings);
    enum err err =
        datadir_open(settings_text(options->settings, SETTING_DATA_ID), &server.data, why);

    if (err)
        return cause_wrap(why, err, "data");
    server_init(&server, options, why);
    go_up(&server);
    loop_run(server.loop);
    if (server.result == E_OK)
        log_info("SERVER-DOWN", "stopped");
    server_done(&server);
    log_flush();
    return server.result;
}
