/* What is declared, what is wrong with it, and what it would change. */
#include "router/declaration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/draft.h"
#include "event/name.h"
#include "router/document.h"
#include "router/resource_id.h"
#include "router/router_internal.h"
#include "json/diff.h"
#include "json/member.h"
#include "json/scan.h"

#define TEXT_MAX_BYTES 4096
#define DIFF_MAX_BYTES (4 * 1024 * 1024)
#define HIDDEN "\"(hidden)\""

static const char *const step_names[DECLARED_STEP_COUNT] = {
#define STEP_NAME(step, name) [step] = (name),
    DECLARED_STEPS(STEP_NAME)
#undef STEP_NAME
};

const char *declared_step_name(enum declared_step step)
{
    return step_names[step];
}

static struct slice now_of(const struct declaration *d, const struct declared *item)
{
    struct slice found = SLICE_NONE;
    struct buf id;

    buf_init(&id, RESOURCE_ID_MAX_BYTES);
    if (item->is_topic)
        buf_add(&id, slice_of(item->scope));
    else
        resource_id_subscription(&id, slice_of(item->scope), slice_of(item->name));
    if (buf_err(&id) == E_OK)
        found = resources_get(d->router->resources, buf_slice(&id));
    buf_done(&id);
    return found;
}

/* Nothing that can stay or be changed: absent, or about to be. */
static bool is_gone(struct slice document)
{
    return document.data == NULL || document_is(document, STATE_DELETING);
}

/* ---- differences ---- */

struct comparing {
    struct buf *out;
    struct slice shown[2]; /* before and after, without secrets */
};

/* An endpoint is shown without its query, which may be a key. */
static void write_endpoint(struct buf *out, struct slice url, struct slice base)
{
    if (base.len < 2) {
        buf_add(out, SLICE(HIDDEN));
        return;
    }
    buf_add(out, slice_first(base, base.len - 1));
    if (url.len > base.len)
        buf_add(out, SLICE("?(hidden)"));
    buf_add_byte(out, '"');
}

static void write_value(struct buf *out, const char *name, const char *path, struct slice value,
                        struct slice shown)
{
    static const struct slice url = SLICE_INIT("endpointUrl");
    struct slice where = slice_of(path), seen = jx_at(shown, path);
    char base[TEXT_MAX_BYTES];

    if (raw_is_null(value))
        return;
    member_open(out, name);
    if (!raw_is_null(seen)) {
        buf_add(out, seen);
    } else if (slice_has_suffix_nocase(where, url)) {
        snprintf(base, sizeof base, "%.*sendpointBaseUrl", (int)(where.len - url.len), path);
        write_endpoint(out, value, jx_at(shown, base));
    } else {
        buf_add(out, SLICE(HIDDEN));
    }
}

static void take_difference(void *ctx, const struct jx_difference *difference)
{
    struct comparing *comparing = ctx;
    struct buf *out = comparing->out;

    buf_add(out, out->len > 0 ? SLICE(",") : SLICE("["));
    member_text(out, "path", slice_of(difference->path));
    write_value(out, "before", difference->path, difference->before, comparing->shown[0]);
    write_value(out, "after", difference->path, difference->after, comparing->shown[1]);
    buf_add_byte(out, '}');
}

static bool differs(struct declared *item, struct slice before, struct slice after,
                    struct slice before_shown, struct slice after_shown)
{
    struct comparing comparing = {&item->members, {before_shown, after_shown}};

    if (jx_diff(before, after, take_difference, &comparing) == 0)
        return false;
    buf_add_byte(&item->members, ']');
    return true;
}

static void write_topic(struct buf *out, const struct topic *topic)
{
    buf_init(out, TEXT_MAX_BYTES * 16);
    buf_add_byte(out, '{');
    topic_write(out, topic);
    buf_add_byte(out, '}');
}

static bool topic_differs(struct declared *item, const struct topic *old)
{
    struct buf before, after;

    write_topic(&before, old);
    write_topic(&after, &item->topic);
    bool is_other =
        differs(item, buf_slice(&before), buf_slice(&after), buf_slice(&before), buf_slice(&after));
    buf_done(&before);
    buf_done(&after);
    return is_other;
}

