/* Connection strings: what is accepted is complete, and the same text is the same connection. */
#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "redis/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = {(const char *)data, len};
    struct redis_options *options = NULL;
    struct redis_options *again = NULL;
    struct cause why = {0};
    char name[64];

    enum err err = redis_options_parse(text, &options, &why);
    assert(err == E_OK || err == E_BAD_INPUT);
    if (err) {
        assert(options == NULL && why.text[0] != '\0');
        return 0;
    }
    assert(options->endpoint_count > 0 && options->endpoint_count <= REDIS_ENDPOINTS_MAX);
    for (size_t i = 0; i < options->endpoint_count; i++) {
        assert((options->endpoints[i].host == NULL) != (options->endpoints[i].path == NULL));
        assert(options->endpoints[i].path != NULL || options->endpoints[i].port != 0);
    }
    redis_options_name(options, name, sizeof name);
    assert(strlen(name) < sizeof name);
    err = redis_options_parse(text, &again, NULL);
    assert(err == E_OK && redis_options_same(options, again));
    redis_options_unref(again);
    redis_options_unref(options);
    return 0;
}
