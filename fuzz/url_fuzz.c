/* URLs: what was accepted holds nothing that could break out of a request line or a Host field;
 * escaping and unescaping are inverse. */
#include <assert.h>

#include "fuzz.h"
#include "wire/url.h"

static void check_bytes(struct slice text, const char *forbidden)
{
    for (size_t i = 0; i < text.len; i++) {
        assert(text.data[i] > ' ' && text.data[i] < 0x7f);
        assert(slice_find_byte(slice_of(forbidden), text.data[i]) == slice_of(forbidden).len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice in = {(const char *)data, len};
    struct url url;
    struct cause why = {""};
    struct buf out, back;

    if (url_parse(in, &url, &why) == E_OK) {
        check_bytes(url.path, "#\"<>\\");
        check_bytes(url.query, "#\"<>\\");
        assert(url.path.data[0] == '/' && (url.query.len == 0 || url.query.data[0] == '?'));
        assert(url.host.len > 0);
        if (url.scheme != URL_UNIX)
            check_bytes(url.host, "/?#@[]%\\");
        assert((url.scheme == URL_UNIX) == (url.port == 0));
    } else {
        assert(why.text[0] != 0);
    }
    buf_init(&out, 3 * len + 1);
    buf_init(&back, len + 1);
    url_add_escaped(&out, in);
    assert(url_decode(&back, buf_slice(&out)) == E_OK && slice_eq(in, buf_slice(&back)));
    buf_clear(&back);
    if (url_decode_form(&back, in) != E_OK)
        assert(back.len == 0);
    buf_done(&out);
    buf_done(&back);
    return 0;
}
