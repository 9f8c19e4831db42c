/* Every message is described by a shape (rpc_shape.h); here are the reader and the writer that walk
 * the shapes. Shapes nest as deep as the protocol says and no deeper, so recursion is bounded. */
#include "wire/rpc.h"

#include <string.h>

#include "base/mem.h"
#include "wire/protobuf.h"
#include "wire/rpc_shape.h"
#include "wire/rpc_value.h"

#define REQUEST_ID 1 /* in StreamingMessage, beside the members of the oneof */

const char *rpc_type_name(enum rpc_type type)
{
    switch (type) {
    case RPC_UNKNOWN:
        return "RPC_UNKNOWN";
#define NAME(name, number)                                                                         \
    case name:                                                                                     \
        return #name;
        RPC_TYPES(NAME)
#undef NAME
    }
    return "RPC_UNKNOWN";
}

/* Structs are reached through offsets: memcpy keeps the compiler's idea of types intact. */
#define LOAD(type, from) (*(type *)memcpy(&(type){0}, (from), sizeof(type)))
#define STORE(type, to, value) memcpy((to), &(type){value}, sizeof(type))

/* Reading. */

static enum err read_message(struct slice message, struct arena *arena,
                             const struct rpc_shape *shape, char *object);

static const struct rpc_field *find_field(const struct rpc_shape *shape, uint32_t number)
{
    for (const struct rpc_field *field = shape->fields; field < shape->fields + shape->count;
         field++)
        if (field->number == number)
            return field;
    return NULL;
}

static void read_number(const struct rpc_field *field, uint64_t value, char *at)
{
    switch (field->kind) {
    case RPC_BOOL:
        STORE(bool, at, value != 0);
        break;
    case RPC_INT32:
        STORE(int32_t, at, (int32_t)(uint32_t)value);
        break;
    case RPC_INT64:
        STORE(int64_t, at, (int64_t)value);
        break;
    case RPC_ENUM:
        if (value > field->top)
            value = 0;
        STORE(uint32_t, at, (uint32_t)value);
        break;
    default:
        break;
    }
}

static enum err read_bytes(const struct rpc_field *field, struct slice bytes, struct arena *arena,
                           char *at)
{
    switch (field->kind) {
    case RPC_TEXT:
    case RPC_TEXTS:
        memcpy(at, &bytes, sizeof bytes);
        return E_OK;
    case RPC_VALUE:
    case RPC_ONEOF:
        return rpc_value_read(bytes, arena, (struct rpc_data *)(void *)at);
    case RPC_OPTIONAL:
        STORE(bool, at, true);
        return read_message(bytes, arena, field->shape, at);
    case RPC_PART:
    case RPC_PARTS:
        return read_message(bytes, arena, field->shape, at);
    default:
        return E_OK; /* a number in the wrong wire type */
    }
}

/* A message being read. */
struct reading {
    struct pb_reader reader;
    const struct rpc_shape *shape;
    char *object;
    uint32_t arrays_seen; /* a bit per field */
};

/* array_add makes room for the item that was just read and for all that follow in this message.
 * NULL when the arena is full. */
static char *array_add(struct reading *reading, struct arena *arena, const struct rpc_field *field,
                       char *at)
{
    struct rpc_array array = LOAD(struct rpc_array, at);
    size_t size = field->kind == RPC_TEXTS ? sizeof(struct slice) : field->shape->size;
    uint32_t bit = 1u << (field - reading->shape->fields);

    if (!(reading->arrays_seen & bit)) {
        size_t more = 1 + pb_count(reading->reader, field->number, PB_BYTES);
        void *items = arena_alloc(arena, array.count + more, size);
        if (items == NULL)
            return NULL;
        if (array.count > 0) /* from an earlier part of the same message */
            memcpy(items, array.items, array.count * size);
        array.items = items;
        reading->arrays_seen |= bit;
    }
    char *item = (char *)array.items + array.count * size;
    array.count++;
    memcpy(at, &array, sizeof array);
    return item;
}

