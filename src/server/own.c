#include "server/own.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "apps/app.h"
#include "base/log.h"
#include "base/mem.h"
#include "blob/account.h"
#include "http/client.h"
#include "loop/address.h"
#include "loop/stream.h"

#define FILES_MAX 65536
#define WEBHOOK_CONNECTIONS 10000 /* each subscription's window limits them */

void own_start_log(const struct settings *settings)
{
    enum log_level level = LOG_INFO;

    (void)log_level_parse(slice_of(settings_text(settings, SETTING_LOG_LEVEL_ID)), &level);
    log_open(STDOUT_FILENO, level,
             slice_eq(slice_of(settings_text(settings, SETTING_LOG_FORMAT_ID)), SLICE("json")));
}

const char *const *own_child_environment(const char *const *all)
{
    size_t count = 0, kept = 0;

    while (all[count] != NULL)
        count++;
    const char **some = mem_new_array(count + 1, const char *);
    for (size_t i = 0; i < count; i++)
        if (!slice_has_prefix(slice_of(all[i]), SLICE("REDGRID_")))
            some[kept++] = all[i];
    return some;
}

/* Every run of a custom handler has a connection; 1024 files, as is usual, would not be enough. */
void own_raise_file_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= FILES_MAX)
        return;
    files.rlim_cur = files.rlim_max < FILES_MAX ? files.rlim_max : FILES_MAX;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

enum err own_redis(const char *const *environment, const char *cache, const char *name, char **ret,
                   struct cause *why)
{
    bool is_literal;
    char *text;
    enum err err = environment_connection(environment, name, &text, &is_literal, why);

    if (err != E_OK)
        return err;
    if (!is_literal || !app_names_no_server(name)) {
        *ret = text;
        return E_OK;
    }
    free(text);
    if (cache == NULL)
        return cause_set(why, E_BAD_INPUT,
                         "'%.64s' is neither the address of a Redis nor a name that redgrid's "
                         "environment explains: set ConnectionStrings__NAME or NAME there",
                         name);
    *ret = slice_dup(slice_of(cache));
    return E_OK;
}

struct http_client *own_webhooks(struct loop *loop, const struct settings *settings,
                                 struct tls **ret_tls)
{
    unsigned own = settings_bool(settings, SETTING_DELIVERY_ALLOW_PRIVATE_ID)
                       ? ADDRESS_LOOPBACK | ADDRESS_PRIVATE
                       : ADDRESS_LOOPBACK;
    struct cause why = {0};
    enum err err = tls_new(&(struct tls_options){0}, ret_tls, &why);

    if (err)
        log_warn("DELIVERY-TLS", "webhooks at https:// cannot be called: %s",
                 cause_text(&why, err));
    return http_client_new(
        loop, &(struct http_client_options){
                  .connections_max = WEBHOOK_CONNECTIONS,
                  .tls = *ret_tls,
                  .tls_reaches = own | ADDRESS_PUBLIC,
                  .plain_reaches = settings_bool(settings, SETTING_DELIVERY_ALLOW_HTTP_ID)
                                       ? own | ADDRESS_PUBLIC
                                       : ADDRESS_LOOPBACK});
}

enum err own_accounts(const struct settings *settings, struct blob_accounts *accounts,
                      struct cause *why)
{
    const char *const *said = settings_list(settings, SETTING_STORAGE_ACCOUNTS_ID);

    for (; *said != NULL; said++) {
        enum err err = blob_accounts_add(accounts, slice_of(*said), why);
        if (err)
            return cause_wrap(why, err, "storage.accounts");
    }
    return E_OK;
}
