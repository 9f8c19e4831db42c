#include "router/catalog.h"

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
#define DAY_MS 86400000ull

struct catalog {
    struct catalog_options options;
    struct map scopes;   /* lower-case id -> struct scope */
    struct map topics;   /* lower-case name -> struct scope */
    struct map queues;   /* id -> struct active, not the retired */
    struct list retired; /* struct active */
    struct map ending;   /* queue -> how many of the retired subscribers still work on it, as a
                            number in the pointer */
    struct list pulls;   /* struct active, in queue mode */
    size_t pull_count;
    struct waits waits;
    struct op *stopped;
};

/* ---- active ---- */

struct active *active_ref(struct active *active)
{
    active->refs++;
    return active;
}

static void end_stop(struct catalog *catalog)
{
    struct op *stopped = catalog->stopped;

    if (stopped == NULL || !list_is_empty(&catalog->retired))
        return;
    catalog->stopped = NULL;
    op_end(stopped, E_OK);
}

struct active *active_unref(struct active *active)
{
    if (active == NULL || --active->refs > 0)
        return NULL;
    struct catalog *catalog = active->catalog;
    if (active->subscriber != NULL)
        subscriber_free(active->subscriber);
    else
        queue_free(active->queue);
    if (active->free_target != NULL)
        active->free_target(active->target);
    mover_free(active->mover);
    subscription_done(&active->subscription);
    (void)tally_unref(active->tally);
    list_remove(&active->node);
    free(active);
    end_stop(catalog);
    return NULL;
}

struct loop *active_loop(const struct active *active)
{
    return active->catalog->options.loop;
}

void active_died(const struct active *active)
{
    if (active->mover != NULL && !list_holds(&active->node))
        mover_wake(active->mover);
}

struct waits *active_waits(const struct active *active)
{
    return &active->catalog->waits;
}

static void wake_here(struct active *active)
{
    if (!list_is_empty(&active->receptions))
        reception_wake(container_of(active->receptions.head.next, struct reception, node));
    if (active->subscriber != NULL)
        subscriber_wake(active->subscriber);
}

/* Of a retired one, what works by the new document now has the same queue. */
void active_wake(struct active *active)
{
    struct catalog *catalog = active->catalog;
    struct slice queue = queue_id(active->queue);
    struct active *current = list_holds(&active->node) ? map_get(&catalog->queues, queue) : active;

    if (current != NULL)
        wake_here(current);
    if (active->subscription.is_queue) /* a subscriber tells when it is more than it can take */
        wakes_tell(catalog->options.wakes, queue);
}

static uintptr_t count_ending(const struct catalog *catalog, struct slice queue)
{
    return (uintptr_t)map_get(&catalog->ending, queue);
}

/* Its successor has looked at the queue long ago, and does not know what was parked since then, set
 * free, or given to this one when it did not listen any more. */
static void on_retired(struct op *op, enum err err)
{
    struct active *active = container_of(op, struct active, stopped);
    struct catalog *catalog = active->catalog;
    struct slice queue = queue_id(active->queue);
    struct active *next = map_get(&catalog->queues, queue);
    uintptr_t left = count_ending(catalog, queue);

    (void)err;
    if (active->subscriber != NULL && left > 1)
        (void)map_set(&catalog->ending, queue, (void *)(left - 1));
    else if (active->subscriber != NULL)
        (void)map_remove(&catalog->ending, queue);
    if (next != NULL && next->subscriber != NULL && left <= 1)
        subscriber_inherit(next->subscriber);
    else if (next != NULL && next->subscriber != NULL)
        subscriber_recheck(next->subscriber);
    active_unref(active);
}

static void on_moved(struct op *op, enum err err)
{
    (void)err;
    active_unref(container_of(op, struct active, moved));
}

static void retire(struct active *active)
{
    struct reception *reception;

    if (map_get(&active->catalog->queues, queue_id(active->queue)) == active)
        (void)map_remove(&active->catalog->queues, queue_id(active->queue));
    active->catalog->pull_count -= list_holds(&active->turns);
    list_remove(&active->turns);
    list_push(&active->catalog->retired, &active->node);
    list_each (&active->receptions, struct reception, node, reception)
        reception_cancel(reception);
    if (active->mover != NULL) {
        active->moved = (struct op){.done = on_moved};
        mover_stop(active_ref(active)->mover, &active->moved);
    }
    active->stopped = (struct op){.done = on_retired};
    if (active->subscriber == NULL) {
        loop_later(active->catalog->options.loop, &active->stopped, E_OK);
        return;
    }
    struct slice queue = queue_id(active->queue);
    (void)map_set(&active->catalog->ending, queue,
                  (void *)(count_ending(active->catalog, queue) + 1));
    subscriber_stop(active->subscriber, &active->stopped);
}

/* ---- documents ---- */

