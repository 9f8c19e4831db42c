#include "cmd/apply_page.h"

#include <string.h>

#include "base/mem.h"
#include "cmd/client.h"

#define NAME_BYTES 160
#define NAME_WIDE 44

enum { NONE, CREATE, CHANGE, ASK, REMOVE, FAILED, STEP_COUNT };

/* A step, as the server calls it and as we do. */
static const struct {
    const char *name;
    char sign;
    const char *done, *planned;
    const char *sum, *plan; /* in the summary */
} steps[STEP_COUNT] = {
    [NONE] = {"none", '=', "unchanged", "stays", "unchanged", "unchanged"},
    [CREATE] = {"create", '+', "created", "would be created", "created", "to create"},
    [CHANGE] = {"change", '~', "changed", "would change", "changed", "to change"},
    [ASK] = {"ask", '~', "has agreed now", "its endpoint would be asked again", "asked again",
             "to ask again"},
    [REMOVE] = {"remove", '-', "removed", "would be removed", "removed", "to remove"},
    [FAILED] = {"", '!', "failed", "failed", "failed", "failed"},
};

static size_t step_of(const json_t *resource)
{
    if (json_object_get(resource, "error") != NULL)
        return FAILED;
    for (size_t i = 0; i < STEP_COUNT; i++)
        if (strcmp(field_text(resource, "step", ""), steps[i].name) == 0)
            return i;
    return NONE;
}

void apply_page_name(struct buf *out, const json_t *resource)
{
    const char *topic = field_text(resource, "topic", NULL);

    buf_addf(out, "%s %s%s%s", field_text(resource, "type", ""), topic != NULL ? topic : "",
             topic != NULL ? "/" : "", field_text(resource, "name", "-"));
}

static void write_value(struct buf *out, const json_t *value)
{
    if (value == NULL)
        buf_add(out, SLICE("(none)"));
    else
        jx_dump(out, value);
}

static void write_members(struct buf *out, const json_t *resource)
{
    const json_t *members = json_object_get(resource, "members");

    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);
        buf_addf(out, "    %s: ", field_text(member, "path", "?"));
        write_value(out, json_object_get(member, "before"));
        buf_add(out, SLICE(" -> "));
        write_value(out, json_object_get(member, "after"));
        buf_add_byte(out, '\n');
    }
}

static void write_resource(struct buf *out, const json_t *resource, size_t step, bool is_dry)
{
    bool waits = strcmp(field_text(resource, "state", ""), "AwaitingManualAction") == 0;
    struct buf name;

    buf_init(&name, NAME_BYTES);
    apply_page_name(&name, resource);
    buf_addf(out, "%c %-*s %s%s\n", steps[step].sign, NAME_WIDE, buf_text(&name),
             is_dry ? steps[step].planned : steps[step].done,
             waits ? "; waits for its endpoint to be confirmed by hand" : "");
    buf_done(&name);
    write_members(out, resource);
}

static void write_summary(struct buf *out, const size_t counts[static STEP_COUNT], size_t all,
                          bool is_dry)
{
    const char *comma = "";

    if (counts[NONE] == all) {
        buf_addf(out, "%s",
                 all > 0 ? "nothing to do: all is as declared\n"
                         : "nothing to do: nothing is declared\n");
        return;
    }
    for (size_t i = CREATE; i < STEP_COUNT; i++)
        if (counts[i] > 0) {
            buf_addf(out, "%s%zu %s", comma, counts[i], is_dry ? steps[i].plan : steps[i].sum);
            comma = ", ";
        }
    if (counts[NONE] > 0)
        buf_addf(out, "%s%zu %s", comma, counts[NONE], is_dry ? steps[NONE].plan : steps[NONE].sum);
    buf_add(out, is_dry ? SLICE("; nothing was done\n") : SLICE("\n"));
}

size_t apply_page_write(struct buf *out, const json_t *answer, bool is_dry)
{
    const json_t *resources = json_object_get(answer, "resources");
    size_t counts[STEP_COUNT] = {0};

    for (size_t i = 0; i < json_array_size(resources); i++) {
        const json_t *resource = json_array_get(resources, i);
        size_t step = step_of(resource);
        counts[step]++;
        write_resource(out, resource, step, is_dry);
    }
    write_summary(out, counts, json_array_size(resources), is_dry);
    return counts[FAILED];
}
