#include "event/destination.h"

#include <stdlib.h>

#include "base/mem.h"
#include "event/connection.h"
#include "event/draft.h"
#include "event/token.h"
#include "wire/url.h"
#include "json/member.h"

#define HIDDEN "Hidden"
#define APPLICATION_MAX_BYTES 1024

static const char *const kind_words[] = {
#define DESTINATION_WORD(kind, name) name,
    DESTINATIONS(DESTINATION_WORD) NULL
#undef DESTINATION_WORD
};

void destination_init(struct destination *destination)
{
    *destination = (struct destination){.batch_events = 1, .batch_kilobytes = 64};
}

static void attribute_done(struct attribute *attribute)
{
    free(attribute->name);
    free(attribute->value);
    free(attribute->source);
    *attribute = (struct attribute){0};
}

void destination_done(struct destination *d)
{
    while (d->attribute_count > 0)
        attribute_done(&d->attributes[--d->attribute_count]);
    free(d->url);
    free(d->resource_id);
    free(d->connection);
    free(d->key);
    free(d->tenant_id);
    free(d->application_id);
    signing_done(&d->signing);
    *d = (struct destination){0};
}

static bool is_loopback(const struct url *url)
{
    return slice_eq(url->host, SLICE("::1")) || slice_eq_nocase(url->host, SLICE("localhost")) ||
           (!url->is_v6 && slice_has_prefix(url->host, SLICE("127.")) &&
            url->host.len == strspn(url->host.data, "0123456789."));
}

static void check_url(struct jx_view *view, const char *text,
                      const struct subscription_rules *rules)
{
    struct url url;
    struct cause why = {0};

    if (text == NULL)
        jx_view_error(view, "endpointUrl", "is missing");
    else if (url_parse(slice_of(text), &url, &why) != E_OK)
        jx_view_error(view, "endpointUrl", "%s", why.text);
    else if (url.scheme == URL_UNIX)
        jx_view_error(view, "endpointUrl", "is neither http:// nor https://");
    else if (url.scheme == URL_HTTP && !rules->allows_http && !is_loopback(&url))
        jx_view_error(view, "endpointUrl",
                      "is http:// and not on this machine; use https://, or set "
                      "delivery.allow_http");
}

/* A header's name, that of HTTP (RFC 9110, 5.6.2). */
static bool is_header_name(struct slice name)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && (c == '\0' || strchr(marks, c) == NULL))
            return false;
    }
    return name.len > 0;
}

static bool is_header_value(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.data[i] < 0x20 || value.data[i] == 0x7f)
            return false;
    return value.len <= ATTRIBUTE_VALUE_MAX_BYTES;
}

bool attribute_write(struct buf *out, const struct attribute *attribute, const struct event *event)
{
    struct buf text;

    if (attribute->value != NULL) {
        buf_add(out, slice_of(attribute->value));
        return true;
    }
    struct slice json = event_find(event, slice_of(attribute->source), NULL);
    if (raw_is_null(json) || json.data[0] == '{' || json.data[0] == '[')
        return false;
    buf_init(&text, ATTRIBUTE_VALUE_MAX_BYTES);
    if (raw_is_string(json))
        jx_scan_add_string(&text, json);
    else
        buf_add(&text, json);
    bool is_fit = buf_err(&text) == E_OK && is_header_value(buf_slice(&text));
    if (is_fit)
        buf_add(out, buf_slice(&text));
    buf_done(&text);
    return is_fit;
}

static void check_attribute(struct jx_view *view, const struct attribute *attribute)
{
    struct slice name = slice_of(attribute->name);

    if (!is_header_name(name))
        jx_view_error(view, "name", "is not the name of a header");
    else if (slice_has_prefix_nocase(name, SLICE("aeg-")))
        jx_view_error(view, "name", "must not begin with aeg-");
    else if (attribute->source != NULL && attribute->source[0] == '\0')
        jx_view_error(view, "properties.sourceField", "is empty");
    else if (attribute->source == NULL && attribute->value == NULL)
        jx_view_error(view, "properties", "has neither value nor sourceField");
    else if (attribute->value != NULL && !is_header_value(slice_of(attribute->value)))
        jx_view_error(view, "properties.value", "is longer than %d bytes or no value of a header",
                      ATTRIBUTE_VALUE_MAX_BYTES);
}

/* Clients send back what they were shown: then the secret stays. */
static void keep_secret(struct attribute *attribute, const struct destination *old)
{
    if (!attribute->is_secret || attribute->value == NULL || strcmp(attribute->value, HIDDEN) != 0)
        return;
    for (size_t i = 0; i < old->attribute_count; i++)
        if (old->attributes[i].value != NULL &&
            slice_eq_nocase(slice_of(old->attributes[i].name), slice_of(attribute->name))) {
            free(attribute->value);
            attribute->value = slice_dup(slice_of(old->attributes[i].value));
            return;
        }
}

