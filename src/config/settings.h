/* config/settings.h - what an operator can set.
 * Rules: one table. Its rows make the file, the variables, the flags, their help, the sample file
 * and the pages. A value comes from the highest source that names it: default, then file
 * (redgrid.yaml), then environment (REDGRID_*), then flag; the order of reading does not matter.
 * Texts are valid until the setting is reloaded.
 * Relative paths in a file are meant from the file's folder. A secret may be a reference: env:NAME
 * or file:PATH. To add a setting: a row in SETTINGS; then write the generated files anew
 * (CONTRIBUTING). */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/buf.h"

#define SETTING_TEXT_MAX_BYTES 4096
#define SETTING_LIST_MAX 256
#define SETTINGS_FILE_MAX_BYTES (1024 * 1024)

enum setting_type {
    SETTING_TEXT,
    SETTING_SECRET, /* never shown */
    SETTING_PATH,
    SETTING_PATHS,   /* several */
    SETTING_NAMES,   /* several */
    SETTING_SECRETS, /* several */
    SETTING_BOOL,
    SETTING_NUMBER,  /* min..max, of `extra` */
    SETTING_CHOICE,  /* one of the words in `extra` */
    SETTING_ADDRESS, /* host:port, [v6]:port; or the word in `extra` */
};

/* id, name, type, default, min, max, unit or choices, when a change takes effect, flag, what the
 * flag takes, description */
