#include "json/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/nearest.h"
#include "json/scan.h"

#define PATH_MAX_BYTES 512
#define NAME_MAX_BYTES 128

void jx_audit_init(struct jx_audit *audit)
{
    memset(audit, 0, sizeof *audit);
}

void jx_audit_done(struct jx_audit *audit)
{
    for (size_t i = 0; i < audit->count; i++) {
        free(audit->mistakes[i].path);
        free(audit->mistakes[i].text);
    }
    for (size_t i = 0; i < audit->asked_count; i++) {
        free(audit->asked[i].path);
        free(audit->asked[i].name);
    }
    free(audit->asked);
    jx_audit_init(audit);
}

/* ---- mistakes ---- */

static void join(char room[static PATH_MAX_BYTES], const char *path, const char *field)
{
    bool has_dot = path[0] != '\0' && field[0] != '\0' && field[0] != '[';
    snprintf(room, PATH_MAX_BYTES, "%.380s%s%.127s", path, has_dot ? "." : "", field);
}

static void add(struct jx_audit *audit, const char *path, struct slice text)
{
    if (audit->count == JX_MISTAKES_MAX)
        return;
    audit->mistakes[audit->count++] =
        (struct jx_mistake){slice_dup(slice_of(path)), slice_dup(text)};
}

/* Is one of the two places inside of the other, or the same? */
static bool touch(struct slice a, struct slice b)
{
    struct slice outer = a.len <= b.len ? a : b, inner = a.len <= b.len ? b : a;

    return slice_has_prefix_nocase(inner, outer) &&
           (inner.len == outer.len || outer.len == 0 || inner.data[outer.len] == '.' ||
            inner.data[outer.len] == '[');
}

static void note(struct jx_audit *audit, const char *path, struct slice text)
{
    for (size_t i = 0; i < audit->count; i++)
        if (touch(slice_of(audit->mistakes[i].path), slice_of(path)))
            return;
    add(audit, path, text);
}

void jx_audit_note(struct jx_audit *audit, const char *path, const char *field, const char *text)
{
    char whole[PATH_MAX_BYTES];

    join(whole, path, field);
    note(audit, whole, slice_of(text));
}

/* The length of a part of a path at the beginning of the text, with a colon behind it; 0 = none. */
static size_t head_len(struct slice text)
{
    static const char marks[] = "_.[]";
    size_t len = 0;

    for (; len < text.len; len++) {
        char c = lower_of(text.data[len]);
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && strchr(marks, c) == NULL)
            break;
    }
    bool is_head = len + 1 < text.len && text.data[len] == ':' && text.data[len + 1] == ' ';
    return is_head ? len : 0;
}

void jx_audit_note_cause(struct jx_audit *audit, const char *path, const char *text)
{
    char whole[PATH_MAX_BYTES], longer[PATH_MAX_BYTES], field[NAME_MAX_BYTES];
    struct slice rest = slice_of(text);
    size_t len;

    snprintf(whole, sizeof whole, "%s", path);
    while ((len = head_len(rest)) > 0 && len < sizeof field) {
        snprintf(field, sizeof field, "%.*s", (int)len, rest.data);
        join(longer, whole, field);
        memcpy(whole, longer, sizeof whole);
        rest = slice_from(rest, len + 2);
    }
    note(audit, whole, rest);
}

void jx_audit_move(struct jx_audit *to, struct jx_audit *from, const char *path)
{
    char whole[PATH_MAX_BYTES];

    for (size_t i = 0; i < from->count; i++) {
        join(whole, path, from->mistakes[i].path);
        add(to, whole, slice_of(from->mistakes[i].text));
    }
    jx_audit_done(from);
}

/* ---- names ---- */

