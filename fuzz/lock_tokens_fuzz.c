/* Bodies of pull clients: all tokens lie in what was read, and none is longer than the body. */
#include <assert.h>

#include "api/lock_tokens.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct lock_tokens tokens;
    struct slice body = {(const char *)data, len};
    struct cause why = {0};
    size_t bytes = 0;

    if (lock_tokens_read(&tokens, body, &why) != E_OK) {
        assert(why.text[0] != '\0');
        return 0;
    }
    assert(tokens.count > 0 && tokens.count <= LOCK_TOKENS_MAX);
    for (size_t i = 0; i < tokens.count; i++) {
        const char *start = tokens.text.data + bytes;
        assert(tokens.tokens[i].len == 0 || tokens.tokens[i].data == start);
        bytes += tokens.tokens[i].len;
    }
    assert(bytes == tokens.text.len && bytes <= len);
    lock_tokens_done(&tokens);
    return 0;
}