#define SETTINGS(X)                                                                                \
    X(APP, "app", PATHS, "", 0, 0, "", LIVE, "--app", "DIR...",                                    \
      "Folders of the function apps to run.")                                                      \
    X(FUNCTIONS, "functions", NAMES, "", 0, 0, "", RESTART, "--functions", "NAME...",              \
      "Run only these functions; empty runs all.")                                                 \
    X(CONFIG, "config", PATH, "", 0, 0, "", RESTART, "--config", "FILE",                           \
      "File with settings; ./redgrid.yaml is read if it is there.")                                \
    X(DATA, "data", PATH, ".redgrid", 0, 0, "", RESTART, "--data", "DIR",                          \
      "Where this server keeps its state. One server at a time.")                                  \
    X(STORE, "store", SECRET, "", 0, 0, "", RESTART, "--store", "CONNECTION",                      \
      "Connection string of the store to use; empty runs a private redis-server.")                 \
    X(STORE_FSYNC, "store.fsync", CHOICE, "always", 0, 0, "always everysec no", RESTART,           \
      "--store-fsync", "WHEN",                                                                     \
      "When the private store writes to the disk: always survives a power cut.")                   \
    X(STORE_SERVER, "store.server", TEXT, "", 0, 0, "", RESTART, "--store-server", "PROGRAM",      \
      "Server program to run; empty takes redis-server or valkey-server from the PATH.")           \
    X(LISTEN, "listen", ADDRESS, "127.0.0.1:7070", 0, 0, "", RESTART, "--listen", "ADDR:PORT",     \
      "Address for HTTP; port 0 takes a free one. Beyond loopback listen.token is demanded.")      \
    X(LISTEN_HTTPS, "listen_https", ADDRESS, "127.0.0.1:7443", 0, 0, "off", RESTART,               \
      "--listen-https", "ADDR:PORT",                                                               \
      "Address for HTTPS, with a certificate of DATA/tls/ca.crt; port 0 takes a free one; or "     \
      "off.")                                                                                      \
    X(LISTEN_NAMES, "listen.names", NAMES, "", 0, 0, "", RESTART, "--listen-names", "NAME...",     \
      "Names and addresses by which others reach listen_https, for its certificate.")              \
    X(LISTEN_CERT, "listen.cert", PATH, "", 0, 0, "", RESTART, "--listen-cert", "FILE",            \
      "Certificate of your own for listen_https, with its chain (PEM); empty makes one.")          \
    X(LISTEN_KEY, "listen.key", PATH, "", 0, 0, "", RESTART, "--listen-key", "FILE",               \
      "The key of listen.cert (PEM).")                                                             \
    X(PUBLIC_URL, "public_url", TEXT, "", 0, 0, "", RESTART, "--public-url", "URL",                \
      "How others reach this server, behind a proxy; empty takes what each request says.")         \
    X(LISTEN_TOKEN, "listen.token", SECRET, "", 0, 0, "", LIVE, "--listen-token", "TOKEN",         \
      "What callers must send as 'Authorization: Bearer TOKEN'; empty demands nothing.")           \
    X(AZURE_CLIENT_ID, "azure.client_id", TEXT, "00000000-0000-0000-0000-000000000003", 0, 0, "",  \
      LIVE, "--azure-client-id", "ID",                                                             \
      "Client id of the service principal that az and Azure's SDKs log in as.")                    \
    X(AZURE_CLIENT_SECRET, "azure.client_secret", SECRET, "", 0, 0, "", LIVE,                      \
      "--azure-client-secret", "SECRET", "Its secret; empty: listen.token is its secret.")         \
    X(LOG_LEVEL, "log.level", CHOICE, "info", 0, 0, "trace debug info warn error none", LIVE,      \
      "--log-level", "LEVEL", "Lowest level of log lines that is written.")                        \
    X(LOG_FORMAT, "log.format", CHOICE, "human", 0, 0, "human json", LIVE, "--log", "FORMAT",      \
      "How log lines look.")                                                                       \
    X(DRAIN_TIMEOUT, "drain.timeout_ms", NUMBER, "10000", 0, 3600000, "ms", LIVE,                  \
      "--drain-timeout", "MS",                                                                     \
      "How long a stop waits for what runs; it is delivered again later if cut short.")            \
    X(WORKERS_MIN, "workers.min", NUMBER, "1", 0, 20, "processes", LIVE, "--workers-min", "N",     \
      "Worker processes that an app has at least.")                                                \
    X(WORKERS_MAX, "workers.max", NUMBER, "4", 1, 20, "processes", LIVE, "--workers-max", "N",     \
      "Worker processes that an app has at most, however long its backlog is.")                    \
    X(WORKERS_DIR, "workers.dir", PATH, "", 0, 0, "", RESTART, "--workers-dir", "DIR",             \
      "Where the built-in language workers are; empty finds them beside the program.")             \
    X(CACHE_AUTO, "cache.auto", BOOL, "true", 0, 0, "", RESTART, "--cache-auto", "YES|NO",         \
      "Run a Redis for apps that name a connection which nothing explains.")                       \
    X(CACHE_PORT, "cache.port", NUMBER, "6379", 1, 65535, "", RESTART, "--cache-port", "PORT",     \
      "Port of that Redis, on 127.0.0.1; the next free one when it is taken.")                     \
    X(RESOURCES, "resources", PATHS, "", 0, 0, "", LIVE, "--resources", "FILE...",                 \
      "Files that declare topics and subscriptions, which are made at the start, as `redgrid "     \
      "apply` makes them.")                                                                        \
    X(TOPICS_MAX, "topics.max", NUMBER, "100", 1, 100000, "topics", RESTART, "--topics-max", "N",  \
      "How many topics there may be.")                                                             \
    X(TOPICS_SUBSCRIPTIONS_MAX, "topics.subscriptions_max", NUMBER, "500", 1, 100000,              \
      "subscriptions", RESTART, "--topics-subscriptions-max", "N",                                 \
      "How many event subscriptions one topic may have.")                                          \
    X(DELIVERY_ALLOW_HTTP, "delivery.allow_http", BOOL, "false", 0, 0, "", RESTART,                \
      "--delivery-allow-http", "YES|NO",                                                           \
      "Let webhooks be http:// beyond loopback too; what they are sent travels unencrypted.")      \
    X(DELIVERY_ALLOW_PRIVATE, "delivery.allow_private", BOOL, "true", 0, 0, "", RESTART,           \
      "--delivery-allow-private", "YES|NO",                                                        \
      "Let webhooks be in private networks (10/8, 192.168/16, fc00::/7, ..).")                     \
    X(DELIVERY_TIMEOUT, "delivery.timeout_ms", NUMBER, "30000", 100, 120000, "ms", RESTART,        \
      "--delivery-timeout", "MS", "How long a webhook may take to answer a delivery.")             \
    X(DELIVERY_WINDOW, "delivery.window", NUMBER, "64", 1, 10000, "events", RESTART,               \
      "--delivery-window", "N",                                                                    \
      "Events under way to one endpoint at a time; of batches, two at least.")                     \
    X(DELIVERY_VALIDATION, "delivery.validation_ms", NUMBER, "600000", 1, 86400000, "ms", RESTART, \
      "--delivery-validation", "MS",                                                               \
      "How long a webhook that did not answer its handshake may be confirmed by hand.")            \
    X(STORAGE_ACCOUNTS, "storage.accounts", SECRETS, "", 0, 0, "", RESTART, "--storage-accounts",  \
      "CONNECTION...",                                                                             \
      "Storage accounts for dead letters: connection strings, AccountName=..;AccountKey=..;..")    \
    X(CACHES_ADDRESS, "caches.address", NAMES, "", 0, 0, "", RESTART, "--caches-address",          \
      "ADDR...",                                                                                   \
      "Addresses of this machine at which clients reach managed caches; empty is 127.0.0.1.")      \
    X(CACHES_HOST_NAME, "caches.host_name", TEXT, "", 0, 0, "", RESTART, "--caches-host-name",     \
      "NAME", "Name by which clients reach managed caches; empty is the first address.")           \
    X(CACHES_PORT, "caches.port", NUMBER, "6379", 1, 65000, "", RESTART, "--caches-port", "PORT",  \
      "The first port that is tried for a managed cache.")                                         \
    X(CACHES_NODE_NETWORK, "caches.node_network", TEXT, "127.77.0.0/16", 0, 0, "", RESTART,        \
      "--caches-node-network", "NETWORK",                                                          \
      "Internal addresses of the servers of managed caches, one each.")                            \
    X(CACHES_SERVER, "caches.server", TEXT, "", 0, 0, "", RESTART, "--caches-server", "PROGRAM",   \
      "Server program of managed caches; empty takes redis-server or valkey-server from the "      \
      "PATH.")                                                                                     \
    X(CACHES_MAX_MEMORY, "caches.max_memory_mb", NUMBER, "1024", 0, 16777216, "MB", RESTART,       \
      "--caches-max-memory", "MB",                                                                 \
      "What one server of a managed cache may hold, whatever its size says; 0 = its size.")        \
    X(CACHES_MEMORY_BUDGET, "caches.memory_budget", NUMBER, "75", 0, 1000, "percent", RESTART,     \
      "--caches-memory-budget", "PERCENT",                                                         \
      "What all servers of managed caches may hold, of the physical memory; 0 = no limit.")        \
    X(CACHES_DETACH, "caches.detach", BOOL, "false", 0, 0, "", RESTART, "--caches-detach",         \
      "YES|NO", "Let the servers of managed caches outlive this server.")                          \
    X(CACHES_TLS, "caches.tls", BOOL, "true", 0, 0, "", RESTART, "--caches-tls", "YES|NO",         \
      "Give managed caches a TLS port beside the plain one.")                                      \
    X(CACHES_NOTICE, "caches.notice_ms", NUMBER, "0", 0, 3600000, "ms", RESTART,                   \
      "--caches-notice", "MS", "How long before maintenance the clients of a cache are told.")     \
    X(CACHES_HANG, "caches.hang_ms", NUMBER, "15000", 1000, 600000, "ms", RESTART,                 \
      "--caches-hang", "MS", "A server that says nothing for this long is killed.")                \
    X(CACHES_SYNC_TIMEOUT, "caches.sync_timeout_ms", NUMBER, "60000", 1000, 86400000, "ms",        \
      RESTART, "--caches-sync-timeout", "MS",                                                      \
      "How long a replica may take to get in sync, and 1 ms more for each 10 KB.")                 \
    X(CACHES_FILE_DIRS, "caches.file_dirs", PATHS, "", 0, 0, "", RESTART, "--caches-file-dirs",    \
      "DIR...", "Folders that file: URLs of import and export may name.")                          \
    X(CACHES_PATCH, "caches.patch", CHOICE, "manual", 0, 0, "manual window", RESTART,              \
      "--caches-patch", "WHEN",                                                                    \
      "window: a changed server program is rolled out in the patch window of each cache.")         \
    X(NODES_HEARTBEAT, "nodes.heartbeat_ms", NUMBER, "1000", 100, 60000, "ms", RESTART,            \
      "--nodes-heartbeat", "MS", "How often this server says in the store that it lives.")         \
    X(NODES_DEAD, "nodes.dead_ms", NUMBER, "3000", 300, 600000, "ms", RESTART, "--nodes-dead",     \
      "MS", "How long another server may be silent before its messages are taken over.")

