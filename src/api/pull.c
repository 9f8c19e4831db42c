#include "api/pull.h"

#include "api/pull_locks.h"
#include "api/pull_receive.h"
#include "router/catalog.h"
#include "router/document.h"

/* ---- paths ---- */

static const struct {
    const char *name;
    size_t segments; /* of the path */
    const char *description;
} verbs[] = {
    [PULL_PUBLISH] = {"publish", 2,
                      "Publishes CloudEvents to a topic that takes them: structured, in a batch "
                      "or binary."},
    [PULL_RECEIVE] = {"receive", 4,
                      "Locks events and brings them, as CloudEvents: "
                      "?maxEvents=1..100&maxWaitTime=10..120 seconds."},
    [PULL_ACKNOWLEDGE] = {"acknowledge", 4,
                          "They are done: `{\"lockTokens\":[..]}`, here and below."},
    [PULL_RELEASE] = {"release", 4,
                      "They can be received again, ?releaseDelayInSeconds=0, 10, 60, 600 or "
                      "3600."},
    [PULL_REJECT] = {"reject", 4, "They become dead letters."},
    [PULL_RENEW] = {"renewLock", 4, "Their locks begin anew."},
};

bool pull_read_path(const struct http_request *request, struct pull_path *ret)
{
    size_t count = http_request_segment_count(request);
    struct slice last = http_request_segment(request, count - 1);
    struct slice name = slice_first(last, slice_find_byte(last, ':'));
    struct slice verb = slice_from(last, name.len + 1);

    if (count == 4 &&
        !slice_eq_nocase(http_request_segment(request, 2), SLICE("eventsubscriptions")))
        return false;
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (verbs[i].segments == count && slice_eq_nocase(verb, slice_of(verbs[i].name))) {
            *ret = (struct pull_path){.verb = (enum pull_verb)i, .topic = name};
            if (count == 4) {
                ret->topic = http_request_segment(request, 1);
                ret->subscription = name;
            }
            return true;
        }
    return false;
}

/* ---- what it is about ---- */

static enum err find_active(const struct scope *scope, struct slice name, struct active **ret,
                            struct refusal *why)
{
    const struct member *member = catalog_member(scope, name);

    if (member == NULL || document_is(slice_of(member->document), STATE_DELETING))
        return refuse(why, REFUSAL_GONE, "There is no event subscription '%.*s' of topic '%s'.",
                      SLICE_ARG(name), scope->topic->name);
    if (member->active == NULL && catalog_is_ending(scope->catalog))
        return refuse(why, REFUSAL_UNAVAILABLE, "The server is stopping. Try again.");
    if (member->active == NULL)
        return refuse(why, REFUSAL_REQUEST, "The event subscription '%.*s' is not in force.",
                      SLICE_ARG(name));
    if (!member->active->subscription.is_queue)
        return refuse(why, REFUSAL_REQUEST,
                      "The event subscription '%.*s' has a destination that its events are "
                      "delivered to; those in queue mode are received from.",
                      SLICE_ARG(name));
    *ret = member->active;
    return E_OK;
}

enum err pull_handle(struct scope *scope, const struct pull_path *path,
                     const struct exchange *exchange, struct refusal *why)
{
    struct active *active = NULL;
    enum err err = find_active(scope, path->subscription, &active, why);

    if (err != E_OK)
        return err;
    return path->verb == PULL_RECEIVE ? pull_receive(scope, active, exchange, why)
                                      : pull_settle(active, path->verb, exchange, why);
}

void pull_write_docs(struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        buf_addf(out, "| POST | `/topics/{topic}%s:%s` | %s |\n",
                 verbs[i].segments == 2 ? "" : "/eventsubscriptions/{name}", verbs[i].name,
                 verbs[i].description);
}
