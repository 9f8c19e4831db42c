/* apps/app_fixture.h - for tests: function apps in a folder that goes away.
 * Rules: include <setjmp.h>, <stdarg.h>, <stddef.h> and <cmocka.h> first. */
#ifndef APPS_APP_FIXTURE_H
#define APPS_APP_FIXTURE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/app.h"

#define HOST "{\"version\":\"2.0\"}"
#define LIST(rest)                                                                                 \
    "{\"type\":\"redisListTrigger\",\"name\":\"e\",\"connectionStringSetting\":"                   \
    "\"localhost\"," rest "}"
#define ALONE(rest) "{\"bindings\":[" LIST(rest) "]}" /* a function.json with that trigger only */
#define LIST_FUNCTION ALONE("\"key\":\"q\"")

/* A folder of files that goes away with the test. */
struct folder {
    char path[64];
};

static inline void folder_make(struct folder *folder)
{
    *folder = (struct folder){"/tmp/redgrid-app-XXXXXX"};
    assert_non_null(mkdtemp(folder->path));
}

static inline int remove_one(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
    (void)info;
    (void)flag;
    (void)walk;
    return remove(path);
}

static inline void folder_remove(struct folder *folder)
{
    nftw(folder->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void put(const struct folder *folder, const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static inline struct app *load(const struct folder *folder, const char *const *environment,
                               const char *const *only)
{
    return app_load(&(struct app_options){folder->path, only, environment});
}

/* An app with one function F whose function.json is `text`. */
static inline struct app *load_one(const char *text, const char *const *environment)
{
    struct folder folder;

    folder_make(&folder);
    put(&folder, "host.json", HOST);
    put(&folder, "F/function.json", text);
    put(&folder, "F/run.py", "");
    struct app *app = load(&folder, environment, NULL);
    folder_remove(&folder);
    assert_null(app->error);
    assert_int_equal(app->function_count, 1);
    return app;
}

static inline void assert_contains(const char *text, const char *part)
{
    if (part == NULL ? text != NULL : text == NULL || strstr(text, part) == NULL)
        fail_msg("'%s' does not hold '%s'", text == NULL ? "(null)" : text,
                 part == NULL ? "(null)" : part);
}

#endif
