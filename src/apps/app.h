/* apps/app.h - a function app as its files declare it: host.json, local.settings.json,
 * function.json. Rules: pure but for reading files; nothing here talks to Redis or starts a
 * process. Every mistake names file and field. A faulty function carries its error and stands
 * beside the good ones; a faulty host.json is the app's error. Behaviour: functions.md 1 to 6 of
 * the specification. */
#ifndef APPS_APP_H
#define APPS_APP_H

#include "base/buf.h"
#include "base/log.h"
#include "base/map.h"

enum trigger_type { TRIGGER_NONE, TRIGGER_LIST, TRIGGER_STREAM, TRIGGER_PUBSUB, TRIGGER_EVENT };
enum payload_mode { PAYLOAD_MODEL, PAYLOAD_GA, PAYLOAD_VALUE };
enum data_type { DATA_STRING, DATA_BINARY };
enum direction { DIRECTION_IN, DIRECTION_OUT, DIRECTION_INOUT };
enum retry_strategy { RETRY_NONE, RETRY_FIXED, RETRY_EXPONENTIAL };

struct retry_policy {
    enum retry_strategy strategy;
    int32_t max_retries;            /* -1 = no end */
    int64_t delay_ms;               /* fixed */
    int64_t minimum_ms, maximum_ms; /* exponential */
};

/* The trigger of a function, with aliases resolved, defaults applied and %names% replaced. */
struct trigger {
    enum trigger_type type;
    char *name;       /* parameter */
    char *connection; /* as written, %names% replaced: for app_connection(); NULL for events */
    bool uses_ga_names;
    enum payload_mode payload;
    enum data_type data_type;
    bool is_batch; /* cardinality many */
    /* list, stream */
    char *key_text; /* all keys, as written */
    char **keys;    /* each, in this order */
    size_t key_count;
    uint32_t polling_interval_ms;
    uint32_t messages_per_worker; /* the scaling divisor D */
    uint32_t count;               /* entries in flight */
    bool is_polling_fixed;
    bool ack_on_failure;
    int32_t max_deliveries; /* -1 = no limit */
    char *dead_letter_key;  /* NULL = redgrid:{tag}:dead:<function> */
    uint32_t claim_idle_ms;
    /* list */
    bool pops_head;
    bool is_reliable;
    /* stream */
    bool delete_after;
    char *consumer_group;
    bool starts_at_end; /* startFrom "$" */
    /* pub/sub and events */
    uint32_t max_concurrency;
    /* pub/sub */
    char *channel;
    bool is_pattern; /* PSUBSCRIBE */
    bool every_node;
    uint32_t queue_limit;
};

/* A binding of type redis, besides the trigger. */
struct redis_binding {
    char *name;
    char *connection;
    char *command; /* input: the whole template; output: the bare command. %names% replaced */
    enum direction direction;
    enum data_type data_type;
};

struct function {
    struct app *app;
    char *name;
    char *directory;   /* absolute */
    char *script_file; /* absolute; NULL for custom handlers */
    char *entry_point; /* NULL = the language's default */
    struct trigger trigger;
    struct redis_binding *bindings;
    size_t binding_count;
    struct retry_policy retry; /* its own, else host.json's */
    bool is_disabled;
    char *error;        /* why it cannot run; NULL = it can */
    char **warnings;    /* NULL-terminated; may be NULL */
    char *raw_bindings; /* the JSON text of "bindings", for workers */
};

struct custom_handler {
    char *executable;        /* NULL = none declared */
    char **arguments;        /* all of them in order, %VAR% replaced; NULL-terminated */
    char *working_directory; /* absolute */
    uint32_t initialization_timeout_ms;
};

struct app_options {
    const char *directory;
    const char *const *only; /* --functions: names, NULL-terminated; NULL = all */
    const char *const
        *environment; /* "NAME=value", NULL-terminated: wins over local.settings.json */
};

struct app {
    char *directory; /* absolute */
    char *name;      /* setting WEBSITE_SITE_NAME, else the folder's name */
    char *runtime; /* FUNCTIONS_WORKER_RUNTIME, lower case; guessed from the scripts when unset; ""
                      = unknown */
    char *error;   /* why none of it can run; NULL = it can */
    char **warnings; /* NULL-terminated; may be NULL */
    struct function *
        *functions; /* by name; those that --functions or host.json leave out are not here */
    size_t function_count;
    int64_t function_timeout_ms; /* -1 = none */
    struct custom_handler handler;
    enum log_level log_default;
    struct map log_levels; /* category -> (void *)(intptr_t)(level + 1) */
    struct map settings;   /* lower-cased name -> struct app_setting; app_setting() reads it */
};

/* app_load reads an app's files. Blocks on the disk, touches nothing shared: made for work_run().
 * Always gives an app; what is wrong stands in app->error and function->error. */
struct app *app_load(const struct app_options *options);
void app_free(struct app *app); /* NULL is fine */

/* app_setting: the value from the environment or local.settings.json, or NULL. Names ignore case;
 * ':' and '__' are the same. */
const char *app_setting(const struct app *app, struct slice name);

/* app_environment writes NAME=value for every setting of local.settings.json and of the environment
 * given to app_load, for a child; NULL-terminated, strings_free() ends it. */
char **app_environment(const struct app *app);
void strings_free(char **strings);

/* app_connection finds the connection string behind a trigger's connection property
 * (functions.md 4.2). E_OK: *ret is the text, borrowed from the app or from `name`; *ret_is_literal
 * tells that no setting has that name. E_UNSUPPORTED, E_BAD_INPUT: text in why. */
enum err app_connection(const struct app *app, const char *name, const char **ret,
                        bool *ret_is_literal, struct cause *why);
/* environment_connection finds the connection string behind a name in the same way, by an
 * environment alone. E_OK: *ret is a copy, free() ends it. */
enum err environment_connection(const char *const *environment, const char *name, char **ret,
                                bool *ret_is_literal, struct cause *why);
/* app_names_no_server: a literal that cannot be an address (none of . : , = ! and not localhost).
 */
bool app_names_no_server(const char *literal);

/* app_log_level is the lowest level for a category: the longest matching prefix of host.json's
 * logLevel, else its default, else LOG_INFO. Category "Function.orders" is a match for "Function".
 */
enum log_level app_log_level(const struct app *app, struct slice category);

#endif
