/* apps/environment.h - the environment of a child process.
 * Rules: a name is in it once. To start: environment_init_app(). */
#ifndef APPS_ENVIRONMENT_H
#define APPS_ENVIRONMENT_H

#include "apps/app.h"

struct environment {
    char **items; /* "NAME=value", NULL-terminated */
    size_t count;
};

/* environment_init copies a NULL-terminated list. environment_init_app takes an app's settings and
 * what the app inherits, without the daemon's own REDGRID_* variables, which hold secrets. */
void environment_init(struct environment *environment, char *const *items);
void environment_init_app(struct environment *environment, const struct app *app);
void environment_done(struct environment *environment); /* leaves zeroes */

/* environment_get: the value, or NULL. */
const char *environment_get(const struct environment *environment, const char *name);
void environment_set(struct environment *environment, const char *name, const char *value);
/* environment_default sets it where it is not set. */
void environment_default(struct environment *environment, const char *name, const char *value);

#endif
