/* Files that declare resources: whatever is taken makes valid JSON, and every part of it has a
 * place. */
#include <assert.h>
#include <stdio.h>

#include "config/manifest.h"
#include "fuzz.h"
#include "json/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct manifest *manifest = manifest_new();
    struct buf json, place;

    buf_init(&json, 4 * MANIFEST_JSON_MAX_BYTES);
    buf_init(&place, 4096);
    manifest_add(manifest, "f", NULL, (struct slice){(const char *)data, len});
    if (manifest_mistakes(manifest).len == 0) {
        manifest_write(manifest, &json);
        assert(buf_err(&json) == E_OK && jx_scan_is_object(buf_slice(&json)));
    }
    manifest_add_place(manifest, (struct slice){(const char *)data, len < 100 ? len : 100}, &place);
    manifest_add_place(manifest, SLICE("subscriptions[0].destination.properties.a[1].b"), &place);
    assert(place.len > 0);
    buf_done(&json);
    buf_done(&place);
    manifest_free(manifest);
    return 0;
}
