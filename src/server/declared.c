#include "server/declared.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/manifest.h"
#include "loop/timer.h"
#include "router/declaration.h"

#define PLACE_MAX_BYTES 4096
#define URL_MAX_BYTES 4096
#define AGAIN_MS 1000
#define ROUNDS_MAX 5 /* of nodes that make the same things at the same time */

struct declared_files {
    struct router *router;
    struct manifest *manifest; /* of what is applied; NULL = nothing is */
    struct declaration *declaration;
    struct op applied;
    const char *const *next; /* what came meanwhile; borrowed from the settings */
    struct buf url;
    struct timer *timer;
    unsigned round;
};

static void begin(struct declared_files *files);

static void clear(struct declared_files *files)
{
    declaration_free(files->declaration);
    manifest_free(files->manifest);
    files->declaration = NULL;
    files->manifest = NULL;
}

static void log_mistakes(const struct declared_files *files)
{
    struct slice rest = manifest_mistakes(files->manifest), mistake;
    const struct declaration *declaration = files->declaration;
    struct buf place;

    while (rest.len > 0 && slice_cut(&rest, '\n', &mistake))
        if (mistake.len > 0)
            log_error("RESOURCES-FAULTY", "%.*s", SLICE_ARG(mistake));
    buf_init(&place, PLACE_MAX_BYTES);
    for (size_t i = 0; declaration != NULL && i < declaration->audit.count; i++) {
        const struct jx_mistake *wrong = &declaration->audit.mistakes[i];
        buf_clear(&place);
        manifest_add_place(files->manifest, slice_of(wrong->path), &place);
        log_error("RESOURCES-FAULTY", "%s: %s: %s", buf_text(&place), wrong->path, wrong->text);
    }
    buf_done(&place);
}

static void log_item(const struct declared_files *files, const struct declared *item)
{
    const char *topic = item->topic_name != NULL ? item->topic_name : "";
    const char *kind = item->is_topic ? "topic " : "subscription ";
    const char *slash = item->topic_name != NULL ? "/" : "";
    struct buf place;

    if (item->err == E_OK) {
        log_info("RESOURCES-APPLIED", "%s%s%s%s: %s", kind, topic, slash, item->name,
                 declared_step_name(item->step));
        return;
    }
    buf_init(&place, PLACE_MAX_BYTES);
    manifest_add_place(files->manifest, slice_of(item->path), &place);
    log_warn("RESOURCES-FAILED", "%s: %s%s%s%s: %s; SIGHUP tries again", buf_text(&place), kind,
             topic, slash, item->name, cause_text(&item->why, item->err));
    buf_done(&place);
}

/* Another node was faster with one of them: what is left is to see that it made the same. */
static bool was_overtaken(const struct declaration *declaration)
{
    for (size_t i = 0; i < declaration->count; i++)
        if (declaration->items[i].err == E_EXISTS)
            return true;
    return false;
}

static void log_items(const struct declared_files *files)
{
    const struct declaration *declaration = files->declaration;
    size_t unchanged = 0;

    for (size_t i = 0; i < declaration->count; i++)
        if (declaration->items[i].step == DECLARED_STAYS)
            unchanged++;
        else
            log_item(files, &declaration->items[i]);
    if (unchanged > 0)
        log_info("RESOURCES-APPLIED", "%zu of the topics and subscriptions %s as declared",
                 unchanged, unchanged == 1 ? "is" : "are");
}

static void on_applied(struct op *op, enum err err)
{
    struct declared_files *files = container_of(op, struct declared_files, applied);
    bool is_next = files->next != NULL;

    (void)err; /* each has its own */
    if (!is_next && was_overtaken(files->declaration) && ++files->round < ROUNDS_MAX)
        timer_set(files->timer, AGAIN_MS);
    else
        log_items(files);
    declaration_free(files->declaration);
    files->declaration = NULL;
    if (is_next)
        declared_files_apply(files, files->next, buf_slice(&files->url));
}

static void begin(struct declared_files *files)
{
    struct buf json;

    buf_init(&json, MANIFEST_JSON_MAX_BYTES + PLACE_MAX_BYTES);
    manifest_write(files->manifest, &json);
    if (manifest_mistakes(files->manifest).len == 0)
        files->declaration = declaration_new(files->router, buf_slice(&json), false);
    buf_done(&json);
    if (files->declaration == NULL || files->declaration->audit.count > 0) {
        log_mistakes(files);
        clear(files);
        return;
    }
    files->applied = (struct op){.done = on_applied};
    declaration_apply(files->declaration, buf_slice(&files->url), &files->applied);
}

static void on_timer(void *ctx)
{
    begin(ctx);
}

struct declared_files *declared_files_new(struct loop *loop, struct router *router)
{
    struct declared_files *files = mem_new(struct declared_files);

    files->router = router;
    files->timer = timer_new(loop, on_timer, files);
    buf_init(&files->url, URL_MAX_BYTES);
    return files;
}

void declared_files_apply(struct declared_files *files, const char *const *paths, struct slice url)
{
    if (files->declaration != NULL) {
        files->next = paths;
        return;
    }
    timer_clear(files->timer);
    clear(files);
    files->next = NULL;
    files->round = 0;
    if (url.data != files->url.data) {
        buf_clear(&files->url);
        buf_add(&files->url, url);
    }
    if (paths[0] == NULL)
        return;
    files->manifest = manifest_new();
    for (; *paths != NULL; paths++)
        manifest_add_file(files->manifest, *paths);
    begin(files);
}

void declared_files_stop(struct declared_files *files)
{
    if (files == NULL)
        return;
    timer_clear(files->timer);
    files->next = NULL;
    files->round = ROUNDS_MAX;
}

void declared_files_free(struct declared_files *files)
{
    if (files == NULL)
        return;
    assert(files->declaration == NULL); /* its changes have ended */
    clear(files);
    timer_free(files->timer);
    buf_done(&files->url);
    free(files);
}
