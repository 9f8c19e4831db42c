/* router/testing_documents.h - for tests of the whole router that make topics and subscriptions by
 * their documents. Included by one test file per program, as router/testing.h is. */
#ifndef ROUTER_TESTING_DOCUMENTS_H
#define ROUTER_TESTING_DOCUMENTS_H

#include "router/testing.h"

#define GROUP "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/topics/"

static inline void put(const char *id, const char *document)
{
    struct resource_write write = {.op.done = on_done};
    enum err err =
        document != NULL
            ? resource_put(router_resources(router), slice_of(id), slice_of(document), &write)
            : resource_delete(router_resources(router), slice_of(id), &write);
    is_done = false;
    assert_int_equal(err, E_OK);
    assert_int_equal(wait_done(), E_OK);
}

static inline void put_topic(const char *name)
{
    char id[256], document[512];

    snprintf(id, sizeof id, GROUP "%s", name);
    snprintf(document, sizeof document,
             "{\"name\":\"%s\",\"id\":\"%s\",\"properties\":{\"inputSchema\":\"EventGridSchema\"}}",
             name, id);
    put(id, document);
}

static inline void put_queue(const char *topic, const char *name, const char *settings)
{
    char id[256], document[512];

    snprintf(id, sizeof id, GROUP "%s" MEMBER "%s", topic, name);
    snprintf(document, sizeof document,
             "{\"name\":\"%s\",\"queue\":\"q-%s\",\"state\":\"Succeeded\",\"properties\":{"
             "\"deliveryConfiguration\":{\"deliveryMode\":\"Queue\",\"queue\":{%s}}}}",
             name, name, settings);
    put(id, document);
}

static inline struct active *active_of(const char *topic, const char *name)
{
    struct scope *scope = catalog_topic(router_catalog(router), slice_of(topic));
    struct member *member = catalog_member(scope, slice_of(name));

    assert_non_null(member);
    assert_non_null(member->active);
    return member->active;
}

static inline enum err publish(const char *topic, const char *events)
{
    struct scope *scope = catalog_topic(router_catalog(router), slice_of(topic));
    struct publication publication = {.op.done = on_done};
    const struct publish_request request = {SLICE("application/json"), NULL, 0, slice_of(events)};
    struct event_batch batch;
    struct refusal why;

    assert_non_null(scope);
    const struct publish_rules rules = {
        .event = topic_rules(scope->topic), .now_unix_us = clock_unix_us(), .next_id = id_next};
    if (publish_read(&rules, &request, &batch, &why) != E_OK)
        fail_msg("%s", why.text.text);
    is_done = false;
    assert_int_equal(router_publish(router, scope, &batch, &publication), E_OK);
    return wait_done();
}

#define EVENT(id, type)                                                                            \
    "{\"id\":\"" id "\",\"subject\":\"s\",\"eventType\":\"" type                                   \
    "\",\"eventTime\":\"2026-01-01T00:00:00Z\",\"data\":{\"n\":1.10},\"dataVersion\":\"2\"}"

static inline bool is_idle(void *op)
{
    return !((struct op *)op)->is_busy;
}

#endif
