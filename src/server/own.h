/* server/own.h - what the daemon makes of its own process. */
#ifndef SERVER_OWN_H
#define SERVER_OWN_H

#include "config/settings.h"

/* own_start_log opens the log on standard output, as the settings say. */
void own_start_log(const struct settings *settings);
/* own_child_environment is the environment without our own variables, which may hold secrets: its
 * children do without. The texts are borrowed; free() ends the list. */
const char *const *own_child_environment(const char *const *all);
/* own_raise_file_limit allows as many open files as are of use. */
void own_raise_file_limit(void);

/* own_redis finds the connection string behind `name`, which may be one itself, by our environment:
 * E_OK and *ret, free() ends it. A name that nothing explains means `cache`, the server that was
 * started for such; if that is NULL: E_BAD_INPUT. */
enum err own_redis(const char *const *environment, const char *cache, const char *name, char **ret,
                   struct cause *why);

struct blob_accounts;
struct http_client;
struct loop;
struct tls;

/* own_webhooks makes the client of deliveries, and its TLS (NULL, and a warning: there is none). */
struct http_client *own_webhooks(struct loop *loop, const struct settings *settings,
                                 struct tls **ret_tls);
/* own_accounts reads storage.accounts; E_BAD_INPUT names it. */
enum err own_accounts(const struct settings *settings, struct blob_accounts *accounts,
                      struct cause *why);

#endif
