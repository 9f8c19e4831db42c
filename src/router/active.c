/* Subscriptions at work: begun by their documents, retired when these change. */
#include "router/catalog_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "blob/account.h"
#include "loop/loop.h"
#include "router/document.h"
#include "router/mover.h"
#include "router/reception.h"
#include "store/wakes.h"
#include "json/scan.h"

#define DAY_MS 86400000ull

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

void active_wake_here(struct active *active)
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
        active_wake_here(current);
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

const struct blob_account *catalog_account(const struct catalog *catalog,
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
    account = catalog_account(active->catalog, subscription);
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

void member_activate(struct member *member)
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

void member_deactivate(struct member *member)
{
    struct active *active = member->active;

    member->active = NULL;
    if (active != NULL)
        retire(active);
}