static void read_attribute(struct jx_view *view, struct attribute *ret)
{
    static const char *const types[] = {"Static", "Dynamic", NULL};
    struct jx_view properties;
    size_t type = 0;

    jx_text_dup(view, "name", &ret->name);
    if (!jx_word(view, "type", types, &type) && jx_view_member(view, "type") != NULL)
        jx_audit_skip(view->audit, view->path);
    jx_view_inner(view, "properties", &properties);
    if (type == 0) {
        jx_text_dup(&properties, "value", &ret->value);
        (void)jx_bool(&properties, "isSecret", &ret->is_secret);
    } else {
        jx_text_dup(&properties, "sourceField", &ret->source);
    }
    jx_view_join(view, &properties);
    check_attribute(view, ret);
}

static void read_attributes(struct jx_view *view, struct destination *d)
{
    static const char field[] = "deliveryAttributeMappings";
    const json_t *list = jx_view_member(view, field);
    struct destination fresh = {0};

    if (list == NULL)
        return;
    if (!json_is_array(list) || json_array_size(list) > ATTRIBUTES_MAX) {
        jx_view_error(view, field, "is not an array of at most %d", ATTRIBUTES_MAX);
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct jx_view item;
        jx_view_item(view, field, i, &item);
        read_attribute(&item, &fresh.attributes[i]);
        fresh.attribute_count = i + 1;
        jx_view_join(view, &item);
        keep_secret(&fresh.attributes[i], d);
    }
    while (d->attribute_count > 0)
        attribute_done(&d->attributes[--d->attribute_count]);
    memcpy(d->attributes, fresh.attributes, sizeof d->attributes);
    d->attribute_count = fresh.attribute_count;
}

static void read_batching(struct jx_view *view, struct destination *d)
{
    struct jx_range events = {1, BATCH_EVENTS_MAX}, kilobytes = {1, BATCH_KILOBYTES_MAX};

    (void)jx_u32(view, "maxEventsPerBatch", events, &d->batch_events);
    (void)jx_u32(view, "preferredBatchSizeInKilobytes", kilobytes, &d->batch_kilobytes);
}

/* As for secrets above: what was shown and comes back is what there was. */
static void read_connection(struct jx_view *view, struct destination *d)
{
    char *old = d->connection;
    struct buf shown;

    d->connection = NULL;
    jx_text_dup(view, "connection", &d->connection);
    buf_init(&shown, JX_TEXT_MAX_BYTES);
    connection_write_hidden(&shown, slice_of(old));
    if (jx_member(view->json, "connection") == NULL ||
        (d->connection != NULL && slice_eq(slice_of(d->connection), buf_slice(&shown)))) {
        free(d->connection);
        d->connection = old;
        old = NULL;
    }
    buf_done(&shown);
    free(old);
}

static void read_redis(struct jx_view *view, struct destination *d)
{
    static const char *const fields[] = {
        [DESTINATION_STREAM] = "stream",
        [DESTINATION_LIST] = "list",
        [DESTINATION_CHANNEL] = "channel",
    };
    const char *field = fields[d->kind];

    jx_text_dup(view, "cacheResourceId", &d->resource_id);
    read_connection(view, d);
    jx_text_dup(view, field, &d->key);
    if ((d->resource_id == NULL) == (d->connection == NULL))
        jx_view_error(view, NULL, "needs either cacheResourceId or connection");
    if (d->kind == DESTINATION_STREAM)
        (void)jx_u32(view, "maxLength", (struct jx_range){0, UINT32_MAX}, &d->max_length);
    if (d->key == NULL || d->key[0] == '\0')
        jx_view_error(view, field, d->key == NULL ? "is missing" : "is empty");
}

/* Whoever gets such a token could publish, or manage all there is, with it. */
static void check_application(struct jx_view *view, const struct destination *d)
{
    struct slice id = slice_of(d->application_id);

    if (id.len > 0 && id.data[id.len - 1] == '/')
        id.len--;
    if (slice_eq_nocase(id, SLICE(TOKEN_AUDIENCE_PUBLISH)) ||
        slice_eq_nocase(id, SLICE(TOKEN_AUDIENCE_MANAGE)))
        jx_view_error(view, "azureActiveDirectoryApplicationIdOrUri",
                      "is who the tokens of this server's own clients are for: name the "
                      "application behind the endpoint");
    if (id.len > APPLICATION_MAX_BYTES)
        jx_view_error(view, "azureActiveDirectoryApplicationIdOrUri", "is longer than %d bytes",
                      APPLICATION_MAX_BYTES);
}

/* Who names an endpoint and nothing else wants a webhook. */
static void read_kind(struct jx_view *view, const struct jx_view *properties, struct destination *d)
{
    size_t word = DESTINATION_WEBHOOK - 1;
    bool is_new = d->kind == DESTINATION_NONE;

    if (!jx_word(view, "endpointType", kind_words, &word)) {
        bool is_plain = jx_member(view->json, "endpointType") == NULL &&
                        jx_member(properties->json, "endpointUrl") != NULL;
        if (is_new && !is_plain)
            jx_view_error(view, "endpointType", "is missing");
        if (!is_new || !is_plain)
            return;
    }
    enum destination_kind kind = (enum destination_kind)(word + 1);
    if (kind == d->kind)
        return;
    destination_done(d);
    destination_init(d);
    d->kind = kind;
}