#define SETTING_ENUM(id, ...) SETTING_##id##_ID,
enum setting_id { SETTINGS(SETTING_ENUM) SETTING_COUNT };
#undef SETTING_ENUM

/* When a change of the file takes effect: at SIGHUP, or not before the next start. */
enum setting_when { SETTING_RESTART, SETTING_LIVE };

enum setting_source { SETTING_DEFAULT, SETTING_FILE, SETTING_VARIABLE, SETTING_FLAG };

struct setting {
    const char *name;
    enum setting_type type;
    const char *value; /* the default */
    uint64_t min, max;
    const char *extra; /* the unit of a number, the words of a choice, none of an address */
    enum setting_when when;
    const char *flag;
    const char *takes;
    const char *description;
};
extern const struct setting setting_rows[SETTING_COUNT];

struct settings;

struct settings *settings_new(void); /* all defaults */
void settings_free(struct settings *settings);

/* settings_set gives a setting a value from a source; a list grows by it. A lower source than the
 * one in force changes nothing. `base` is the folder from which relative paths are meant, or NULL.
 * E_BAD_INPUT with the setting's name, what is wrong, and what would be right; then nothing
 * changed. */
enum err settings_set(struct settings *settings, enum setting_id id, enum setting_source source,
                      struct slice value, const char *base, struct cause *why);

