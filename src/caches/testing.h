/* caches/testing.h - what tests of this folder share: hosts, and specs out of JSON. */
#ifndef CACHES_TESTING_H
#define CACHES_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "caches/spec.h"

static const char *const test_addresses[] = {"127.0.0.1"};

/* With no limits of its own. */
static const struct cache_host test_host = {
    .addresses = test_addresses, .address_count = 1, .has_tls = true};

/* A fresh spec of a PUT, which must be fine. */
static inline struct cache_spec test_spec(const struct cache_host *host, const char *properties)
{
    struct cache_spec spec;
    struct cause why = {0};

    cache_spec_init(&spec, host);
    if (cache_spec_read(&spec, host, slice_of(properties), &why) != E_OK)
        fail_msg("%s: %s", properties, why.text);
    return spec;
}

#define TEST_SKU(name, capacity) "{\"sku\":{\"name\":\"" name "\",\"capacity\":" #capacity "}}"
/* With more members behind it. */
#define TEST_SKU_AND(name, capacity, more)                                                         \
    "{\"sku\":{\"name\":\"" name "\",\"capacity\":" #capacity "}," more "}"

#endif
