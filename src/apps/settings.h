/* apps/settings.h - an app's settings: local.settings.json below, the environment above.
 * Rules: inner to the app loader; others read app_setting(). Names ignore case, ':' equals '__'. */
#ifndef APPS_SETTINGS_H
#define APPS_SETTINGS_H

#include "apps/app.h"

struct app_setting {
    char *name; /* as written */
    char *value;
};

/* settings_read fills app->settings. E_OK; or an error whose text names file and field, with what
 * was read so far in place. Blocks on the disk. */
enum err settings_read(struct app *app, const char *const *environment, struct cause *why);
/* settings_take adds what the environment holds. */
void settings_take(struct app *app, const char *const *environment);
void settings_done(struct app *app);

/* settings_expand replaces every %name% by the setting of that name. *ret is always a new string.
 * false: a name is unknown or a '%' has no partner, then *ret is a copy of `text`. */
bool settings_expand(const struct app *app, const char *text, char **ret);
/* settings_expand_argument does it for arguments of a program: unknown names are deleted, a lone
 * '%' stays. A new string. */
char *settings_expand_argument(const struct app *app, const char *text);

/* text_lower is a new string in lower case (ASCII). */
char *text_lower(const char *text);

/* strings_add puts a string into a NULL-terminated array, which may be NULL at first; takes `text`.
 */
void strings_add(char ***strings, char *text);
/* strings_addf formats the new string. */
void strings_addf(char ***strings, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