/* settings_read_file reads a YAML file: `name: value`, or a mapping for the part before the dot.
 * Stops at the first mistake: E_BAD_INPUT with "file:line:column: setting: ..."; E_NOT_FOUND,
 * E_DENIED, E_IO. */
enum err settings_read_file(struct settings *settings, const char *path, struct cause *why);
/* settings_read_environment reads REDGRID_* out of "NAME=value"; the names of others are ignored.
 * A list is separated by ':' (paths) or ','. */
enum err settings_read_environment(struct settings *settings, const char *const *environment,
                                   struct cause *why);
/* settings_read_flag reads the flag at args[0] and its values: E_OK and *ret_used; E_NOT_FOUND if
 * no setting has it; E_BAD_INPUT. Both --flag VALUE and --flag=VALUE; lists take every value up to
 * the next flag. */
enum err settings_read_flag(struct settings *settings, char *const *args, size_t count,
                            size_t *ret_used, struct cause *why);

/* settings_check finds what is wrong between settings (workers.min above workers.max). */
enum err settings_check(const struct settings *settings, struct cause *why);
/* settings_is_open: can this address be reached from other machines? */
bool settings_is_open(const struct settings *settings, enum setting_id id);

/* settings_load reads the environment and the file (./redgrid.yaml if none is named and it is
 * there), and checks all of it. */
enum err settings_load(struct settings *settings, const char *const *environment,
                       struct cause *why);
/* settings_reload loads once more. What is SETTING_LIVE and differs is in force then: `taken` tells
 * it, "log.level = debug, app"; what differs and takes a restart stays as it was: `kept` names it.
 * An error leaves all as it was. */
enum err settings_reload(struct settings *settings, const char *const *environment,
                         struct buf *taken, struct buf *kept, struct cause *why);

/* The values; texts are borrowed. A list is NULL-terminated. */
const char *settings_text(const struct settings *settings, enum setting_id id);
uint64_t settings_number(const struct settings *settings, enum setting_id id);
bool settings_bool(const struct settings *settings, enum setting_id id);
const char *const *settings_list(const struct settings *settings, enum setting_id id);
enum setting_source settings_source(const struct settings *settings, enum setting_id id);
/* settings_address splits "host:port"; the host without its brackets, free() ends it. The text of
 * an address setting splits, unless it is the word that turns it off. */
bool settings_address(struct slice text, char **ret_host, uint16_t *ret_port);

/* setting_is_list, setting_is_secret: of a type. */
bool setting_is_list(enum setting_type type);
bool setting_is_secret(enum setting_type type);
/* setting_find: false if there is no such setting. */
bool setting_find(struct slice name, enum setting_id *ret);
/* setting_variable writes the name of its environment variable: REDGRID_STORE_FSYNC. */
void setting_variable(enum setting_id id, struct buf *out);

/* What the rows make: the sample redgrid.yaml, the page for docs/, the flags for --help. */
void settings_write_sample(struct buf *out);
void settings_write_docs(struct buf *out);
void settings_write_help(struct buf *out);
void settings_write_man(struct buf *out); /* roff */

#endif
