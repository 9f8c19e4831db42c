#include "redis/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define NAME_MAX_BYTES 512

/* All the texts that options own, so that freeing and comparing forget none. */
static const size_t texts[] = {
    offsetof(struct redis_options, user),
    offsetof(struct redis_options, password),
    offsetof(struct redis_options, tls_host),
    offsetof(struct redis_options, ca_file),
    offsetof(struct redis_options, cert_file),
    offsetof(struct redis_options, key_file),
    offsetof(struct redis_options, client_name),
    offsetof(struct redis_options, channel_prefix),
    offsetof(struct redis_options, service_name),
    offsetof(struct redis_options, sentinel_user),
    offsetof(struct redis_options, sentinel_password),
};

static char *text_at(const struct redis_options *options, size_t offset)
{
    return *(char *const *)(const void *)((const char *)options + offset);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

struct redis_options *redis_options_ref(struct redis_options *options)
{
    options->refs++;
    return options;
}

struct redis_options *redis_options_unref(struct redis_options *options)
{
    if (options == NULL || --options->refs > 0)
        return NULL;
    for (size_t i = 0; i < options->endpoint_count; i++) {
        free(options->endpoints[i].host);
        free(options->endpoints[i].path);
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(text_at(options, texts[i]));
    for (char **at = options->renames; at != NULL && *at != NULL; at++)
        free(*at);
    free(options->renames);
    free(options);
    return NULL;
}

static bool same_renames(char **a, char **b)
{
    if (a == NULL || b == NULL)
        return a == b;
    while (*a != NULL && same_text(*a, *b)) {
        a++;
        b++;
    }
    return *a == NULL && *b == NULL;
}

static bool same_endpoints(const struct redis_options *a, const struct redis_options *b)
{
    if (a->endpoint_count != b->endpoint_count)
        return false;
    for (size_t i = 0; i < a->endpoint_count; i++)
        if (!same_text(a->endpoints[i].host, b->endpoints[i].host) ||
            !same_text(a->endpoints[i].path, b->endpoints[i].path) ||
            a->endpoints[i].port != b->endpoints[i].port)
            return false;
    return true;
}

static bool same_numbers(const struct redis_options *a, const struct redis_options *b)
{
    return a->database == b->database && a->is_tls == b->is_tls &&
           a->is_tls_insecure == b->is_tls_insecure && a->only_tls12 == b->only_tls12 &&
           a->only_tls13 == b->only_tls13 && a->check_revocation == b->check_revocation &&
           a->connect_timeout_ms == b->connect_timeout_ms &&
           a->command_timeout_ms == b->command_timeout_ms && a->keepalive_s == b->keepalive_s &&
           a->can_block == b->can_block && a->assumed_version == b->assumed_version &&
           a->protocol == b->protocol && a->set_library_name == b->set_library_name;
}

bool redis_options_same(const struct redis_options *a, const struct redis_options *b)
{
    if (a == b)
        return true;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!same_text(text_at(a, texts[i]), text_at(b, texts[i])))
            return false;
    return same_endpoints(a, b) && same_numbers(a, b) && same_renames(a->renames, b->renames);
}

void redis_options_name(const struct redis_options *options, char *ret, size_t ret_size)
{
    const struct redis_endpoint *first = &options->endpoints[0];
    struct buf name;

    buf_init(&name, NAME_MAX_BYTES);
    if (options->service_name != NULL)
        buf_addf(&name, "%s@", options->service_name);
    if (first->path != NULL)
        buf_addf(&name, "%s", first->path);
    else
        buf_addf(&name, strchr(first->host, ':') ? "[%s]:%u" : "%s:%u", first->host, first->port);
    if (options->endpoint_count > 1)
        buf_addf(&name, "+%zu", options->endpoint_count - 1);
    if (first->path == NULL)
        buf_addf(&name, "/%" PRId64, options->database);
    else if (options->database != 0)
        buf_addf(&name, " db %" PRId64, options->database);
    snprintf(ret, ret_size, "%s", buf_text(&name));
    buf_done(&name);
}
