/* How many topics there may be, and subscriptions of one topic. What is being made counts, so that
 * many at once do not get past the limit. */
#include "router/change_internal.h"
#include "router/resource_id.h"

/* Changes under way that make something of this scope (SLICE_NONE: topics), but for `c`. */
static size_t being_made(const struct change *c, struct slice scope)
{
    const struct change *other;
    size_t count = 0;

    list_each (&c->changes->list, struct change, node, other) {
        struct slice id = slice_of(other->id), its = resource_id_scope(id);
        bool is_such =
            scope.data != NULL ? its.len < id.len && slice_eq(its, scope) : its.len == id.len;
        if (other != c && is_such && change_document(other).data == NULL)
            count++;
    }
    return count;
}

static size_t count_topics(const struct catalog *catalog)
{
    struct scope *scope;
    size_t count = 0;

    for (size_t at = 0; catalog_next_scope(catalog, &at, &scope);)
        count += scope->topic != NULL;
    return count;
}

static size_t count_members(const struct scope *scope)
{
    const struct list *members = &scope->members;
    size_t count = 0;

    for (const struct list_node *at = members->head.next; at != &members->head; at = at->next)
        count++;
    return count;
}

enum err quota_topic(struct change *c)
{
    size_t max = c->changes->options.topics_max;

    if (max == 0 || change_document(c).data != NULL ||
        count_topics(c->changes->options.catalog) + being_made(c, SLICE_NONE) < max)
        return E_OK;
    return cause_set(&c->why, E_FULL,
                     "there are %zu topics, as many as the setting topics.max allows", max);
}

enum err quota_subscription(struct change *c, const struct scope *scope)
{
    size_t max = c->changes->options.subscriptions_max;

    if (max == 0 || change_document(c).data != NULL ||
        count_members(scope) + being_made(c, slice_of(scope->id)) < max)
        return E_OK;
    return cause_set(&c->why, E_FULL,
                     "topic '%s' has %zu subscriptions, as many as the setting "
                     "topics.subscriptions_max allows",
                     scope->topic->name, max);
}