static void write_both(struct buf *stored, struct buf *shown, const struct subscription *sub,
                       const struct subscription_rules *rules)
{
    buf_init(stored, DIFF_MAX_BYTES);
    buf_init(shown, DIFF_MAX_BYTES);
    subscription_write_stored(stored, sub, rules);
    buf_add_byte(shown, '{');
    subscription_write(shown, sub, rules);
    buf_add_byte(shown, '}');
}

static bool subscription_differs(struct declared *item, const struct subscription *old,
                                 const struct subscription *new,
                                 const struct subscription_rules *rules)
{
    struct buf before, before_shown, after, after_shown;

    write_both(&before, &before_shown, old, rules);
    write_both(&after, &after_shown, new, rules);
    bool is_other = differs(item, buf_slice(&before), buf_slice(&after), buf_slice(&before_shown),
                            buf_slice(&after_shown));
    buf_done(&before);
    buf_done(&before_shown);
    buf_done(&after);
    buf_done(&after_shown);
    return is_other;
}

/* ---- topics ---- */

static void judge_topic(const struct declaration *d, struct declared *item, struct jx_audit *audit)
{
    struct slice document = now_of(d, item);
    struct cause why;
    struct topic old;

    topic_init(&item->topic, slice_of(item->name), slice_of(item->scope));
    if (topic_read(&item->topic, item->properties, &why) != E_OK)
        return; /* the audit has said so */
    item->step = DECLARED_CREATE;
    if (is_gone(document))
        return;
    topic_init(&old, SLICE("-"), SLICE("-"));
    item->step = DECLARED_CHANGE;
    if (topic_read_stored(&old, jx_scan_member(document, SLICE("properties")), &why) == E_OK) {
        if (old.input != item->topic.input) {
            char text[128];
            snprintf(text, sizeof text, "is %s and cannot be changed", schema_name(old.input));
            jx_audit_note(audit, "", "inputSchema", text);
        } else if (!topic_differs(item, &old)) {
            item->step = DECLARED_STAYS;
        }
    }
    topic_done(&old);
}

static void read_topic(struct declaration *d, struct declared *item, struct jx_audit *audit)
{
    const struct scope *scope = catalog_topic(d->router->catalog, slice_of(item->name));
    struct cause why = {0};
    struct buf id;

    if (topic_name_check(slice_of(item->name), &why) != E_OK)
        jx_audit_note(audit, "", "name", why.text);
    buf_init(&id, RESOURCE_ID_MAX_BYTES);
    if (scope != NULL)
        buf_add(&id, slice_of(scope->topic->id));
    else
        resource_id_topic(&id, slice_of(item->name));
    item->scope = buf_detach(&id);
    buf_done(&id);
    topic_audit(item->properties, audit);
    if (audit->count == 0)
        judge_topic(d, item, audit);
}

/* ---- subscriptions ---- */

static void judge_subscription(const struct declaration *d, struct declared *item,
                               const struct subscription_rules *rules, struct jx_audit *audit)
{
    struct slice document = now_of(d, item);
    uint64_t now_ms = clock_unix_ms();
    struct subscription new, old;
    struct cause why = {0}, ignored; /* one that is faulty may be put right */

    subscription_init(&new, slice_of(item->name), rules);
    subscription_init(&old, slice_of(item->name), rules);
    enum err err = subscription_read(&new, rules, item->properties, &why);
    if (err == E_OK)
        err = catalog_can_deliver(d->router->catalog, &new, &why);
    bool is_known =
        !is_gone(document) &&
        subscription_read(&old, rules, document_latest(document, now_ms), &ignored) == E_OK;
    if (is_known)
        subscription_keep_secrets(&new, &old);
    if (err != E_OK)
        jx_audit_note_cause(audit, "", cause_text(&why, err));
    else if (is_gone(document))
        item->step = DECLARED_CREATE;
    else if (!is_known || subscription_differs(item, &old, &new, rules))
        item->step = DECLARED_CHANGE;
    else
        item->step = strcmp(document_state(document, now_ms), STATE_FAILED) == 0 ? DECLARED_ASK
                                                                                 : DECLARED_STAYS;
    subscription_done(&new);
    subscription_done(&old);
}

