#include "router/catalog_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "blob/account.h"
#include "loop/loop.h"
#include "router/document.h"
#include "router/mover.h"
#include "router/reception.h"
#include "router/resource_id.h"
#include "store/wakes.h"
#include "json/scan.h"

#define TEXT_MAX_BYTES 4096

/* ---- scopes ---- */

static void forget_matcher(struct scope *scope)
{
    matcher_free(scope->matcher);
    scope->matcher = NULL;
    free(scope->filters);
    scope->filters = NULL;
    free(scope->matching);
    scope->matching = NULL;
}

static struct scope *scope_of(struct catalog *catalog, struct slice id)
{
    struct scope *scope = map_get(&catalog->scopes, id);

    if (scope != NULL)
        return scope;
    scope = mem_new(struct scope);
    scope->catalog = catalog;
    scope->id = slice_dup(id);
    list_init(&scope->members);
    (void)map_set(&catalog->scopes, id, scope);
    return scope;
}

/* Longer than any, it is cut: then there is none of that name. */
static void *find_nocase(const struct map *map, struct slice name)
{
    char room[TEXT_MAX_BYTES];

    return map_get(map, slice_lower(slice_first(name, sizeof room), room));
}

static void forget_name(struct catalog *catalog, const char *name)
{
    char room[TEXT_MAX_BYTES];

    (void)map_remove(&catalog->topics, slice_lower(slice_first(slice_of(name), sizeof room), room));
}

static void drop_topic(struct scope *scope)
{
    struct member *member;

    if (scope->topic == NULL)
        return;
    list_each (&scope->members, struct member, node, member)
        member_deactivate(member);
    forget_matcher(scope);
    if (find_nocase(&scope->catalog->topics, slice_of(scope->topic->name)) == scope)
        forget_name(scope->catalog, scope->topic->name);
    topic_done(scope->topic);
    free(scope->topic);
    scope->topic = NULL;
}

static void drop_if_empty(struct scope *scope)
{
    if (scope->topic != NULL || !list_is_empty(&scope->members))
        return;
    (void)map_remove(&scope->catalog->scopes, slice_of(scope->id));
    forget_matcher(scope);
    (void)topic_tally_unref(scope->tally);
    free(scope->id);
    free(scope);
}

/* The scope whose topic is made by the document of this id: its own, but for system topics. */
static struct scope *scope_made_by(const struct catalog *catalog, struct slice id)
{
    struct scope *scope = map_get(&catalog->scopes, id);

    if (!resource_id_is_system(id))
        return scope != NULL && scope->topic != NULL ? scope : NULL;
    for (size_t at = 0; catalog_next_scope(catalog, &at, &scope);)
        if (scope->topic != NULL && slice_eq_nocase(slice_of(scope->topic->id), id))
            return scope;
    return NULL;
}

static enum err read_topic(struct topic *topic, struct slice name, struct slice document,
                           struct cause *why)
{
    char *shown = document_text(document, "name"), *id = document_text(document, "id");

    topic_init(topic, slice_of(shown != NULL ? shown : ""), slice_of(id));
    enum err err =
        shown == NULL || id == NULL || !slice_eq_nocase(slice_of(shown), name)
            ? cause_set(why, E_BAD_INPUT, "its document does not name it")
            : topic_read_stored(topic, jx_scan_member(document, SLICE("properties")), why);
    free(shown);
    free(id);
    return err;
}

/* Its subscriptions are read anew: how they read events, and whether they can, is the topic's. */
static void use_topic(struct scope *scope, struct slice name, struct topic *topic)
{
    struct catalog *catalog = scope->catalog;
    struct member *member;

    drop_topic(scope);
    scope->topic = topic;
    if (scope->tally == NULL)
        scope->tally = topic_tally_new(catalog->options.tallies, topic->name);
    (void)map_set(&catalog->topics, name, scope);
    list_each (&scope->members, struct member, node, member)
        member_activate(member);
}

static void set_topic(struct catalog *catalog, struct slice id, struct slice name,
                      struct slice document)
{
    struct scope *before = scope_made_by(catalog, id), *scope = NULL;
    struct topic *topic = mem_new(struct topic);
    struct cause why = {0};
    enum err err = read_topic(topic, name, document, &why);