static void ask(struct jx_audit *audit, const char *path, const char *name)
{
    for (size_t i = 0; i < audit->asked_count; i++) {
        const struct jx_asked *asked = &audit->asked[i];
        bool is_same = (name == NULL) == (asked->name == NULL) &&
                       (name == NULL || strcmp(asked->name, name) == 0);
        if (is_same && strcmp(asked->path, path) == 0)
            return;
    }
    if (audit->asked_count == audit->asked_room) {
        audit->asked_room = audit->asked_room == 0 ? 64 : 2 * audit->asked_room;
        audit->asked = mem_resize(audit->asked, audit->asked_room, sizeof *audit->asked);
    }
    audit->asked[audit->asked_count++] = (struct jx_asked){
        slice_dup(slice_of(path)), name != NULL ? slice_dup(slice_of(name)) : NULL};
}

void jx_audit_ask(struct jx_audit *audit, const char *path, const char *name)
{
    if (audit != NULL)
        ask(audit, path, name);
}

void jx_audit_skip(struct jx_audit *audit, const char *path)
{
    if (audit != NULL)
        ask(audit, path, NULL);
}

/* Somebody asked for members of the object at `path`, and did not give up on it. */
static bool is_judged(const struct jx_audit *audit, const char *path)
{
    bool is_known = false;

    for (size_t i = 0; i < audit->asked_count; i++) {
        if (strcmp(audit->asked[i].path, path) != 0)
            continue;
        if (audit->asked[i].name == NULL)
            return false;
        is_known = true;
    }
    return is_known;
}

/* The name as the reader writes it; NULL, and a mistake is noted, if nobody asked for it. */
static const char *find(struct jx_audit *audit, const char *path, struct slice name)
{
    struct nearest nearest;
    char text[NAME_MAX_BYTES], whole[PATH_MAX_BYTES], said[2 * NAME_MAX_BYTES] = "is not known";

    name = slice_from(slice_first(name, name.len - 1), 1); /* without its quotes */
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(name));
    nearest = nearest_to(slice_of(text));
    for (size_t i = 0; i < audit->asked_count; i++) {
        const struct jx_asked *asked = &audit->asked[i];
        if (strcmp(asked->path, path) != 0 || asked->name == NULL)
            continue;
        if (slice_eq_nocase(slice_of(asked->name), slice_of(text)))
            return asked->name;
        nearest_try(&nearest, asked->name);
    }
    join(whole, path, text);
    if (nearest_found(&nearest) != NULL)
        snprintf(said, sizeof said, "is not known; did you mean '%s'?", nearest_found(&nearest));
    add(audit, whole, slice_of(said));
    return NULL;
}

static void judge(struct jx_audit *audit, const char *path, struct slice json, unsigned depth);

static void judge_object(struct jx_audit *audit, const char *path, struct slice json,
                         unsigned depth)
{
    struct jx_field field;
    char inner[PATH_MAX_BYTES];

    if (!is_judged(audit, path))
        return;
    while (jx_scan_next(&json, &field) && audit->count < JX_MISTAKES_MAX) {
        const char *name = find(audit, path, field.name);
        if (name == NULL)
            continue;
        join(inner, path, name);
        judge(audit, inner, field.value, depth + 1);
    }
}

static void judge_array(struct jx_audit *audit, const char *path, struct slice json, unsigned depth)
{
    struct slice item;
    char inner[PATH_MAX_BYTES], index[32];

    for (size_t i = 0; jx_scan_item(&json, &item) && audit->count < JX_MISTAKES_MAX; i++) {
        snprintf(index, sizeof index, "[%zu]", i);
        join(inner, path, index);
        judge(audit, inner, item, depth + 1);
    }
}

static void judge(struct jx_audit *audit, const char *path, struct slice json, unsigned depth)
{
    if (depth > JX_SCAN_DEPTH_MAX || json.len == 0)
        return;
    if (json.data[0] == '{')
        judge_object(audit, path, json, depth);
    else if (json.data[0] == '[')
        judge_array(audit, path, json, depth);
}

void jx_audit_unknown(struct jx_audit *audit, struct slice json)
{
    judge(audit, "", jx_scan_trim(json), 0);
}