static const struct declared *find_topic(const struct declaration *d, struct slice name)
{
    for (size_t i = 0; i < d->count && d->items[i].is_topic; i++)
        if (slice_eq_nocase(slice_of(d->items[i].name), name))
            return &d->items[i];
    return NULL;
}

/* What the subscription belongs to, and the rules that follow; of an unknown or faulty topic those
 * that forbid the least, so that nothing is blamed for it. */
static void find_scope(struct declaration *d, struct declared *item,
                       struct subscription_rules *ret_rules, struct jx_audit *audit)
{
    char *name = NULL, *id = NULL, text[256];
    const struct topic lax = {.input = SCHEMA_CUSTOM, .retention_days = TOPIC_RETENTION_MAX_DAYS};
    const struct topic *found = NULL;

    jx_audit_ask(audit, "", "topic");
    jx_audit_ask(audit, "", "sourceResourceId");
    name = document_text(item->properties, "topic");
    id = document_text(item->properties, "sourceResourceId");
    const char *shown = name != NULL ? name : id;
    const struct declared *declared = find_topic(d, slice_of(name));
    const struct scope *scope = name != NULL ? catalog_topic(d->router->catalog, slice_of(name))
                                             : catalog_find_scope(d->router->catalog, slice_of(id));
    if ((name == NULL) == (id == NULL)) {
        jx_audit_note(audit, "", "topic",
                      name == NULL ? "is missing: say whose events it gets"
                                   : "and sourceResourceId exclude each other");
    } else if (name != NULL && declared != NULL) {
        item->scope = slice_dup(slice_of(declared->scope));
        item->topic_name = slice_dup(slice_of(declared->name));
        found = declared->topic.name != NULL ? &declared->topic : &lax;
    } else if (scope != NULL && scope->topic != NULL) {
        item->scope = slice_dup(slice_of(topic_scope(scope->topic)));
        item->topic_name = slice_dup(slice_of(scope->topic->name));
        found = scope->topic;
    } else {
        snprintf(text, sizeof text,
                 "there is no topic '%.100s', neither declared nor on the server", shown);
        jx_audit_note(audit, "", name != NULL ? "topic" : "sourceResourceId", text);
    }
    *ret_rules = catalog_rules(d->router->catalog, found != NULL ? found : &lax);
    free(name);
    free(id);
}

static void read_subscription(struct declaration *d, struct declared *item, struct jx_audit *audit)
{
    struct subscription_rules rules;
    struct cause why = {0};

    if (subscription_name_check(slice_of(item->name), &why) != E_OK)
        jx_audit_note(audit, "", "name", why.text);
    find_scope(d, item, &rules, audit);
    subscription_audit(&rules, item->properties, audit);
    if (audit->count == 0)
        judge_subscription(d, item, &rules, audit);
}

/* ---- all of it ---- */

static bool is_same(const struct declared *a, const struct declared *b)
{
    return a->is_topic == b->is_topic && a->name != NULL && b->name != NULL &&
           slice_eq_nocase(slice_of(a->name), slice_of(b->name)) &&
           (a->is_topic || (a->scope != NULL && b->scope != NULL &&
                            slice_eq_nocase(slice_of(a->scope), slice_of(b->scope))));
}

static void find_twin(const struct declaration *d, const struct declared *item,
                      struct jx_audit *audit)
{
    char text[128];

    for (const struct declared *other = d->items; other < item; other++)
        if (is_same(other, item)) {
            snprintf(text, sizeof text, "'%.64s' is declared twice", item->name);
            jx_audit_note(audit, "", "name", text);
            return;
        }
}

static struct declared *add_item(struct declaration *d, bool is_topic)
{
    if (d->count == d->room) {
        d->room = d->room == 0 ? 16 : 2 * d->room;
        d->items = mem_resize(d->items, d->room, sizeof *d->items);
    }
    struct declared *item = &d->items[d->count++];
    *item = (struct declared){.is_topic = is_topic};
    buf_init(&item->members, DIFF_MAX_BYTES);
    return item;
}

