/* What a change would write, until it is known whether it may. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/name.h"
#include "loop/loop.h"
#include "router/change_internal.h"
#include "router/document.h"
#include "router/identity.h"
#include "router/resource_id.h"
#include "wire/url.h"
#include "json/scan.h"

/* A subscription that is made or changed. */
struct proposal {
    struct subscription subscription;
    char *scope; /* lower-case id */
    char *url;   /* of this server */
    struct id code, token;
};

void proposal_free(struct proposal *proposal)
{
    if (proposal == NULL)
        return;
    subscription_done(&proposal->subscription);
    free(proposal->scope);
    free(proposal->url);
    free(proposal);
}

static struct slice properties_of(const struct change_request *request)
{
    return request->properties.len > 0 ? request->properties : SLICE("{}");
}

/* ---- topics ---- */

/* Only a system topic has a source, which it keeps. */
static enum err check_source(const struct topic *topic, const struct topic *old, struct cause *why)
{
    const struct event_source *source = event_source_of(slice_of(topic->source));

    if (!resource_id_is_system(slice_of(topic->id)))
        return topic->source == NULL && topic->type == NULL
                   ? E_OK
                   : cause_set(why, E_BAD_INPUT, "source: only a system topic has one");
    if (source == NULL)
        return cause_set(why, E_BAD_INPUT,
                         "source: '%s' is not the id of a resource that emits events, as "
                         "/subscriptions/../providers/Microsoft.Cache/Redis/NAME is",
                         topic->source != NULL ? topic->source : "");
    if (event_source_find(slice_of(topic->type)) != source)
        return cause_set(why, E_BAD_INPUT, "topicType: is not %s", source->type);
    if (topic->input != SCHEMA_EVENT_GRID)
        return cause_set(why, E_BAD_INPUT,
                         "inputSchema: that of a system topic is EventGridSchema");
    if (old != NULL && !slice_eq_nocase(slice_of(topic->source), slice_of(old->source)))
        return cause_set(why, E_BAD_INPUT, "source: is %s and cannot be changed", old->source);
    return E_OK;
}

/* A source has one topic. */
static enum err check_scope(struct change *c, const struct topic *topic)
{
    const struct scope *scope =
        catalog_find_scope(c->changes->options.catalog, slice_of(topic_scope(topic)));

    if (scope == NULL || scope->topic == NULL ||
        slice_eq_nocase(slice_of(scope->topic->id), slice_of(topic->id)))
        return E_OK;
    return cause_set(&c->why, E_EXISTS, "source: %s has a system topic already, %s",
                     topic_scope(topic), scope->topic->id);
}

static enum err read_topic(struct change *c, const struct change_request *request,
                           struct slice document, struct topic *topic)
{
    char *name = document_text(document, "name"), *id = document_text(document, "id");
    struct slice properties = jx_scan_member(document, SLICE("properties"));
    struct topic old;
    enum err err = E_OK;

    topic_init(topic, name != NULL ? slice_of(name) : request->name,
               id != NULL ? slice_of(id) : request->scope);
    topic_init(&old, SLICE("-"), SLICE("-"));
    free(name);
    free(id);
    if (document.data != NULL) {
        err = topic_read_stored(&old, properties, &c->why);
        if (err == E_OK && request->is_patch)
            err = topic_read_stored(topic, properties, &c->why);
        topic->keys = old.keys;
    }
    if (err == E_OK)
        err = topic_read(topic, properties_of(request), &c->why);
    if (err == E_OK)
        err = check_source(topic, document.data != NULL ? &old : NULL, &c->why);
    /* What is queued was published by the old one. */
    if (err == E_OK && document.data != NULL && topic->input != old.input)
        err = cause_set(&c->why, E_BAD_INPUT, "inputSchema: is %s and cannot be changed",
                        schema_name(old.input));
    topic_done(&old);
    return err;
}

static enum err check_topic(struct change *c, const struct change_request *request)
{
    struct slice document = change_document(c);
    const struct scope *other = catalog_topic(c->changes->options.catalog, request->name);
    enum err err = topic_name_check(request->name, &c->why);

