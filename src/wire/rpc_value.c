#include "wire/rpc_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/protobuf.h"

/* The members of the oneof. */
enum {
    VALUE_STRING = 1,
    VALUE_JSON = 2,
    VALUE_BYTES = 3,
    VALUE_STREAM = 4,
    VALUE_INT = 6,
    VALUE_DOUBLE = 7,
    VALUE_BYTES_LIST = 8,
    VALUE_STRINGS = 9,
    VALUE_DOUBLES = 10,
    VALUE_INTS = 11,
};
#define LIST_VALUES 1 /* the one field of every collection */
#define DECIMAL_MAX_BYTES 32

static const uint8_t numbers[] = {
    [RPC_STRING] = VALUE_STRING,   [RPC_JSON] = VALUE_JSON,
    [RPC_BYTES] = VALUE_BYTES,     [RPC_INT] = VALUE_INT,
    [RPC_DOUBLE] = VALUE_DOUBLE,   [RPC_STRINGS] = VALUE_STRINGS,
    [RPC_INTS] = VALUE_INTS,       [RPC_BYTES_LIST] = VALUE_BYTES_LIST,
    [RPC_DOUBLES] = VALUE_DOUBLES, [RPC_JSONS] = VALUE_STRINGS,
};

/* Reading. */

static enum err end_of(const struct pb_reader *reader)
{
    return reader->is_bad ? E_BAD_WIRE : E_OK;
}

static enum err read_texts(struct slice list, struct arena *arena, struct rpc_data *ret)
{
    struct pb_reader reader = pb_reader_of(list);
    struct pb_field field;
    size_t count = pb_count(reader, LIST_VALUES, PB_BYTES);
    struct slice *items = arena_array(arena, count, struct slice);

    if (items == NULL)
        return E_LIMIT;
    ret->items = items;
    while (pb_next(&reader, &field))
        if (field.number == LIST_VALUES && field.wire == PB_BYTES)
            items[ret->item_count++] = field.bytes;
    return end_of(&reader);
}

static struct slice print_int(struct arena *arena, uint64_t value)
{
    char text[DECIMAL_MAX_BYTES];
    int len = snprintf(text, sizeof text, "%" PRId64, pb_unzigzag(value));
    return arena_copy(arena, (struct slice){text, (size_t)len});
}

/* The shortest text that reads back as the same number. */
static struct slice print_double(struct arena *arena, uint64_t value)
{
    char text[DECIMAL_MAX_BYTES];
    double number = pb_double(value);
    int len = 0;

    for (int digits = 15; digits <= 17; digits++) {
        len = snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return arena_copy(arena, (struct slice){text, (size_t)len});
}

/* How the numbers of a collection lie in the bytes: as varints or as 8 bytes each, packed into one
 * field or one field each. */
struct number_kind {
    enum pb_wire wire;
    bool (*next)(struct pb_reader *packed, uint64_t *ret);
    struct slice (*print)(struct arena *arena, uint64_t value);
};

static const struct number_kind int_kind = {PB_VARINT, pb_varint, print_int};
static const struct number_kind double_kind = {PB_FIXED64, pb_fixed64, print_double};

/* Calls `each` for every number of the list. */
static enum err walk_numbers(struct slice list, const struct number_kind *kind,
                             bool (*each)(void *ctx, uint64_t value), void *ctx)
{
    struct pb_reader reader = pb_reader_of(list);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number != LIST_VALUES)
            continue;
        if (field.wire == kind->wire && !each(ctx, field.value))
            return E_LIMIT;
        if (field.wire != PB_BYTES)
            continue;
        struct pb_reader packed = pb_reader_of(field.bytes);
        for (uint64_t value; kind->next(&packed, &value);)
            if (!each(ctx, value))
                return E_LIMIT;
        if (packed.is_bad)
            return E_BAD_WIRE;
    }
    return end_of(&reader);
}

static bool count_number(void *ctx, uint64_t value)
{
    (void)value;
    ++*(size_t *)ctx;
    return true;
}

struct printing {
    const struct number_kind *kind;
    struct arena *arena;
    struct slice *items;
    size_t count;
};

static bool print_number(void *ctx, uint64_t value)
{
    struct printing *printing = ctx;
    struct slice text = printing->kind->print(printing->arena, value);

    printing->items[printing->count++] = text;
    return text.data != NULL;
}

static enum err read_numbers(struct slice list, const struct number_kind *kind, struct arena *arena,
                             struct rpc_data *ret)
{
    size_t count = 0;
    enum err err = walk_numbers(list, kind, count_number, &count);
    if (err)
        return err;
    struct printing printing = {kind, arena, arena_array(arena, count, struct slice), 0};
    if (printing.items == NULL)
        return E_LIMIT;
    err = walk_numbers(list, kind, print_number, &printing);
    ret->items = printing.items;
    ret->item_count = printing.count;
    return err;
}