    if (err == E_OK) {
        char room[TEXT_MAX_BYTES];
        struct slice source = slice_first(slice_of(topic_scope(topic)), sizeof room);
        scope = scope_of(catalog, slice_lower(source, room));
        if (scope->topic != NULL && scope != before)
            err = cause_set(&why, E_EXISTS, "%s has a topic already, %s", scope->id,
                            scope->topic->id);
    }
    if (before != NULL && before != scope) {
        drop_topic(before);
        drop_if_empty(before);
    }
    if (err == E_OK) {
        use_topic(scope, name, topic);
        return;
    }
    log_error("TOPIC-BAD", "%.*s: cannot work: %s", SLICE_ARG(id), cause_text(&why, err));
    topic_done(topic);
    free(topic);
    if (scope != NULL)
        drop_if_empty(scope);
}

static struct member *find_member(const struct scope *scope, struct slice id)
{
    struct member *member;

    list_each (&scope->members, struct member, node, member)
        if (slice_eq(slice_of(member->id), id))
            return member;
    return NULL;
}

static void drop_member(struct member *member)
{
    member_deactivate(member);
    list_remove(&member->node);
    (void)tally_unref(member->tally);
    free(member->id);
    free(member->document);
    free(member);
}

static void set_member(struct catalog *catalog, struct slice scope_id, struct slice id,
                       struct slice document)
{
    struct scope *scope = scope_of(catalog, scope_id);
    struct member *member = find_member(scope, id);
    struct tally *tally = NULL; /* goes on counting */

    forget_matcher(scope);
    if (member != NULL) {
        tally = member->tally;
        member->tally = NULL;
        drop_member(member);
    }
    if (document.data != NULL) {
        member = mem_new(struct member);
        member->tally = tally;
        member->scope = scope;
        member->id = slice_dup(id);
        member->document = slice_dup(document);
        list_push(&scope->members, &member->node);
        member_activate(member);
    } else {
        (void)tally_unref(tally);
    }
    drop_if_empty(scope);
}

/* ---- exported ---- */

struct catalog *catalog_new(const struct catalog_options *options)
{
    struct catalog *catalog = mem_new(struct catalog);

    catalog->options = *options;
    list_init(&catalog->retired);
    list_init(&catalog->pulls);
    return catalog;
}

void catalog_set(struct catalog *catalog, struct slice id, struct slice document)
{
    struct slice scope_id = resource_id_scope(id), name = resource_id_topic_name(id);
    bool is_member = scope_id.len < id.len;

    if (document.data != NULL && !jx_scan_is_object(document)) {
        log_error("DOCUMENT-BAD", "%.*s: its document is no JSON object", SLICE_ARG(id));
        document = SLICE_NONE;
    }
    if (is_member) {
        set_member(catalog, scope_id, id, document);
        return;
    }
    if (name.data == NULL)
        return; /* not the router's */
    if (document_is(document, STATE_DELETING))
        document = SLICE_NONE; /* its subscriptions have nothing to do any more */
    if (document.data != NULL) {
        set_topic(catalog, id, name, document);
        return;
    }
    struct scope *scope = scope_made_by(catalog, id);
    if (scope == NULL)
        return;
    drop_topic(scope);
    drop_if_empty(scope);
}

struct scope *catalog_scope(const struct catalog *catalog, struct slice id)
{
    return map_get(&catalog->scopes, id);
}

struct scope *catalog_find_scope(const struct catalog *catalog, struct slice id)
{
    return find_nocase(&catalog->scopes, id);
}

struct subscription_rules catalog_rules(const struct catalog *catalog, const struct topic *topic)
{
    return (struct subscription_rules){.input = topic->input,
                                       .source = event_source_find(slice_of(topic->type)),
                                       .retention_days = topic->retention_days,
                                       .allows_http = catalog->options.allows_http};
}

struct subscription_rules scope_rules(const struct scope *scope)
{
    return catalog_rules(scope->catalog, scope->topic);
}

struct subscription_rules scope_stored_rules(const struct scope *scope)
{
    struct subscription_rules rules = scope_rules(scope);

    rules.allows_http = true;
    rules.retention_days = TOPIC_RETENTION_MAX_DAYS;
    return rules;
}

enum err catalog_can_deliver(const struct catalog *catalog, const struct subscription *subscription,
                             struct cause *why)
{
    if (subscription->dead_letter_account != NULL && catalog_account(catalog, subscription) == NULL)
        return cause_set(why, E_BAD_INPUT,
                         "deadLetterDestination.properties.resourceId: account '%s' is not known "
                         "here: give its connection string in the setting storage.accounts",
                         subscription->dead_letter_account);
    return targets_check(&catalog->options.targets, subscription, why);
}

struct scope *catalog_topic(const struct catalog *catalog, struct slice name)
{
    return find_nocase(&catalog->topics, name);
}