    if (err != E_OK)
        return cause_wrap(&c->why, err, "name");
    if (document_is(document, STATE_DELETING))
        return cause_set(&c->why, E_EXISTS, "topic '%.*s' is being removed: try again in a moment",
                         SLICE_ARG(request->name));
    if (other != NULL && !slice_eq_nocase(slice_of(other->topic->id), slice_of(c->id)))
        return cause_set(&c->why, E_EXISTS, "name: there is a topic '%.*s' already, in %s",
                         SLICE_ARG(request->name), other->topic->id);
    if (request->is_patch && document.data == NULL)
        return cause_set(&c->why, E_NOT_FOUND, "there is no topic '%.*s'",
                         SLICE_ARG(request->name));
    return quota_topic(c);
}

static enum err write_topic(struct change *c, const struct change_request *request, int renewed)
{
    const struct labels old = labels_read(change_document(c)),
                        labels = labels_merge(&old, &request->labels);
    struct topic topic;
    enum err err = read_topic(c, request, change_document(c), &topic);

    if (err == E_OK)
        err = check_scope(c, &topic);
    for (int i = 0; i < ACCESS_KEYS_COUNT; i++)
        if (topic.keys.text[i][0] == '\0' || i == renewed)
            access_keys_renew(&topic.keys, (size_t)i);
    if (err == E_OK)
        document_write_topic(&c->document, &topic, &labels);
    topic_done(&topic);
    return err != E_OK ? err : buf_err(&c->document);
}

static enum err begin_topic(struct changes *changes, const struct change_request *request,
                            int renewed, struct change *c)
{
    enum err err = change_init(changes, request->scope, c);

    if (err != E_OK)
        return err;
    c->is_creation = change_document(c).data == NULL;
    err = check_topic(c, request);
    if (err == E_OK)
        err = write_topic(c, request, renewed);
    if (err != E_OK)
        return change_drop(c, err);
    change_begin(c, WRITE);
    return E_OK;
}

enum err change_topic(struct changes *changes, const struct change_request *request,
                      struct change *c)
{
    return begin_topic(changes, request, -1, c);
}

enum err change_topic_key(struct changes *changes, struct slice id, size_t which, struct change *c)
{
    const struct scope *scope = catalog_topic(changes->options.catalog, resource_id_topic_name(id));

    if (scope == NULL)
        return cause_set(&c->op.why, E_NOT_FOUND, "there is no topic %.*s", SLICE_ARG(id));
    return begin_topic(changes,
                       &(struct change_request){
                           .scope = id, .name = slice_of(scope->topic->name), .is_patch = true},
                       (int)which, c);
}

/* ---- subscriptions ---- */

/* The scope, if it has its topic; else NULL. */
static const struct scope *find_scope(const struct change *c, struct slice id)
{
    const struct scope *scope = catalog_find_scope(c->changes->options.catalog, id);
    return scope != NULL && scope->topic != NULL ? scope : NULL;
}

static enum err check_subscription(struct change *c, const struct change_request *request)
{
    struct slice document = change_document(c);
    enum err err = subscription_name_check(request->name, &c->why);

    if (err != E_OK)
        return cause_wrap(&c->why, err, "name");
    if (document_is(document, STATE_DELETING))
        return cause_set(&c->why, E_EXISTS,
                         "subscription '%.*s' is being removed: try again in a moment",
                         SLICE_ARG(request->name));
    if (request->is_patch && document.data == NULL)
        return cause_set(&c->why, E_NOT_FOUND, "there is no subscription '%.*s'",
                         SLICE_ARG(request->name));
    return E_OK;
}

/* read_proposal fills it and tells whether its endpoint is one that has not passed a handshake. */
static enum err read_proposal(struct change *c, const struct scope *scope,
                              const struct change_request *request, bool *ret_is_new)
{
    const struct subscription_rules rules = scope_rules(scope), stored = scope_stored_rules(scope);
    struct slice document = change_document(c),
                 before = jx_scan_member(document, SLICE("properties"));
    struct subscription *sub = &c->proposal->subscription;
    char *name = document_text(document, "name");
    struct subscription old;
    enum err err = E_OK;

    subscription_init(sub, name != NULL ? slice_of(name) : request->name, &rules);
    subscription_init(&old, request->name, &rules);
    free(name);
    if (before.data != NULL) {
        struct cause ignored; /* one that is faulty may be put right */
        bool is_read = subscription_read(&old, &stored, before, &ignored) == E_OK;
        if (is_read && request->is_patch)
            err = subscription_read(sub, &stored, document_latest(document, clock_unix_ms()),
                                    &c->why);
    }
    if (err == E_OK)
        err = subscription_read(sub, &rules, properties_of(request), &c->why);
    if (err == E_OK)
        err = catalog_can_deliver(scope->catalog, sub, &c->why);
    subscription_keep_secrets(sub, &old);
    subscription_make_secrets(sub);
    *ret_is_new = sub->destination.kind == DESTINATION_WEBHOOK &&
                  (!document_is(document, STATE_SUCCEEDED) ||
                   !slice_eq(slice_of(old.destination.url), slice_of(sub->destination.url)));
    subscription_done(&old);
    return err;
}