void destination_read(struct jx_view *view, struct destination *d,
                      const struct subscription_rules *rules)
{
    struct jx_view properties;

    jx_view_inner(view, "properties", &properties);
    read_kind(view, &properties, d);
    switch (d->kind) {
    case DESTINATION_NONE:
        jx_audit_skip(view->audit, properties.path);
        return;
    case DESTINATION_WEBHOOK:
        jx_text_dup(&properties, "endpointUrl", &d->url);
        jx_text_dup(&properties, "azureActiveDirectoryTenantId", &d->tenant_id);
        jx_text_dup(&properties, "azureActiveDirectoryApplicationIdOrUri", &d->application_id);
        check_application(&properties, d);
        signing_read(&properties, &d->signing);
        check_url(&properties, d->url, rules);
        break;
    case DESTINATION_FUNCTION:
        jx_text_dup(&properties, "resourceId", &d->resource_id);
        if (d->resource_id == NULL || d->resource_id[0] != '/')
            jx_view_error(&properties, "resourceId",
                          d->resource_id == NULL ? "is missing" : "is not a resource id");
        break;
    case DESTINATION_STREAM:
    case DESTINATION_LIST:
    case DESTINATION_CHANNEL:
        read_redis(&properties, d);
        break;
    }
    read_batching(&properties, d);
    read_attributes(&properties, d);
    jx_view_join(view, &properties);
}

void destination_keep_secrets(struct destination *destination, const struct destination *old)
{
    for (size_t i = 0; i < destination->attribute_count; i++)
        keep_secret(&destination->attributes[i], old);
    signing_keep(&destination->signing, &old->signing);
}

void destination_write_attributes(struct buf *out, const struct destination *d, bool is_open)
{
    buf_add_byte(out, '[');
    for (size_t i = 0; i < d->attribute_count; i++) {
        const struct attribute *a = &d->attributes[i];
        bool is_static = a->value != NULL;
        if (i > 0)
            buf_add_byte(out, ',');
        member_text(out, "name", slice_of(a->name));
        member_text(out, "type", is_static ? SLICE("Static") : SLICE("Dynamic"));
        member_open(out, "properties");
        if (is_static) {
            member_text(out, "value",
                        a->is_secret && !is_open ? SLICE(HIDDEN) : slice_of(a->value));
            member_bool(out, "isSecret", a->is_secret);
        } else {
            member_text(out, "sourceField", slice_of(a->source));
        }
        buf_add(out, SLICE("}}"));
    }
    buf_add_byte(out, ']');
}

static void write_url(struct buf *out, const char *url, bool is_open)
{
    struct slice whole = slice_of(url);

    member_text(out, "endpointUrl", is_open ? whole : SLICE_NONE);
    if (!is_open)
        member_text(out, "endpointBaseUrl", slice_first(whole, slice_find_byte(whole, '?')));
}

static void write_connection(struct buf *out, const char *connection, bool is_open)
{
    struct buf hidden;

    buf_init(&hidden, JX_TEXT_MAX_BYTES);
    connection_write_hidden(&hidden, slice_of(connection));
    if (connection != NULL)
        member_text(out, "connection", is_open ? slice_of(connection) : buf_slice(&hidden));
    buf_done(&hidden);
}

void destination_write(struct buf *out, const struct destination *d, bool is_open)
{
    bool is_redis = d->kind >= DESTINATION_STREAM;

    member_text(out, "endpointType", slice_of(kind_words[d->kind - 1]));
    member_open(out, "properties");
    if (d->kind == DESTINATION_WEBHOOK)
        write_url(out, d->url, is_open);
    member_text_if(out, is_redis ? "cacheResourceId" : "resourceId", slice_of(d->resource_id));
    write_connection(out, d->connection, is_open);
    member_text_if(out,
                   d->kind == DESTINATION_STREAM ? "stream"
                   : d->kind == DESTINATION_LIST ? "list"
                                                 : "channel",
                   slice_of(d->key));
    if (d->max_length > 0)
        member_u64(out, "maxLength", d->max_length);
    member_u64(out, "maxEventsPerBatch", d->batch_events);
    member_u64(out, "preferredBatchSizeInKilobytes", d->batch_kilobytes);
    member_text_if(out, "azureActiveDirectoryTenantId", slice_of(d->tenant_id));
    member_text_if(out, "azureActiveDirectoryApplicationIdOrUri", slice_of(d->application_id));
    signing_write(out, &d->signing, is_open);
    if (d->attribute_count > 0) {
        member_open(out, "deliveryAttributeMappings");
        destination_write_attributes(out, d, is_open);
    }
    buf_add(out, SLICE("}}"));
}
