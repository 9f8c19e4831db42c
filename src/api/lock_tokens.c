#include "api/lock_tokens.h"

#include "json/scan.h"

static enum err add(struct lock_tokens *tokens, struct slice json, struct cause *why)
{
    size_t start = tokens->text.len;

    if (tokens->count == LOCK_TOKENS_MAX)
        return cause_set(why, E_LIMIT, "lockTokens: has more than %d items", LOCK_TOKENS_MAX);
    if (json.data[0] != '"')
        return cause_set(why, E_BAD_INPUT, "lockTokens[%zu]: is not a text", tokens->count);
    jx_scan_add_string(&tokens->text, json);
    tokens->tokens[tokens->count++] = slice_from(buf_slice(&tokens->text), start);
    return E_OK;
}

enum err lock_tokens_read(struct lock_tokens *tokens, struct slice body, struct cause *why)
{
    struct slice trimmed = jx_scan_trim(body), item;

    if (!jx_scan_is_object(trimmed))
        return cause_set(why, E_BAD_INPUT,
                         "the body is not a JSON object such as {\"lockTokens\":[\"..\"]}");
    struct slice rest = jx_scan_member(trimmed, SLICE("lockTokens"));
    if (rest.data == NULL || rest.data[0] != '[')
        return cause_set(why, E_BAD_INPUT, "lockTokens: is %s",
                         rest.data == NULL ? "missing" : "not an array of texts");
    *tokens = (struct lock_tokens){.count = 0};
    buf_init(&tokens->text, body.len);
    (void)buf_reserve(&tokens->text, body.len); /* the slices stay where they are */
    enum err err = E_OK;
    while (err == E_OK && jx_scan_item(&rest, &item))
        err = add(tokens, item, why);
    if (err == E_OK && tokens->count == 0)
        err = cause_set(why, E_BAD_INPUT, "lockTokens: is empty");
    if (err != E_OK)
        lock_tokens_done(tokens);
    return err;
}

void lock_tokens_done(struct lock_tokens *tokens)
{
    buf_done(&tokens->text);
    tokens->count = 0;
}
