#include "caches/import_load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "caches/cache_internal.h"
#include "caches/saving.h"
#include "loop/loop.h"
#include "loop/timer.h"

#define PATH_MAX_BYTES 4200
#define MERGE_MAX_MS (6 * 3600 * 1000)
#define NAP_MS 20
#define NAPS_MAX 500

void import_write_path(const char *dir, size_t at, char *ret, size_t size)
{
    snprintf(ret, size, "%s/import-%zu.rdb", dir, at);
}

static struct import_load *load_of(struct routine *routine)
{
    return container_of(routine, struct import_load, routine);
}

static struct member *server_of(const struct import_load *load)
{
    return cache_server(load->cache, load->name);
}

static enum stage end(struct import_load *load, enum err err)
{
    return routine_end(&load->routine, err);
}

/* What a server says that ends over a file; all of its words if it does not say that. */
static enum err ended(struct import_load *load, const char *words)
{
    const char *fatal = words != NULL ? strstr(words, "FATAL") : NULL;
    char text[MEMBER_LAST_WORDS_BYTES];

    snprintf(text, sizeof text, "%s",
             fatal != NULL   ? fatal
             : words != NULL ? words
                             : "nobody knows why"); /* `words` may be the text that is set */
    return cause_set(&load->routine.why, E_CRASHED, "the server ended over the file: %s", text);
}

/* ---- load ---- */

enum { LOAD_STOP, LOAD_PLACE, LOAD_TAKE, LOAD_TAKEN, LOAD_DEAD };

static enum stage stop(struct import_load *load)
{
    load->op = (struct op){0};
    member_stop(server_of(load), STOP_DROP, &load->op);
    return routine_wait(&load->routine, &load->op, E_OK);
}

/* By another name first: whoever starts finds this dump or the one before, and never half of it. */
static enum err place(void *ctx, struct cause *why) /* on the pool */
{
    struct import_load *load = ctx;
    char from[PATH_MAX_BYTES], next[PATH_MAX_BYTES], dump[PATH_MAX_BYTES];

    import_write_path(load->dir, load->at, from, sizeof from);
    snprintf(next, sizeof next, "%s/import-next.rdb", load->dir);
    snprintf(dump, sizeof dump, "%s/dump.rdb", load->dir);
    (void)unlink(next);
    if (link(from, next) != 0 || rename(next, dump) != 0)
        return cause_set(why, err_from_errno(errno), "%s: %s", from, strerror(errno));
    (void)unlink(next); /* left if both were the same file */
    return E_OK;
}

static enum stage place_next(struct import_load *load)
{
    const struct cache_member *member = cache_state_find(&load->cache->state, slice_of(load->name));

    if (member == NULL)
        return end(load, cause_set(&load->routine.why, E_NOT_FOUND, "there is no such server"));
    snprintf(load->dir, sizeof load->dir, "%s", member->dir);
    load->op = (struct op){0};
    return routine_wait(&load->routine, &load->op,
                        work_run(load->cache->options->loop, place, load, &load->op));
}

static enum stage take(struct import_load *load)
{
    static const struct slice words[] = {SLICE_INIT("DEBUG"), SLICE_INIT("RELOAD"),
                                         SLICE_INIT("NOSAVE"), SLICE_INIT("NOFLUSH"),
                                         SLICE_INIT("MERGE")};
    const struct member_command merge = {
        .args = words, .count = COUNT_OF(words), .timeout_ms = MERGE_MAX_MS};

    if (load->at == 0)
        return routine_wait(&load->routine, &load->task.routine.op,
                            cache_start_member(load->cache, load->name, true, &load->task));
    member_talk(server_of(load), &merge, 1, &load->talk);
    return routine_wait(&load->routine, &load->talk.op, E_OK);
}

/* The connection broke: the server has ended over the file, and of that we are told in a moment. */
static enum stage wait_for_words(struct import_load *load)
{
    const char *words = cache_last_words(load->cache, load->name);

    if (words == NULL && load->at++ < NAPS_MAX) {
        timer_wait(load->timer, NAP_MS, &load->op);
        (void)routine_go(&load->routine, LOAD_DEAD);
        return routine_wait(&load->routine, &load->op, E_OK);
    }
    return end(load, ended(load, words));
}