/* One member of the oneof; the last one counts, so each starts from nothing. */
static enum err read_bytes_member(const struct pb_field *field, struct arena *arena,
                                  struct rpc_data *ret)
{
    switch (field->number) {
    case VALUE_STRING:
        *ret = (struct rpc_data){.kind = RPC_STRING, .text = field->bytes};
        return E_OK;
    case VALUE_JSON:
        *ret = (struct rpc_data){.kind = RPC_JSON, .text = field->bytes};
        return E_OK;
    case VALUE_BYTES:
    case VALUE_STREAM:
        *ret = (struct rpc_data){.kind = RPC_BYTES, .text = field->bytes};
        return E_OK;
    case VALUE_BYTES_LIST:
        *ret = (struct rpc_data){.kind = RPC_BYTES_LIST};
        return read_texts(field->bytes, arena, ret);
    case VALUE_STRINGS:
        *ret = (struct rpc_data){.kind = RPC_STRINGS};
        return read_texts(field->bytes, arena, ret);
    case VALUE_DOUBLES:
        *ret = (struct rpc_data){.kind = RPC_DOUBLES};
        return read_numbers(field->bytes, &double_kind, arena, ret);
    case VALUE_INTS:
        *ret = (struct rpc_data){.kind = RPC_INTS};
        return read_numbers(field->bytes, &int_kind, arena, ret);
    default:
        return E_OK;
    }
}

enum err rpc_value_read(struct slice message, struct arena *arena, struct rpc_data *ret)
{
    struct pb_reader reader = pb_reader_of(message);
    struct pb_field field;

    while (pb_next(&reader, &field)) {
        if (field.number == VALUE_INT && field.wire == PB_VARINT)
            *ret = (struct rpc_data){.kind = RPC_INT, .integer = pb_unzigzag(field.value)};
        else if (field.number == VALUE_DOUBLE && field.wire == PB_FIXED64)
            *ret = (struct rpc_data){.kind = RPC_DOUBLE, .number = pb_double(field.value)};
        else if (field.wire == PB_BYTES) {
            enum err err = read_bytes_member(&field, arena, ret);
            if (err)
                return err;
        }
    }
    return end_of(&reader);
}

/* Writing. */

#define HEAD_BYTES 2 /* of a short field: tag and length */

static size_t list_bytes(const struct rpc_data *data)
{
    size_t total = 0;
    for (size_t i = 0; i < data->item_count; i++)
        total += HEAD_BYTES + data->items[i].len;
    return total;
}

size_t rpc_value_bytes(const struct rpc_data *data)
{
    switch (data->kind) {
    case RPC_NONE:
        return 0;
    case RPC_STRING:
    case RPC_JSON:
    case RPC_BYTES:
        return 1 + pb_varint_len(data->text.len) + data->text.len;
    case RPC_INT:
    case RPC_DOUBLE:
        return 1 + sizeof(uint64_t);
    case RPC_STRINGS:
    case RPC_BYTES_LIST:
    case RPC_INTS:
    case RPC_DOUBLES:
    case RPC_JSONS:
        return HEAD_BYTES + list_bytes(data);
    }
    return 0;
}

static void write_texts(struct buf *out, const struct rpc_data *data)
{
    for (size_t i = 0; i < data->item_count; i++)
        pb_write_bytes(out, LIST_VALUES, data->items[i]);
}

static void write_ints(struct buf *out, const struct rpc_data *data)
{
    struct pb_nested packed = pb_begin(out, LIST_VALUES, data->item_count);
    for (size_t i = 0; i < data->item_count; i++) {
        int64_t integer = 0;
        slice_to_i64(data->items[i], &integer);
        pb_write_varint(out, pb_zigzag(integer));
    }
    pb_end_unless_empty(out, packed);
}

static void write_doubles(struct buf *out, const struct rpc_data *data)
{
    struct pb_nested packed = pb_begin(out, LIST_VALUES, data->item_count * sizeof(double));
    for (size_t i = 0; i < data->item_count; i++) {
        double number = 0;
        slice_to_f64(data->items[i], &number);
        pb_write_fixed64(out, pb_double_bits(number));
    }
    pb_end_unless_empty(out, packed);
}

static void write_list(struct buf *out, const struct rpc_data *data)
{
    struct pb_nested list = pb_begin(out, numbers[data->kind], list_bytes(data));
    if (data->kind == RPC_INTS)
        write_ints(out, data);
    else if (data->kind == RPC_DOUBLES)
        write_doubles(out, data);
    else
        write_texts(out, data);
    pb_end(out, list);
}

void rpc_value_write(struct buf *out, uint32_t number, const struct rpc_data *data)
{
    struct pb_nested value = pb_begin(out, number, rpc_value_bytes(data));

    switch (data->kind) {
    case RPC_NONE:
        break;
    case RPC_STRING:
    case RPC_JSON:
    case RPC_BYTES:
        pb_write_bytes(out, numbers[data->kind], data->text);
        break;
    case RPC_INT:
        pb_write_u64(out, VALUE_INT, pb_zigzag(data->integer));
        break;
    case RPC_DOUBLE:
        pb_write_double(out, VALUE_DOUBLE, data->number);
        break;
    case RPC_STRINGS:
    case RPC_BYTES_LIST:
    case RPC_INTS:
    case RPC_DOUBLES:
    case RPC_JSONS:
        write_list(out, data);
        break;
    }
    pb_end(out, value);
}
