/* Base64 and UTF-8 of base/: whatever comes in, what goes out is well-formed. */
#include <assert.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice in = {(const char *)data, len};
    struct buf text, back;

    buf_init(&text, 4 * len + 64);
    buf_init(&back, 4 * len + 64);
    utf8_add_repaired(&text, in);
    assert(buf_err(&text) == E_OK && utf8_is_valid(buf_slice(&text)));
    assert(!utf8_is_valid(in) || slice_eq(in, buf_slice(&text)));

    buf_clear(&text);
    base64_add(&text, in);
    assert(base64_decode(&back, buf_slice(&text)) == E_OK);
    assert(slice_eq(in, buf_slice(&back)));

    buf_clear(&back);
    if (base64_decode(&back, in) != E_OK)
        assert(back.len == 0);
    buf_done(&text);
    buf_done(&back);
    return 0;
}
