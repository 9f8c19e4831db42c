/* event/topic.h - where publishers send events to: its settings, and their JSON.
 * Rules: reading JSON changes only the members it has, so a PUT is read onto a fresh topic and a
 * PATCH onto the stored one; unknown members are passed over. Shapes: azure-api.md 7.3. Pure. */
#ifndef EVENT_TOPIC_H
#define EVENT_TOPIC_H

#include "event/event.h"
#include "event/sas.h"
#include "json/audit.h"

#define TOPIC_RETENTION_MAX_DAYS 7

struct topic {
    char *name;
    char *id;     /* resource id */
    char *source; /* a system topic: the resource that emits the events; else NULL */
    char *type;   /* a system topic: "Microsoft.Cache.Redis"; else NULL */
    enum event_schema input;
    struct event_mapping mapping; /* of custom events */
    struct access_keys keys;
    bool is_local_auth_disabled; /* keys and SAS are refused */
    uint32_t retention_days;     /* 1..TOPIC_RETENTION_MAX_DAYS, of events in queue mode */
};

/* topic_init makes one with defaults and without keys; `id` is that of the resource. */
void topic_init(struct topic *topic, struct slice name, struct slice id);
void topic_done(struct topic *topic); /* leaves zeroes */

/* topic_read reads the object `properties` of a request, topic_read_stored that of the store, which
 * has the keys too. E_OK; or E_BAD_INPUT, E_LIMIT with `inputSchemaMapping.properties.id: ...` in
 * `why`: then throw the topic away, part of it may be changed. */
enum err topic_read(struct topic *topic, struct slice properties, struct cause *why);
enum err topic_read_stored(struct topic *topic, struct slice properties, struct cause *why);

/* topic_audit notes all that is wrong with the `properties` of a request. */
void topic_audit(struct slice properties, struct jx_audit *audit);

/* topic_write appends the members of `properties`, without braces, since the answer of an API has
 * some of its own; topic_write_stored an object with the keys. */
void topic_write(struct buf *out, const struct topic *topic);
void topic_write_stored(struct buf *out, const struct topic *topic);

/* topic_scope is the id of the resource that its events tell of, and that subscriptions hang on:
 * its source, or the topic itself. */
const char *topic_scope(const struct topic *topic);

/* topic_rules is how its events are read; borrowed from the topic. */
struct event_rules topic_rules(const struct topic *topic);

#endif
