/* Delete (caches.md 7.1); there is no way back from the first step on.
 *
 *   servers: all stopped, nothing kept --> topics: event subscriptions and system topic go (forget)
 *   --> files: the folder goes --> the documents go */
#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "caches/cache_crew.h"
#include "caches/cache_internal.h"

#define PATH_MAX_BYTES 4200

struct scratch {
    struct crew_task crew;
    struct op op;
};

/* Shard by shard, each time the first that has members. */
static enum stage servers(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    const struct cache_state *state = &operation->cache->state;
    size_t at = 0;

    (void)stage;
    if (err)
        return routine_end(routine, err);
    while (at < state->shard_count && state->shards[at].member_count == 0)
        at++;
    if (at == state->shard_count)
        return routine_end(routine, E_OK);
    return routine_wait(
        routine, &s->crew.routine.op,
        cache_crew_stop(operation->cache, state->shards[at].id, STOP_DROP, &s->crew));
}

static enum stage topics(struct routine *routine, uint32_t stage, enum err err)
{
    struct operation *operation = operation_of(routine);
    struct scratch *s = operation->scratch;
    const struct caches_options *options = operation->cache->options;

    if (err || stage > 0 || options->forget == NULL)
        return routine_end(routine, err);
    s->op = (struct op){0};
    return routine_wait(routine, &s->op,
                        options->forget(options->ctx, slice_of(operation->cache->id), &s->op));
}

static enum stage files(struct routine *routine, uint32_t stage, enum err err)
{
    char dir[PATH_MAX_BYTES];

    (void)stage;
    (void)err;
    cache_write_dir(operation_of(routine)->cache, dir, sizeof dir);
    if (rmdir(dir) != 0 && errno != ENOENT)
        return routine_end(
            routine, cause_set(&routine->why, err_from_errno(errno), "%s cannot be removed", dir));
    return routine_end(routine, E_OK);
}

static void done(void *scratch)
{
    crew_task_done(&((struct scratch *)scratch)->crew);
}

static const struct operation_step steps[] = {
    {"servers", servers, NULL},
    {"topics", topics, NULL},
    {"files", files, NULL},
};

const struct operation_kind operation_delete = {
    .name = "delete",
    .phase = PHASE_DELETING,
    .undoing = PHASE_DELETING,
    .event = LIFECYCLE_KINDS,
    .is_removal = true,
    .steps = steps,
    .step_count = COUNT_OF(steps),
    .no_return = 0,
    .scratch_bytes = sizeof(struct scratch),
    .scratch_done = done,
};