static enum err propose(struct change *c, const struct change_request *request)
{
    const struct scope *scope = find_scope(c, request->scope);
    bool is_new;
    enum err err = check_subscription(c, request);

    if (err != E_OK)
        return err;
    if (scope == NULL)
        return cause_set(&c->why, E_NOT_FOUND, "there is no topic %.*s", SLICE_ARG(request->scope));
    err = quota_subscription(c, scope);
    if (err != E_OK)
        return err;
    c->proposal = mem_new(struct proposal);
    c->proposal->scope = slice_dup(slice_of(scope->id));
    c->proposal->url = slice_dup(request->url);
    c->proposal->code = id_secret();
    c->proposal->token = id_secret();
    err = read_proposal(c, scope, request, &is_new);
    if (err != E_OK)
        return err;
    if (is_new) {
        change_begin(c, VALIDATE);
        return E_OK;
    }
    c->validation.verdict = HANDSHAKE_PASSED;
    err = proposal_settle(c);
    if (err == E_OK)
        change_begin(c, WRITE);
    return err;
}

enum err change_subscription(struct changes *changes, const struct change_request *request,
                             struct change *c)
{
    struct buf id;

    buf_init(&id, RESOURCE_ID_MAX_BYTES);
    resource_id_subscription(&id, request->scope, request->name);
    enum err err = buf_err(&id);
    if (err != E_OK)
        (void)cause_set(&c->op.why, err, "a resource id has at most %d bytes",
                        RESOURCE_ID_MAX_BYTES);
    else
        err = change_init(changes, buf_slice(&id), c);
    buf_done(&id);
    if (err != E_OK)
        return err;
    err = propose(c, request);
    return err == E_OK ? E_OK : change_drop(c, err);
}

void proposal_validate(struct change *c, struct op *op)
{
    const struct proposal *p = c->proposal;
    const struct subscription *sub = &p->subscription;
    const struct scope *scope =
        catalog_scope(c->changes->options.catalog, slice_of(p->scope)); /* there a moment ago */
    struct buf callback, token;

    buf_init(&callback, URL_MAX_BYTES);
    buf_init(&token, IDENTITY_BEARER_MAX_BYTES);
    (void)identity_write_bearer(&token, c->changes->options.identity, &sub->destination,
                                clock_unix_ms() / 1000);
    buf_addf(&callback,
             "%s/eventsubscriptions/%s/validate?id=%s&t=%llu&apiVersion=2022-06-15&token=%s",
             p->url, sub->name, p->code.text, (unsigned long long)clock_unix_ms(), p->token.text);
    validation_start(
        &(struct validation_options){.loop = c->changes->options.loop,
                                     .http = c->changes->options.http,
                                     .retry_ms = c->changes->options.retry_ms,
                                     .endpoint = slice_of(sub->destination.url),
                                     .name = slice_of(sub->name),
                                     .scope = slice_of(topic_scope(scope->topic)),
                                     .code = id_slice(&p->code),
                                     .callback = buf_slice(&callback),
                                     .token = buf_slice(&token),
                                     .is_cloud_event = sub->delivery == SCHEMA_CLOUD_EVENT},
        &c->validation, op);
    buf_done(&callback);
    buf_done(&token);
}

void change_write_properties(struct buf *out, const struct change *c)
{
    const struct scope *scope =
        catalog_scope(c->changes->options.catalog, slice_of(c->proposal->scope));
    const struct subscription_rules rules = scope_rules(scope); /* it has just been asked */

    subscription_write(out, &c->proposal->subscription, &rules);
}