static enum err read_field(struct reading *reading, struct arena *arena, const struct pb_field *in,
                           const struct rpc_field *field)
{
    char *at = reading->object + field->offset;

    if (in->wire == PB_VARINT)
        read_number(field, in->value, at);
    if (in->wire != PB_BYTES)
        return E_OK;
    if (field->kind == RPC_TEXTS || field->kind == RPC_PARTS)
        at = array_add(reading, arena, field, at);
    return at == NULL ? E_LIMIT : read_bytes(field, in->bytes, arena, at);
}

static enum err read_message(struct slice message, struct arena *arena,
                             const struct rpc_shape *shape, char *object)
{
    struct reading reading = {pb_reader_of(message), shape, object, 0};
    struct pb_field in;

    while (pb_next(&reading.reader, &in)) {
        const struct rpc_field *field = find_field(shape, in.number);
        enum err err = field == NULL ? E_OK : read_field(&reading, arena, &in, field);
        if (err)
            return err;
    }
    return reading.reader.is_bad ? E_BAD_WIRE : E_OK;
}

/* One member of StreamingMessage's oneof: another one than before replaces it. */
static enum err read_member(const struct pb_field *in, struct arena *arena,
                            struct rpc_message *message)
{
    const struct rpc_shape *shape = rpc_shape_of(in->number);

    if (shape == NULL)
        return E_OK;
    if (message->type != (enum rpc_type)in->number)
        *message = (struct rpc_message){.request_id = message->request_id,
                                        .type = (enum rpc_type)in->number};
    return read_message(in->bytes, arena, shape, (char *)&message->log);
}

enum err rpc_decode(struct slice in, struct arena *arena, struct rpc_message *ret,
                    struct cause *why)
{
    struct pb_reader reader = pb_reader_of(in);
    struct pb_field field;
    struct rpc_message message = {0};

    while (pb_next(&reader, &field)) {
        enum err err = E_OK;
        if (field.wire != PB_BYTES)
            continue;
        if (field.number == REQUEST_ID)
            message.request_id = field.bytes;
        else
            err = read_member(&field, arena, &message);
        if (err == E_LIMIT)
            return cause_set(why, err, "%s has too many parts", rpc_type_name(message.type));
        if (err)
            return cause_set(why, err, "%s is malformed", rpc_type_name(message.type));
    }
    if (reader.is_bad)
        return cause_set(why, E_BAD_WIRE, "malformed message of %zu bytes", in.len);
    *ret = message;
    return E_OK;
}

/* Writing. */

static void write_message(struct buf *out, const struct rpc_shape *shape, const char *object);

/* Guesses of a nested message's length spare pb_end() the moving; they matter for large payloads.
 */
#define NAMED_EXTRA_BYTES 8 /* tags and lengths */
#define IDS_BYTES 80

static size_t named_bytes(const struct rpc_named *named)
{
    return NAMED_EXTRA_BYTES + named->name.len + rpc_value_bytes(&named->data);
}

static size_t names_bytes(struct rpc_names names)
{
    size_t total = 0;
    for (size_t i = 0; i < names.count; i++)
        total += named_bytes(&names.items[i]);
    return total;
}

static size_t message_bytes(const struct rpc_message *message)
{
    if (message->type == RPC_INVOCATION_REQUEST)
        return IDS_BYTES + names_bytes(message->invocation_request.inputs) +
               names_bytes(message->invocation_request.metadata);
    if (message->type == RPC_INVOCATION_RESPONSE)
        return IDS_BYTES + names_bytes(message->invocation_response.outputs) +
               rpc_value_bytes(&message->invocation_response.return_value);
    return 0;
}

static void write_number(struct buf *out, uint32_t number, uint64_t value)
{
    if (value != 0) /* defaults are not sent */
        pb_write_u64(out, number, value);
}

