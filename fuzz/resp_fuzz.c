/* Replies of a server: read at once and in two pieces they must be the same, and inside the bytes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wire/resp.h"

static const struct resp_limits limits = {64 * 1024, 1000, 6};

static void check_tree(const struct resp_parser *parser, struct slice in)
{
    for (uint32_t i = 0; i < parser->count; i++) {
        const struct resp *node = &parser->nodes[i];
        assert(node->span >= 1 && node->span <= parser->count - i);
        if (node->text.data != NULL)
            assert(node->text.data >= in.data && node->text.len <= in.len &&
                   (size_t)(node->text.data - in.data) <= in.len - node->text.len);
        if (node->count > 0 && node->type != RESP_INTEGER)
            assert(resp_child(node, node->count - 1) < parser->nodes + parser->count);
        int64_t number;
        (void)resp_int(node, &number);
        (void)resp_find(node, SLICE("k"));
    }
}

static void parse_in_two(struct slice in, const struct resp_parser *whole, enum err expected,
                         size_t split)
{
    struct resp_parser parser = {0};
    size_t used = 0;
    char *head = malloc(split + 1);

    assert(head != NULL);
    memcpy(head, in.data, split);
    enum err err = resp_parse(&parser, (struct slice){head, split}, &limits, &used, NULL);
    if (err == E_MORE)
        err = resp_parse(&parser, in, &limits, &used, NULL);
    free(head);
    assert(err == expected);
    assert(err != E_OK || parser.count == whole->count);
    resp_parser_done(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice in = {(const char *)data, len};
    struct resp_parser parser = {0};
    struct cause why = {0};

    while (in.len > 0) {
        size_t used = 0;
        enum err err = resp_parse(&parser, in, &limits, &used, &why);
        size_t step = in.len / 8 + 1;
        for (size_t split = 0; split < in.len; split += step)
            parse_in_two(in, &parser, err, split);
        if (err)
            break;
        assert(used > 0 && used <= in.len);
        check_tree(&parser, in);
        resp_parser_next(&parser);
        in = slice_from(in, used);
    }
    resp_parser_done(&parser);
    return 0;
}