static void write_member(struct change *c, const struct scope *scope, struct slice document)
{
    const struct proposal *p = c->proposal;
    const struct subscription_rules rules = scope_rules(scope);
    enum handshake_verdict verdict = c->validation.verdict;
    const struct waiting waiting = {id_slice(&p->code), id_slice(&p->token),
                                    clock_unix_ms() + c->changes->options.window_ms};
    /* What is in force goes on until the new endpoint is confirmed. */
    bool is_later = verdict == HANDSHAKE_MANUAL && document_is(document, STATE_SUCCEEDED);
    char *queue = document_text(document, "queue");
    struct id fresh = id_next();
    struct buf id, properties;

    c->is_creation = document.data == NULL;
    buf_init(&id, RESOURCE_ID_MAX_BYTES);
    buf_init(&properties, DOCUMENT_MAX_BYTES);
    resource_id_subscription(&id, slice_of(topic_scope(scope->topic)),
                             slice_of(p->subscription.name));
    subscription_write_stored(&properties, &p->subscription, &rules);
    document_write_member(&c->document,
                          &(struct member_draft){
                              .name = slice_of(p->subscription.name),
                              .id = buf_slice(&id),
                              .queue = queue != NULL ? slice_of(queue) : id_slice(&fresh),
                              .state = is_later || verdict == HANDSHAKE_PASSED ? STATE_SUCCEEDED
                                       : verdict == HANDSHAKE_MANUAL           ? STATE_AWAITING
                                                                               : STATE_FAILED,
                              .properties = is_later ? jx_scan_member(document, SLICE("properties"))
                                                     : buf_slice(&properties),
                              .waiting = verdict == HANDSHAKE_MANUAL ? &waiting : NULL,
                              .later = is_later ? buf_slice(&properties) : SLICE_NONE});
    free(queue);
    buf_done(&id);
    buf_done(&properties);
}

enum err proposal_settle(struct change *c)
{
    const struct scope *scope =
        catalog_scope(c->changes->options.catalog, slice_of(c->proposal->scope));
    struct slice document = change_document(c);
    enum err result = E_OK;

    if (scope == NULL || scope->topic == NULL || document_is(document, STATE_DELETING))
        return cause_set(&c->why, E_NOT_FOUND, "it was removed meanwhile");
    if (c->validation.verdict == HANDSHAKE_FAILED) {
        c->why = c->validation.why;
        result = E_DENIED;
        if (document_is(document, STATE_SUCCEEDED))
            return result; /* all stays as it is */
    }
    write_member(c, scope, document);
    if (buf_err(&c->document) != E_OK) {
        buf_clear(&c->document);
        return cause_set(&c->why, E_LIMIT, "its settings are larger than %d bytes",
                         DOCUMENT_MAX_BYTES);
    }
    return result;
}

/* ---- by hand ---- */

static const struct member *find_waiting(struct changes *changes,
                                         const struct confirmation *confirmation)
{
    struct scope *scope;

    for (size_t at = 0; catalog_next_scope(changes->options.catalog, &at, &scope);) {
        const struct member *member =
            scope->topic != NULL ? catalog_member(scope, confirmation->name) : NULL;
        struct waiting waiting;
        if (member != NULL && document_waiting(slice_of(member->document), &waiting) &&
            slice_eq_secret(waiting.code, confirmation->code) &&
            slice_eq_secret(waiting.token, confirmation->token))
            return member;
    }
    return NULL;
}

enum err change_confirm(struct changes *changes, const struct confirmation *confirmation,
                        struct change *c)
{
    const struct member *member = find_waiting(changes, confirmation);
    struct waiting waiting;

    if (member == NULL)
        return cause_set(&c->op.why, E_DENIED, "nothing waits to be confirmed by this");
    struct slice document = slice_of(member->document);
    if (!document_waiting(document, &waiting) || clock_unix_ms() > waiting.until_unix_ms)
        return cause_set(&c->op.why, E_TIMEOUT, "it is too late to confirm this");
    enum err err = change_init(changes, slice_of(member->id), c);
    if (err != E_OK)
        return err;
    document_write_confirmed(&c->document, document);
    change_begin(c, WRITE);
    return E_OK;
}
