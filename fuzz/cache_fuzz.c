/* What users say of a cache, and what its owner recorded of it. The first byte chooses. What is
 * taken is written and read back without a change; what an API shows of it has no connection
 * string; a server's configuration fits, and every line of it is one that we wrote. */
#include <assert.h>
#include <string.h>

#include "caches/change.h"
#include "caches/server_config.h"
#include "fuzz.h"
#include "json/scan.h"

#define TEXT_MAX_BYTES (4u << 20)

static const char *const addresses[] = {"127.0.0.1"};
static const struct cache_host host = {.addresses = addresses,
                                       .address_count = 1,
                                       .memory_max_bytes = 1u << 30,
                                       .files_max = 1024,
                                       .has_tls = true};

static void check_config(const struct cache_spec *spec)
{
    char text[] = "x";
    struct cache_secrets secrets = {
        .keys = {.text = {"a", "b"}}, .admin = text, .replication = text};
    struct cache_member member = {.address = text, .port = 1, .tls_port = 2, .dir = text};
    struct server_config config = {
        .spec = spec, .host = &host, .member = &member, .primary = &member, .secrets = &secrets};
    struct buf out;

    buf_init(&out, SERVER_CONFIG_MAX_BYTES);
    server_config_write(&out, &config);
    assert(buf_err(&out) == E_OK);
    size_t lines = 0;
    for (size_t i = 0; i < out.len; i++)
        lines += out.data[i] == '\n';
    assert(lines == (spec->shards != 0 ? 40 : 32));
    buf_done(&out);
}

static void check_change(const struct cache_spec *spec)
{
    const struct cache_usage usage = {1u << 30, 1u << 31};
    enum cache_change change = CHANGE_NONE;
    struct cache_spec old;
    struct buf out;

    cache_spec_copy(&old, spec);
    assert(cache_spec_change(&old, spec, &host, NULL, &change, NULL) == E_OK ||
           spec->capacity == 0);
    assert(change == CHANGE_NONE);
    cache_config_done(&old.config);
    old.tier = TIER_STANDARD;
    old.capacity = 1;
    (void)!cache_spec_change(&old, spec, &host, &usage, &change, NULL);
    buf_init(&out, TEXT_MAX_BYTES);
    cache_spec_write_changed(&out, &old, spec);
    assert(jx_scan_is_value(buf_slice(&out), 1));
    buf_done(&out);
    cache_spec_done(&old);
}

static void check_secrets(struct slice shown)
{
    struct slice rest = jx_scan_member(shown, SLICE("redisConfiguration"));
    struct jx_field field;
    struct buf name;

    buf_init(&name, TEXT_MAX_BYTES);
    while (jx_scan_next(&rest, &field)) {
        buf_clear(&name);
        buf_add_lower(&name, field.name);
        assert(strstr(buf_text(&name), "storage-connection-string") == NULL);
    }
    buf_done(&name);
}

static void fuzz_spec(struct slice text)
{
    struct cache_spec spec, again = {0};
    struct buf shown, stored, twice;
    struct cause why;

    cache_spec_init(&spec, &host);
    if (cache_spec_read(&spec, &host, text, &why) == E_OK) {
        struct cache_numbers numbers = cache_spec_numbers(&spec, &host);
        assert(numbers.maxmemory_bytes >= CACHE_MB && numbers.maxmemory_bytes <= 1u << 30);
        assert(numbers.databases >= 1 && numbers.servers >= 1 && numbers.clients_max <= 992);
        buf_init(&shown, TEXT_MAX_BYTES);
        buf_init(&stored, TEXT_MAX_BYTES);
        buf_init(&twice, TEXT_MAX_BYTES);
        buf_add_byte(&shown, '{');
        cache_spec_write(&shown, &spec, &host);
        buf_add_byte(&shown, '}');
        assert(buf_err(&shown) == E_OK && jx_scan_is_object(buf_slice(&shown)));
        check_secrets(buf_slice(&shown));
        cache_spec_write_stored(&stored, &spec);
        assert(cache_spec_read_stored(&again, buf_slice(&stored), &why) == E_OK);
        cache_spec_write_stored(&twice, &again);
        assert(slice_eq(buf_slice(&stored), buf_slice(&twice)));
        check_config(&spec);
        check_change(&spec);
        (void)cache_spec_warning(&spec, &why);
        buf_done(&shown);
        buf_done(&stored);
        buf_done(&twice);
    }
    cache_spec_done(&again);
    cache_spec_done(&spec);
}

/* Another version, or a broken store: whatever is taken, the servers get numbers. */
static void fuzz_stored(struct slice text)
{
    struct cache_spec spec = {0};

    if (cache_spec_read_stored(&spec, text, NULL) == E_OK && spec.has_sku)
        assert(cache_spec_numbers(&spec, &host).maxmemory_bytes >= CACHE_MB);
    cache_spec_done(&spec);
}

static void fuzz_state(struct slice text)
{
    struct cache_state state, again;
    struct buf once, twice;

    cache_state_init(&state);
    cache_state_init(&again);
    buf_init(&once, TEXT_MAX_BYTES);
    buf_init(&twice, TEXT_MAX_BYTES);
    if (cache_state_read(&state, text, NULL) == E_OK) {
        cache_state_write(&once, &state);
        assert(jx_scan_is_object(buf_slice(&once)));
        assert(cache_state_read(&again, buf_slice(&once), NULL) == E_OK);
        cache_state_write(&twice, &again);
        assert(slice_eq(buf_slice(&once), buf_slice(&twice)));
    }
    cache_state_done(&state);
    cache_state_done(&again);
    buf_done(&once);
    buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0 || len > 65536)
        return 0;
    struct slice text = {(const char *)data + 1, len - 1};
    switch (data[0] % 3) {
    case 0:
        fuzz_spec(text);
        break;
    case 1:
        fuzz_state(text);
        break;
    default:
        fuzz_stored(text);
        break;
    }
    return 0;
}
