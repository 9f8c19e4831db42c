/* redis/options.h - what a connection string says.
 * Sources: StackExchange.Redis configuration strings (functions.md 4.3 of the specification), and
 * the URL forms redis://, rediss://, unix://. */
#ifndef REDIS_OPTIONS_H
#define REDIS_OPTIONS_H

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define REDIS_ENDPOINTS_MAX 16

struct redis_endpoint {
    char *host; /* or NULL, and then */
    char *path; /* a unix socket */
    uint16_t port;
};

/* Counted reference: redis_options_ref, redis_options_unref. Read-only after parsing. */
struct redis_options {
    uint32_t refs;
    struct redis_endpoint endpoints[REDIS_ENDPOINTS_MAX];
    size_t endpoint_count;
    char *user, *password; /* NULL = none */
    int64_t database;
    bool is_tls;
    char *tls_host; /* NULL = the endpoint's */
    char *ca_file, *cert_file, *key_file;
    bool is_tls_insecure;
    bool only_tls12, only_tls13, check_revocation;
    char *client_name; /* NULL = the caller's choice */
    uint32_t connect_timeout_ms, command_timeout_ms;
    uint32_t keepalive_s; /* idle PING; 0 = none */
    char *channel_prefix; /* "" = none */
    char *service_name;   /* Sentinel: name of the group; NULL = no Sentinel */
    char *sentinel_user, *sentinel_password;
    bool can_block;           /* false behind proxies */
    uint32_t assumed_version; /* 0xMMmmpp, when INFO is refused */
    int protocol;             /* 2 or 3; 0 = 2 */
    bool set_library_name;
    char **renames; /* pairs: COMMAND (upper case), alias ("" = disabled); NULL-terminated */
};

/* redis_options_parse: E_OK and *ret (one reference); or E_BAD_INPUT with a text as in
 * functions.md 4.3. The password never stands in a text. */
enum err redis_options_parse(struct slice text, struct redis_options **ret, struct cause *why);
struct redis_options *redis_options_ref(struct redis_options *options);
struct redis_options *redis_options_unref(struct redis_options *options); /* NULL, always */
/* redis_options_same: would two strings lead to interchangeable connections? */
bool redis_options_same(const struct redis_options *a, const struct redis_options *b);
/* redis_options_name writes "host:port/db" (or the path) for log lines and labels; never a secret.
 */
void redis_options_name(const struct redis_options *options, char *ret, size_t ret_size);

#endif
