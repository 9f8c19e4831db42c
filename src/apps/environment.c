#include "apps/environment.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define OWN_PREFIX "REDGRID_"

static void add(struct environment *environment, char *item)
{
    environment->items =
        mem_resize(environment->items, environment->count + 2, sizeof *environment->items);
    environment->items[environment->count++] = item;
    environment->items[environment->count] = NULL;
}

static bool has_name(const char *item, const char *name)
{
    size_t len = strlen(name);
    return strncmp(item, name, len) == 0 && item[len] == '=';
}

void environment_init(struct environment *environment, char *const *items)
{
    *environment = (struct environment){.items = mem_new(char *)};
    for (; *items != NULL; items++)
        add(environment, mem_dup(*items, strlen(*items)));
}

void environment_init_app(struct environment *environment, const struct app *app)
{
    *environment = (struct environment){.items = mem_new(char *)};
    char **items = app_environment(app);
    for (char **at = items; *at != NULL; at++)
        if (strncmp(*at, OWN_PREFIX, strlen(OWN_PREFIX)) != 0)
            add(environment, mem_dup(*at, strlen(*at)));
    strings_free(items);
}

void environment_done(struct environment *environment)
{
    for (size_t i = 0; i < environment->count; i++)
        free(environment->items[i]);
    free(environment->items);
    *environment = (struct environment){0};
}

const char *environment_get(const struct environment *environment, const char *name)
{
    for (size_t i = 0; i < environment->count; i++)
        if (has_name(environment->items[i], name))
            return environment->items[i] + strlen(name) + 1;
    return NULL;
}

void environment_set(struct environment *environment, const char *name, const char *value)
{
    struct buf item;
    buf_init(&item, strlen(name) + strlen(value) + 2);
    buf_addf(&item, "%s=%s", name, value);
    char *text = buf_detach(&item);
    for (size_t i = 0; i < environment->count; i++)
        if (has_name(environment->items[i], name)) {
            free(environment->items[i]);
            environment->items[i] = text;
            return;
        }
    add(environment, text);
}

void environment_default(struct environment *environment, const char *name, const char *value)
{
    if (environment_get(environment, name) == NULL)
        environment_set(environment, name, value);
}
