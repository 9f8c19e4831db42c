#include "functions/app_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/fingerprint.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/timer.h"
#include "loop/watch.h"

#define QUIET_MS 300 /* an editor writes several files; all of them count as one change */
#define LOOK_MS 1000 /* when not everything can be watched */

struct app_files {
    struct loop *loop;
    char *directory;
    void (*changed)(void *ctx);
    void *ctx;
    struct fingerprint *taken, *seen; /* seen: NULL before the first look */
    struct watch **watches;
    size_t watch_count;
    struct timer *look;
    bool is_deaf, was_deaf; /* something cannot be watched; nor could it before the last look */
    bool is_missing;        /* the folder is not there */
    bool is_told;           /* that it is deaf; until it no longer is */
};

struct app_files *app_files_new(struct loop *loop, const char *directory,
                                void (*changed)(void *ctx), void *ctx)
{
    struct app_files *files = mem_new(struct app_files);

    files->loop = loop;
    files->directory = mem_dup(directory, strlen(directory));
    files->changed = changed;
    files->ctx = ctx;
    files->look = timer_new(loop, changed, ctx);
    return files;
}

void app_files_free(struct app_files *files)
{
    app_files_unwatch(files);
    timer_free(files->look);
    fingerprint_free(files->taken);
    fingerprint_free(files->seen);
    free(files->directory);
    free(files);
}

/* --- watching --- */

void app_files_unwatch(struct app_files *files)
{
    timer_clear(files->look);
    for (size_t i = 0; i < files->watch_count; i++)
        watch_free(files->watches[i]);
    free(files->watches);
    files->watches = NULL;
    files->watch_count = 0;
}

/* False if the directory is not there. */
static bool watch_directory(struct app_files *files, const char *path)
{
    struct cause why = {0};
    struct watch *watch;
    enum err err = watch_new(files->loop, path, QUIET_MS, files->changed, files->ctx, &watch, &why);

    if (err == E_OK) {
        files->watches = mem_resize(files->watches, files->watch_count + 1, sizeof(struct watch *));
        files->watches[files->watch_count++] = watch;
    } else if (err != E_NOT_FOUND) {
        files->is_deaf = true;
        if (!files->is_told)
            log_warn("WATCH-FAILED", "%s; looking for changes every %d ms instead", why.text,
                     LOOK_MS);
        files->is_told = true;
    }
    return err != E_NOT_FOUND;
}

void app_files_watch(struct app_files *files)
{
    const char *name;
    char *path;

    app_files_unwatch(files);
    files->was_deaf = files->is_deaf;
    files->is_deaf = false;
    files->is_missing = !watch_directory(files, files->directory);
    for (size_t at = 0; (name = fingerprint_directory(files->taken, &at)) != NULL;) {
        if (asprintf(&path, "%s/%s", files->directory, name) < 0)
            abort();
        (void)watch_directory(files, path); /* that it is gone is a change */
        free(path);
    }
    files->is_deaf = files->is_deaf || files->is_missing;
    files->is_told = files->is_told && files->is_deaf;
}

void app_files_wait(struct app_files *files)
{
    if (!files->is_deaf)
        return;
    timer_set(files->look, LOOK_MS);
    if (!files->is_told)
        log_info("APP-AWAITED", "%s: is read as soon as it is there", files->directory);
    files->is_told = true;
}

/* --- looking --- */

void app_files_look(struct app_files *files)
{
    fingerprint_free(files->seen);
    files->seen = fingerprint_new(files->directory);
}

void app_files_take(struct app_files *files)
{
    fingerprint_free(files->taken);
    files->taken = files->seen;
    files->seen = NULL;
}

bool app_files_differ(struct app_files *files, struct buf *out)
{
    if (files->was_deaf && !files->is_deaf) { /* a folder appears: it may still be filled */
        timer_set(files->look, QUIET_MS);
        return false;
    }
    return fingerprint_diff(files->taken, files->seen, out);
}
