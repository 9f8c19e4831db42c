/* event/subscription.h - who wants which events of a topic, and how they get them: settings, and
 * their JSON.
 * Rules: reading JSON changes only the members it has, so a PUT is read onto a fresh subscription
 * and a PATCH onto the stored one; unknown members are passed over. It has a destination or is in
 * queue mode (pull), never both; `properties` inside of a destination may be left out, and then an
 * endpointUrl says that it is a webhook. Shapes: azure-api.md 7.1; rules: eventgrid.md 3 to 7.
 * Pure. To add a destination: a row in DESTINATIONS, its members in destination.c. */
#ifndef EVENT_SUBSCRIPTION_H
#define EVENT_SUBSCRIPTION_H

#include "event/filter.h"
#include "event/schedule.h"
#include "event/signing.h"
#include "json/audit.h"

#define BATCH_EVENTS_MAX 5000
#define BATCH_KILOBYTES_MAX 1024
#define EVENTS_PER_SECOND_MAX 1000000
#define ATTRIBUTES_MAX 10
#define ATTRIBUTE_VALUE_MAX_BYTES 4096

/* destination, its endpointType */
#define DESTINATIONS(X)                                                                            \
    X(DESTINATION_WEBHOOK, "WebHook")                                                              \
    X(DESTINATION_FUNCTION, "AzureFunction")                                                       \
    X(DESTINATION_STREAM, "RedisStream")                                                           \
    X(DESTINATION_LIST, "RedisList")                                                               \
    X(DESTINATION_CHANNEL, "RedisChannel")

#define DESTINATION_ENUM(kind, name) kind,
enum destination_kind { DESTINATION_NONE, DESTINATIONS(DESTINATION_ENUM) };
#undef DESTINATION_ENUM

/* A header that each delivery carries. */
struct attribute {
    char *name;
    char *value;  /* static; NULL = dynamic */
    char *source; /* dynamic: a key as in filters ("data.x"); NULL = static */
    bool is_secret;
};

struct destination {
    enum destination_kind kind;
    char *url;                /* webhook: whole, query included; may hold secrets */
    char *resource_id;        /* function, or the cache of a Redis destination; NULL = connection */
    char *connection;         /* Redis: a name or a connection string, which may hold secrets;
                                 NULL = resource_id */
    char *key;                /* Redis: stream, list or channel */
    uint32_t max_length;      /* of the stream, about; 0 = it is never trimmed */
    uint32_t batch_events;    /* 1..BATCH_EVENTS_MAX; 1 = no batches */
    uint32_t batch_kilobytes; /* 1..BATCH_KILOBYTES_MAX, preferred */
    char *tenant_id;          /* webhook: with application_id, a bearer token is sent; NULL */
    char *application_id;
    struct signing signing; /* webhook */
    struct attribute attributes[ATTRIBUTES_MAX];
    size_t attribute_count;
};

struct queue_settings {
    uint32_t lock_seconds;   /* 60..300 */
    uint32_t max_deliveries; /* 1..10 */
    uint64_t ttl_ms;         /* PT1M to the topic's retention; 0 = the retention */
};

struct subscription {
    char *name;
    struct destination destination; /* DESTINATION_NONE in queue mode */
    bool is_queue;
    struct queue_settings queue;
    struct filter filter;
    char *filter_json;          /* as it was given; NULL = none */
    enum event_schema delivery; /* always CloudEvents in queue mode */
    struct retry_limits retry;
    char *dead_letter_account; /* resource id of the storage account; NULL = own stream */
    char *dead_letter_container;
    char *order_by;             /* "subject" or a key as in filters; NULL = no order */
    uint32_t events_per_second; /* 0 = as many as there are; of each node */
    char *labels_json;          /* an array of texts; NULL = none */
    uint64_t expires_unix_ms;   /* 0 = never */
};

/* attribute_write appends the value that a delivery of the event carries in this header: the static
 * one, or a string, number or boolean of the event. False, and nothing is written, if the event has
 * none, or one that is too long or no value of a header. */
bool attribute_write(struct buf *out, const struct attribute *attribute, const struct event *event);

/* What the surroundings say about a subscription. */
struct subscription_rules {
    enum event_schema input;           /* of the topic */
    uint32_t retention_days;           /* of the topic */
    const struct event_source *source; /* of a system topic; NULL = anybody publishes */
    bool allows_http;                  /* setting delivery.allow_http; loopback is always allowed */
};

void subscription_init(struct subscription *sub, struct slice name,
                       const struct subscription_rules *rules);
void subscription_done(struct subscription *sub); /* leaves zeroes */

/* subscription_read reads the object `properties` (of a PATCH: the body) and then checks the whole.
 * A secret that reads `Hidden` stays as it is. E_OK; or E_BAD_INPUT, E_LIMIT with
 * `destination.properties.endpointUrl: ...` in `why`: then throw it away, part of it may be
 * changed. */
enum err subscription_read(struct subscription *sub, const struct subscription_rules *rules,
                           struct slice properties, struct cause *why);

/* subscription_audit notes all that is wrong with such an object, for a new subscription. */
void subscription_audit(const struct subscription_rules *rules, struct slice properties,
                        struct jx_audit *audit);

/* subscription_keep_secrets takes from `old` what a request leaves out on purpose: secrets that
 * read `Hidden`, and that of signing. subscription_make_secrets makes those that are wanted and
 * missing, by chance from the system. */
void subscription_keep_secrets(struct subscription *sub, const struct subscription *old);
void subscription_make_secrets(struct subscription *sub);

/* subscription_write appends the members of `properties`, without braces, as an API shows them:
 * secrets hidden, the endpoint without its query. subscription_write_stored appends an object that
 * subscription_read makes the same subscription of. */
void subscription_write(struct buf *out, const struct subscription *sub,
                        const struct subscription_rules *rules);
void subscription_write_stored(struct buf *out, const struct subscription *sub,
                               const struct subscription_rules *rules);
/* subscription_write_attributes appends the array of delivery attributes with their secrets. */
void subscription_write_attributes(struct buf *out, const struct subscription *sub);

#endif