static const struct blob_account *find_account(const struct catalog *catalog,
                                               const struct subscription *subscription)
{
    const struct blob_accounts *accounts = catalog->options.accounts;

    return accounts != NULL
               ? blob_accounts_find(accounts, slice_of(subscription->dead_letter_account))
               : NULL;
}

static void on_died(void *ctx)
{
    mover_wake(ctx);
}

static void begin_mover(struct active *active, const struct scope *scope, struct slice queue)
{
    const struct catalog_options *options = &active->catalog->options;
    const struct subscription *subscription = &active->subscription;
    const struct blob_account *account = NULL;

    if (subscription->dead_letter_account == NULL)
        return;
    account = find_account(active->catalog, subscription);
    if (account == NULL) {
        log_error("DEAD-LETTER-ACCOUNT",
                  "%s: its dead letters stay in the store: the setting storage.accounts does not "
                  "name account %s",
                  subscription->name, subscription->dead_letter_account);
        return;
    }
    active->mover = mover_start(&(struct mover_options){.loop = options->loop,
                                                        .redis = options->redis,
                                                        .queue = queue,
                                                        .rules = topic_rules(scope->topic),
                                                        .subscription = subscription,
                                                        .http = options->storage,
                                                        .account = account});
}

static void begin(struct active *active, const struct scope *scope, struct slice queue)
{
    const struct catalog_options *options = &active->catalog->options;

    (void)map_set(&active->catalog->queues, queue, active);
    begin_mover(active, scope, queue);
    if (active->subscription.is_queue) {
        uint64_t ttl_ms = active->subscription.queue.ttl_ms;
        uint64_t retention_ms = scope->topic->retention_days * DAY_MS;
        active->queue = queue_new(options->redis, queue);
        active->ttl_ms = ttl_ms != 0 && ttl_ms < retention_ms ? ttl_ms : retention_ms;
        list_push(&active->catalog->pulls, &active->turns);
        active->catalog->pull_count++;
        return;
    }
    active->subscriber = subscriber_start(
        &(struct subscriber_options){.loop = options->loop,
                                     .redis = options->redis,
                                     .wakes = options->wakes,
                                     .id = queue,
                                     .node = options->node,
                                     .rules = topic_rules(scope->topic),
                                     .subscription = &active->subscription,
                                     .tally = active->tally,
                                     .target = active->target,
                                     .is_dead = options->is_dead,
                                     .ctx = options->ctx,
                                     .has_predecessor = count_ending(active->catalog, queue) > 0,
                                     .window = options->window,
                                     .died = active->mover != NULL ? on_died : NULL,
                                     .died_ctx = active->mover});
    active->queue = subscriber_queue(active->subscriber);
}

static enum err read_subscription(const struct scope *scope, struct slice document,
                                  struct subscription *ret, struct cause *why)
{
    const struct subscription_rules rules = scope_stored_rules(scope);
    char *name = document_text(document, "name");

    subscription_init(ret, slice_of(name != NULL ? name : ""), &rules);
    free(name);
    return subscription_read(ret, &rules, jx_scan_member(document, SLICE("properties")), why);
}

static void activate(struct member *member)
{
    struct scope *scope = member->scope;
    struct slice document = slice_of(member->document);
    char *queue = document_text(document, "queue"), *state = document_text(document, "state");
    struct cause why = {0};

    if (scope->topic == NULL || state == NULL || strcmp(state, STATE_SUCCEEDED) != 0) {
        free(queue);
        free(state);
        return;
    }
    struct active *active = mem_new(struct active);
    active->refs = 1;
    active->catalog = scope->catalog;
    list_init(&active->receptions);
    enum err err = read_subscription(scope, document, &active->subscription, &why);
    if (err == E_OK)
        err = targets_make(&scope->catalog->options.targets, &active->subscription, &active->target,
                           &active->free_target, &why);
    if (err == E_OK && (queue == NULL || queue[0] == '\0'))
        err = cause_set(&why, E_BAD_INPUT, "its document names no queue");
    if (err == E_OK) {
        if (member->tally == NULL)
            member->tally = tally_new(scope->catalog->options.tallies, scope->topic->name,
                                      active->subscription.name);
        active->tally = tally_ref(member->tally);
        begin(active, scope, slice_of(queue));
        member->active = active;
    } else {
        log_error("SUBSCRIPTION-BAD", "%s: cannot work: %s", member->id, cause_text(&why, err));
        active->free_target = active->target != NULL ? active->free_target : NULL;
        active_unref(active);
    }
    free(queue);
    free(state);
}

static void deactivate(struct member *member)
{
    struct active *active = member->active;

    member->active = NULL;
    if (active != NULL)
        retire(active);
}

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
        deactivate(member);
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
        activate(member);
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
    deactivate(member);
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
        activate(member);
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
    if (subscription->dead_letter_account != NULL && find_account(catalog, subscription) == NULL)
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
        wake_here(active);
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
            wake_here(active);
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
            deactivate(member);
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