static void read_item(struct declaration *d, bool is_topic, size_t index, struct slice json)
{
    struct declared *item = add_item(d, is_topic);
    struct jx_audit audit;

    jx_audit_init(&audit);
    snprintf(item->path, sizeof item->path, "%s[%zu]", is_topic ? "topics" : "subscriptions",
             index);
    item->properties = json;
    jx_audit_ask(&audit, "", "name");
    item->name = document_text(json, "name");
    if (json.data[0] != '{')
        jx_audit_note(&audit, "", "", "is not an object");
    else if (item->name == NULL)
        jx_audit_note(&audit, "", "name",
                      jx_scan_member(json, SLICE("name")).data == NULL ? "is missing"
                                                                       : "is not a text");
    if (item->name == NULL)
        item->name = slice_dup(SLICE("-"));
    if (json.data[0] == '{' && is_topic)
        read_topic(d, item, &audit);
    else if (json.data[0] == '{')
        read_subscription(d, item, &audit);
    jx_audit_unknown(&audit, json);
    find_twin(d, item, &audit);
    jx_audit_move(&d->audit, &audit, item->path);
}

static void read_items(struct declaration *d, struct slice text, const char *member, bool is_topic)
{
    struct slice array = jx_scan_member(text, slice_of(member)), item;

    jx_audit_ask(&d->audit, "", member);
    if (raw_is_null(array))
        return;
    if (array.data[0] != '[') {
        jx_audit_note(&d->audit, "", member, "is not a list");
        return;
    }
    for (size_t i = 0; jx_scan_item(&array, &item); i++) {
        if (d->count == DECLARED_MAX) {
            jx_audit_note(&d->audit, "", member, "makes more than 2000 topics and subscriptions");
            return;
        }
        read_item(d, is_topic, i, item);
    }
}

static void prune_scope(struct declaration *d, const char *id)
{
    const struct scope *scope = catalog_find_scope(d->router->catalog, slice_of(id));
    const struct member *member;
    size_t named = d->count;

    if (scope == NULL || scope->topic == NULL)
        return;
    list_each (&scope->members, struct member, node, member) {
        struct declared *item = add_item(d, false);
        item->name = document_text(slice_of(member->document), "name");
        item->scope = slice_dup(slice_of(topic_scope(scope->topic)));
        item->topic_name = slice_dup(slice_of(scope->topic->name));
        item->step = DECLARED_REMOVE;
        for (size_t i = 0; i < named; i++)
            if (is_same(&d->items[i], item)) {
                item->step = DECLARED_STAYS;
                break;
            }
        if (item->step == DECLARED_REMOVE)
            continue;
        d->count--;
        free(item->name);
        free(item->scope);
        free(item->topic_name);
    }
}

/* The scopes of all items, each once. */
static void prune(struct declaration *d)
{
    size_t named = d->count;

    for (size_t i = 0; i < named; i++) {
        bool is_first = true;
        for (size_t k = 0; k < i && is_first; k++)
            is_first = !slice_eq_nocase(slice_of(d->items[k].scope), slice_of(d->items[i].scope));
        if (is_first)
            prune_scope(d, d->items[i].scope);
    }
}

struct declaration *declaration_new(struct router *router, struct slice text, bool is_pruning)
{
    struct declaration *d = mem_new(struct declaration);

    d->router = router;
    d->text = slice_dup(jx_scan_trim(text));
    text = (struct slice){d->text, jx_scan_trim(text).len};
    jx_audit_init(&d->audit);
    if (!jx_scan_is_object(text)) {
        jx_audit_note(&d->audit, "", "", "is not a JSON object");
        return d;
    }
    read_items(d, text, "topics", true);
    read_items(d, text, "subscriptions", false);
    jx_audit_unknown(&d->audit, text);
    if (is_pruning && d->audit.count == 0)
        prune(d);
    return d;
}

void declaration_free(struct declaration *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->count; i++) {
        struct declared *item = &d->items[i];
        topic_done(&item->topic);
        buf_done(&item->members);
        free(item->name);
        free(item->topic_name);
        free(item->scope);
    }
    jx_audit_done(&d->audit);
    free(d->items);
    free(d->text);
    free(d->url);
    free(d);
}
