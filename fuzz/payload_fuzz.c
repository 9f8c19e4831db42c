/* Payloads: what a function receives is valid text and valid JSON, whatever lies in Redis. */
#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "functions/payload.h"
#include "fuzz.h"
#include "json/json.h"

#define PIECES_MAX 64

static void check_json(struct slice text)
{
    json_t *value = NULL;
    struct jx_limits limits = {.depth_max = 1000};

    if (memmem(text.data, text.len, "\\u0000", 6) != NULL) /* jansson refuses these */
        return;
    enum err err = jx_parse(text, NULL, &limits, &value, NULL);
    assert(err == E_OK);
    json_decref(value);
}

static void check(const struct message *m, const struct trigger *trigger, bool is_json)
{
    assert(trigger->data_type == DATA_BINARY || utf8_is_valid(m->input.data.text));
    if (is_json)
        check_json(m->input.data.text);
    for (size_t i = 0; i < m->metadata_count; i++) {
        assert(utf8_is_valid(m->metadata[i].name) && utf8_is_valid(m->metadata[i].data.text));
        if (m->metadata[i].data.kind == RPC_JSON)
            check_json(m->metadata[i].data.text);
    }
}

/* The input's pieces between line ends are key, id and fields. */
static uint32_t cut(struct slice in, struct resp *nodes)
{
    struct slice piece;
    uint32_t count = 0;

    while (count < PIECES_MAX && slice_cut(&in, '\n', &piece))
        nodes[1 + count++] = (struct resp){.type = RESP_BULK, .span = 1, .text = piece};
    nodes[0] = (struct resp){.type = RESP_ARRAY, .count = count, .span = count + 1};
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char name[] = "entry", channel[] = "ch*";
    struct slice in = {(const char *)data, len};
    struct resp nodes[PIECES_MAX + 1] = {0};
    struct message m;
    struct slice first = cut(in, nodes) > 0 ? nodes[1].text : SLICE_NONE;

    message_init(&m, 64 * len + 4096);
    for (int mode = PAYLOAD_MODEL; mode <= PAYLOAD_VALUE; mode++)
        for (int type = DATA_STRING; type <= DATA_BINARY; type++) {
            struct trigger t = {.type = TRIGGER_LIST,
                                .payload = (enum payload_mode)mode,
                                .data_type = (enum data_type)type,
                                .name = name,
                                .channel = channel};
            enum err err = message_set_list(&m, &t, first, in, 1);
            assert(err == E_OK);
            check(&m, &t, mode == PAYLOAD_MODEL);
            err = message_set_stream(&m, &t, first, SLICE("1-0"), nodes, 1);
            assert(err == E_OK);
            check(&m, &t, true);
            err = message_set_pubsub(&m, &t, first, in);
            assert(err == E_OK);
            check(&m, &t, mode != PAYLOAD_VALUE);
        }
    message_done(&m);
    return 0;
}