static void write_parts(struct buf *out, const struct rpc_field *field, struct rpc_array array)
{
    for (size_t i = 0; i < array.count; i++) {
        const char *item = (const char *)array.items + i * field->shape->size;
        size_t expected = field->shape == &rpc_named_shape
                              ? named_bytes((const struct rpc_named *)(const void *)item)
                              : 0;
        struct pb_nested part = pb_begin(out, field->number, expected);
        write_message(out, field->shape, item);
        pb_end(out, part);
    }
}

static void write_part(struct buf *out, const struct rpc_field *field, const char *at)
{
    if (field->kind == RPC_OPTIONAL && !LOAD(bool, at))
        return;
    struct pb_nested part = pb_begin(out, field->number, 0);
    write_message(out, field->shape, at);
    if (field->kind == RPC_OPTIONAL)
        pb_end(out, part);
    else
        pb_end_unless_empty(out, part);
}

static void write_text(struct buf *out, uint32_t number, struct slice text)
{
    if (text.len > 0)
        pb_write_bytes(out, number, text);
}

static void write_texts(struct buf *out, uint32_t number, struct rpc_array array)
{
    const struct slice *items = array.items;
    for (size_t i = 0; i < array.count; i++)
        pb_write_bytes(out, number, items[i]);
}

static void write_value(struct buf *out, const struct rpc_field *field, const char *at)
{
    const struct rpc_data *data = (const struct rpc_data *)(const void *)at;
    if (data->kind != RPC_NONE || field->kind == RPC_ONEOF)
        rpc_value_write(out, field->number, data);
}

static void write_field(struct buf *out, const struct rpc_field *field, const char *at)
{
    switch ((enum rpc_field_kind)field->kind) {
    case RPC_TEXT:
        write_text(out, field->number, LOAD(struct slice, at));
        break;
    case RPC_BOOL:
        write_number(out, field->number, LOAD(bool, at));
        break;
    case RPC_INT32: /* negative ones are sent as 64 bits */
        write_number(out, field->number, (uint64_t)(int64_t)LOAD(int32_t, at));
        break;
    case RPC_INT64:
        write_number(out, field->number, (uint64_t)LOAD(int64_t, at));
        break;
    case RPC_ENUM:
        write_number(out, field->number, LOAD(uint32_t, at));
        break;
    case RPC_VALUE:
    case RPC_ONEOF:
        write_value(out, field, at);
        break;
    case RPC_PART:
    case RPC_OPTIONAL:
        write_part(out, field, at);
        break;
    case RPC_TEXTS:
        write_texts(out, field->number, LOAD(struct rpc_array, at));
        break;
    case RPC_PARTS:
        write_parts(out, field, LOAD(struct rpc_array, at));
        break;
    }
}

static void write_message(struct buf *out, const struct rpc_shape *shape, const char *object)
{
    for (const struct rpc_field *field = shape->fields; field < shape->fields + shape->count;
         field++)
        write_field(out, field, object + field->offset);
}

void rpc_encode(struct buf *out, const struct rpc_message *message)
{
    const struct rpc_shape *shape = rpc_shape_of(message->type);

    write_text(out, REQUEST_ID, message->request_id);
    if (shape == NULL)
        return;
    struct pb_nested member = pb_begin(out, message->type, message_bytes(message));
    write_message(out, shape, (const char *)&message->log);
    pb_end(out, member);
}

struct slice rpc_pairs_find(struct rpc_pairs pairs, struct slice key)
{
    for (size_t i = pairs.count; i > 0; i--)
        if (slice_eq(pairs.items[i - 1].key, key))
            return pairs.items[i - 1].value;
    return SLICE_NONE;
}

const struct rpc_data *rpc_names_find(struct rpc_names names, struct slice name)
{
    const struct rpc_named *items = names.items;

    for (size_t i = names.count; i > 0; i--)
        if (slice_eq(items[i - 1].name, name))
            return &items[i - 1].data;
    return NULL;
}
