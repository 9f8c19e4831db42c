/* Which server a function's connection property means (functions.md 4.2). */
#include "apps/app.h"

#include <string.h>

#include "apps/settings.h"
#include "base/buf.h"
#include "base/mem.h"

#define NAME_MAX_BYTES 4096

static const char *look_up(const struct app *app, const char *prefix, const char *name,
                           const char *suffix)
{
    struct buf full;

    buf_init(&full, NAME_MAX_BYTES);
    buf_addf(&full, "%s%s%s", prefix, name, suffix);
    const char *value = buf_err(&full) ? NULL : app_setting(app, buf_slice(&full));
    buf_done(&full);
    return value;
}

/* GA lets a connection be a group of settings that name an identity instead of a password. */
static enum err check_identity(const struct app *app, const char *name, const char *found,
                               struct cause *why)
{
    if (look_up(app, "", name, ":redisHostName") == NULL)
        return E_OK;
    if (found != NULL)
        return cause_set(why, E_BAD_INPUT,
                         "connection '%s' is both a connection string and the setting "
                         "%s__redisHostName; remove one",
                         name, name);
    if (look_up(app, "", name, ":principalId") == NULL)
        return cause_set(why, E_BAD_INPUT,
                         "connection '%s': %s__redisHostName needs %s__principalId", name, name,
                         name);
    return cause_set(why, E_UNSUPPORTED,
                     "connection '%s' uses an identity, for which this build cannot fetch tokens; "
                     "set a connection string with user and password instead",
                     name);
}

enum err app_connection(const struct app *app, const char *name, const char **ret,
                        bool *ret_is_literal, struct cause *why)
{
    static const char *const prefixes[] = {"ConnectionStrings:AzureWebJobs", "AzureWebJobs",
                                           "ConnectionStrings:", ""};
    const char *found = NULL;

    for (size_t i = 0; i < COUNT_OF(prefixes) && found == NULL; i++)
        found = look_up(app, prefixes[i], name, "");
    enum err err = check_identity(app, name, found, why);
    if (err)
        return err;
    *ret_is_literal = found == NULL;
    *ret = found != NULL ? found : name;
    return E_OK;
}

enum err environment_connection(const char *const *environment, const char *name, char **ret,
                                bool *ret_is_literal, struct cause *why)
{
    struct app app = {0};
    const char *text;

    settings_take(&app, environment);
    enum err err = app_connection(&app, name, &text, ret_is_literal, why);
    if (err == E_OK)
        *ret = slice_dup(slice_of(text));
    settings_done(&app);
    return err;
}

bool app_names_no_server(const char *literal)
{
    return strpbrk(literal, ".:,=!") == NULL &&
           !slice_eq_nocase(slice_trim(slice_of(literal)), SLICE("localhost"));
}