static enum stage load_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct import_load *load = load_of(routine);

    if (err == E_CLOSED && stage == LOAD_TAKEN && load->at > 0) {
        load->at = 0;
        return wait_for_words(load);
    }
    if (err == E_CRASHED && stage == LOAD_TAKEN)
        return end(load, ended(load, routine->why.text));
    if (err)
        return end(load, err);
    switch (stage) {
    case LOAD_STOP:
        return stop(load);
    case LOAD_PLACE:
        return place_next(load);
    case LOAD_TAKE:
        return take(load);
    case LOAD_TAKEN:
        if (++load->at < load->count)
            return routine_go(routine, LOAD_PLACE);
        return end(load, E_OK);
    default:
        return wait_for_words(load);
    }
}

/* ---- fit ---- */

enum { FIT_LOOK, FIT_SET, FIT_SAVE, FIT_END };

static enum err check_size(struct import_load *load, const struct cache_numbers *numbers)
{
    const char *policy = cache_config_text(&load->cache->spec.config, "maxmemory-policy");
    uint64_t used = load->info.used_bytes, most = numbers->maxmemory_bytes;

    if (most == 0 || used <= most || !slice_eq(slice_of(policy), SLICE("noeviction")))
        return E_OK;
    return cause_set(&load->routine.why, E_LIMIT,
                     "the data takes %" PRIu64 " bytes, and the cache has %" PRIu64
                     " (maxmemory-policy is noeviction): scale it up before",
                     used, most);
}

/* What the configuration of a side server leaves out. */
static enum stage set(struct import_load *load)
{
    const struct cache_spec *spec = &load->cache->spec;
    struct cache_numbers numbers = cache_spec_numbers(spec, &load->cache->host);
    enum err err = check_size(load, &numbers);

    if (err)
        return end(load, err);
    commands_clear(&load->commands);
    commands_add(&load->commands, "CONFIG SET maxmemory %" PRIu64, numbers.maxmemory_bytes);
    if (cache_spec_has_rdb(spec)) {
        snprintf(load->schedule, sizeof load->schedule, "%" PRIu64 " 1",
                 cache_config_u64(&spec->config, "rdb-backup-frequency") * 60);
        commands_add(&load->commands, "CONFIG SET shutdown-on-sigterm");
        commands_word(&load->commands, SLICE("save now"));
        commands_add(&load->commands, "CONFIG SET save");
        commands_word(&load->commands, slice_of(load->schedule));
    }
    commands_send(&load->commands, server_of(load), &load->talk);
    return routine_wait(&load->routine, &load->talk.op, E_OK);
}

static enum stage save(struct import_load *load)
{
    const struct cache_spec *spec = &load->cache->spec;

    load->op = (struct op){0};
    if (cache_spec_has_aof(spec))
        saving_log(load->cache->options->loop, server_of(load), &load->op);
    else if (cache_spec_has_rdb(spec))
        saving_dump(load->cache->options->loop, server_of(load), &load->op);
    else
        return STAGE_GOES_ON;
    return routine_wait(&load->routine, &load->op, E_OK);
}

static enum stage fit_run(struct routine *routine, uint32_t stage, enum err err)
{
    struct import_load *load = load_of(routine);

    if (err)
        return end(load, err);
    switch (stage) {
    case FIT_LOOK:
        load->op = (struct op){0};
        member_info(server_of(load), &load->info, &load->op);
        return routine_wait(routine, &load->op, E_OK);
    case FIT_SET:
        return set(load);
    case FIT_SAVE:
        return save(load);
    default:
        return end(load, E_OK);
    }
}

/* ---- exported ---- */

static enum err begin(struct cache *cache, const char *name, struct import_load *load,
                      operation_run *run)
{
    load->cache = cache;
    snprintf(load->name, sizeof load->name, "%s", name);
    load->at = 0;
    if (load->timer == NULL)
        load->timer = timer_new(cache->options->loop, NULL, NULL);
    routine_start(&load->routine, cache->options->loop, run);
    return E_OK;
}

enum err import_load_start(struct cache *cache, const char *name, size_t count,
                           struct import_load *load)
{
    load->count = count;
    return begin(cache, name, load, load_run);
}

enum err import_fit_start(struct cache *cache, const char *name, struct import_load *load)
{
    return begin(cache, name, load, fit_run);
}

void import_load_done(struct import_load *load)
{
    timer_free(load->timer);
    member_task_done(&load->task);
    member_talk_done(&load->talk);
    commands_done(&load->commands);
    load->timer = NULL;
}