struct member *catalog_member(const struct scope *scope, struct slice name)
{
    struct member *member;

    list_each (&scope->members, struct member, node, member) {
        struct slice id = slice_of(member->id);
        if (id.len > name.len && id.data[id.len - name.len - 1] == '/' &&
            slice_eq_nocase(slice_from(id, id.len - name.len), name))
            return member;
    }
    return NULL;
}

size_t scope_match(struct scope *scope, const struct event *event, const size_t **ret)
{
    if (scope->matcher == NULL) {
        struct member *member;
        size_t count = 0;
        list_each (&scope->members, struct member, node, member)
            count += member->active != NULL;
        struct filter **filters = mem_new_array(count + 1, struct filter *);
        scope->matching = mem_new_array(count + 1, struct active *);
        count = 0;
        list_each (&scope->members, struct member, node, member)
            if (member->active != NULL) {
                filters[count] = &member->active->subscription.filter;
                scope->matching[count++] = member->active;
            }
        scope->matcher = matcher_new(filters, count);
        scope->filters = filters;
    }
    return matcher_match(scope->matcher, event, ret);
}

bool catalog_next_scope(const struct catalog *catalog, size_t *at, struct scope **ret)
{
    struct slice id;
    void *value;

    if (!map_next(&catalog->scopes, at, &id, &value))
        return false;
    *ret = value;
    return true;
}

size_t catalog_pulls(const struct catalog *catalog)
{
    return catalog->pull_count;
}

struct active *catalog_next_pull(struct catalog *catalog)
{
    struct list_node *node = list_shift(&catalog->pulls);

    if (node == NULL)
        return NULL;
    list_push(&catalog->pulls, node);
    return container_of(node, struct active, turns);
}

static void look_again(struct active *active)
{
    if (active->subscriber != NULL)
        subscriber_look_again(active->subscriber);
    else
        active_wake_here(active);
}

void catalog_woken(struct catalog *catalog, struct slice queue)
{
    struct active *active;
    struct slice id;
    size_t at = 0;
    void *value;

    if (queue.data == NULL)
        while (map_next(&catalog->queues, &at, &id, &value))
            look_again(value);
    else if ((active = map_get(&catalog->queues, queue)) != NULL)
        look_again(active);
}

void catalog_recheck(struct catalog *catalog)
{
    struct slice id;
    size_t at = 0;
    void *value;

    while (map_next(&catalog->queues, &at, &id, &value)) {
        struct active *active = value;
        if (active->subscriber != NULL)
            subscriber_recheck(active->subscriber);
        else
            active_wake_here(active);
    }
}

size_t catalog_waits(const struct catalog *catalog)
{
    return catalog->waits.count;
}

void catalog_end_waits(struct catalog *catalog)
{
    struct reception *reception;
    struct active *active;

    catalog->waits.is_over = true;
    list_each (&catalog->pulls, struct active, turns, active)
        list_each (&active->receptions, struct reception, node, reception)
            reception_hurry(reception);
}

bool catalog_is_ending(const struct catalog *catalog)
{
    return catalog->waits.is_over;
}

void catalog_stop(struct catalog *catalog, struct op *op)
{
    struct scope *scope;
    struct member *member;

    for (size_t at = 0; catalog_next_scope(catalog, &at, &scope);) {
        forget_matcher(scope);
        list_each (&scope->members, struct member, node, member)
            member_deactivate(member);
    }
    if (list_is_empty(&catalog->retired)) {
        loop_later(catalog->options.loop, op, E_OK);
        return;
    }
    op_begin(op, NULL, catalog);
    catalog->stopped = op;
}

void catalog_hurry(struct catalog *catalog)
{
    struct reception *reception;
    struct active *active;

    list_each (&catalog->retired, struct active, node, active) {
        list_each (&active->receptions, struct reception, node, reception)
            reception_abort(reception);
        if (active->subscriber != NULL)
            subscriber_hurry(active->subscriber);
    }
}

void catalog_free(struct catalog *catalog)
{
    struct scope *scope;
    struct member *member;

    if (catalog == NULL)
        return;
    assert(list_is_empty(&catalog->retired));
    for (size_t at = 0; catalog_next_scope(catalog, &at, &scope); at = 0) {
        drop_topic(scope);
        list_each (&scope->members, struct member, node, member)
            drop_member(member);
        drop_if_empty(scope);
    }
    map_done(&catalog->scopes);
    map_done(&catalog->topics);
    map_done(&catalog->queues);
    map_done(&catalog->ending);
    free(catalog);
}
