#include "cmd/arm.h"

#include <stdlib.h>
#include <time.h>

#include "base/nearest.h"

/* What is made without saying where belongs there (router/resource_id.h). */
#define SUBSCRIPTION "/subscriptions/00000000-0000-0000-0000-000000000001"
#define GROUP "redgrid"
#define CACHES "/providers/Microsoft.Cache/redis"
#define VERSION "?api-version=2024-11-01"
#define POLL_FIRST_MS 20 /* then each time twice as long, as an operation that takes long may */
#define POLL_MAX_MS 1000

/* ---- paths ---- */

void arm_add_group(struct buf *path, const struct cmdline *line, const char *tail)
{
    const char *group = cmdline_value(line, "--resource-group");

    buf_add(path, SLICE(SUBSCRIPTION "/resourceGroups/"));
    url_add_escaped(path, slice_of(group != NULL ? group : GROUP));
    buf_addf(path, "%s", tail);
}

void arm_add_caches(struct buf *path, const struct cmdline *line)
{
    if (cmdline_value(line, "--resource-group") != NULL)
        arm_add_group(path, line, CACHES);
    else
        buf_add(path, SLICE(SUBSCRIPTION CACHES));
    buf_add(path, SLICE(VERSION));
}

static int find(const json_t *caches, const char *name, const char **ret_id)
{
    struct nearest nearest = nearest_to(slice_of(name));

    for (size_t i = 0; i < json_array_size(caches); i++) {
        const json_t *cache = json_array_get(caches, i);
        const char *known = field_text(cache, "name", "");
        *ret_id = field_text(cache, "id", "");
        if (slice_eq_nocase(slice_of(known), slice_of(name)))
            return EXIT_OK;
        nearest_try(&nearest, known);
    }
    const char *found = nearest_found(&nearest);
    return complain(EXIT_FAILED, "there is no cache '%s'%s%s%s", name,
                    found != NULL ? "; did you mean '" : "", found != NULL ? found : "",
                    found != NULL ? "'?" : "");
}

int arm_add_cache(struct buf *path, const struct cmdline *line, const char *tail)
{
    const char *id = NULL;
    struct answer answer;
    struct buf all;

    buf_init(&all, ARM_PATH_MAX_BYTES);
    arm_add_caches(&all, line);
    int code =
        client_ask(line, &(struct question){.method = "GET", .path = buf_text(&all)}, &answer);
    buf_done(&all);
    if (code != EXIT_OK)
        return code;
    code = find(json_object_get(answer.json, "value"), line->words[0], &id);
    if (code == EXIT_OK)
        buf_addf(path, "%s%s" VERSION, id, tail);
    answer_done(&answer);
    return code;
}

/* ---- operations ---- */

static void nap(uint32_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)nanosleep(&time, NULL);
}

static int judge(const json_t *operation, bool *ret_is_ended)
{
    struct slice status = slice_of(field_text(operation, "status", ""));
    const json_t *error = json_object_get(operation, "error");

    *ret_is_ended = !slice_eq(status, SLICE("InProgress"));
    if (!*ret_is_ended || slice_eq(status, SLICE("Succeeded")))
        return EXIT_OK;
    return complain(EXIT_FAILED, "(%s) %s", field_text(error, "code", "Failed"),
                    field_text(error, "message", "the operation failed"));
}

static int wait_for(const struct cmdline *line, const char *path)
{
    bool is_ended = false;
    int code = EXIT_OK;

    for (uint32_t ms = POLL_FIRST_MS; code == EXIT_OK && !is_ended;) {
        struct answer answer;
        nap(ms);
        ms = ms * 2 < POLL_MAX_MS ? ms * 2 : POLL_MAX_MS;
        code = client_ask(line, &(struct question){.method = "GET", .path = path}, &answer);
        if (code != EXIT_OK)
            return code;
        code = judge(answer.json, &is_ended);
        answer_done(&answer);
    }
    return code;
}

int arm_run(const struct cmdline *line, const struct question *question, struct answer *ret)
{
    int code = client_ask(line, question, ret);

    if (code != EXIT_OK || ret->operation == NULL || cmdline_value(line, "--no-wait") != NULL)
        return code;
    code = wait_for(line, ret->operation);
    if (code != EXIT_OK)
        answer_done(ret);
    return code;
}
