"""The FunctionRpc messages that a worker needs, and a protobuf codec driven by their tables.

A message is a dict: field name -> value. decode() gives only the fields that were on the wire, so
read them with .get(). encode() leaves out default values, except for the chosen member of a oneof,
which is always sent. Unknown fields are skipped; groups and truncated input raise WireError.

To add a message: a Schema with its rows, and the row that refers to it.
"""

import struct

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

FAILURE, SUCCESS, CANCELLED = 0, 1, 2  # StatusResult.status
TRACE, DEBUG, INFORMATION, WARNING, ERROR, CRITICAL, NONE = range(7)  # RpcLog.level
USER, SYSTEM = 0, 1  # RpcLog.log_category
IN, OUT, INOUT = 0, 1, 2  # BindingInfo.direction


class WireError(Exception):
    """The bytes are no message."""


class Schema:
    """A message: rows of (number, name, kind, shape).

    kind is "string", "bytes", "bool", "int", "sint", "double" or another Schema; shape is "one",
    "many", "map" (string to kind), or "oneof" (a member of the message's only oneof).
    """

    def __init__(self, *rows):
        self.by_number = {}
        self.rows = []
        self.oneof = frozenset(row[1] for row in rows if row[3:] == ("oneof",))
        for number, name, kind, *shape in rows:
            row = (number, name, kind, shape[0] if shape else "one")
            self.by_number[number] = row
            self.rows.append(row)


DURATION = Schema((1, "seconds", "int"), (2, "nanos", "int"))
EXCEPTION = Schema(
    (1, "stack_trace", "string"),
    (2, "message", "string"),
    (3, "source", "string"),
    (4, "is_user_exception", "bool"),
    (5, "type", "string"),
)
TYPED_DATA = Schema(
    (1, "string", "string", "oneof"),
    (2, "json", "string", "oneof"),
    (3, "bytes", "bytes", "oneof"),
    (4, "stream", "bytes", "oneof"),
    (6, "int", "sint", "oneof"),
    (7, "double", "double", "oneof"),
    (8, "collection_bytes", Schema((1, "bytes", "bytes", "many")), "oneof"),
    (9, "collection_string", Schema((1, "string", "string", "many")), "oneof"),
    (10, "collection_double", Schema((1, "double", "double", "many")), "oneof"),
    (11, "collection_sint64", Schema((1, "sint64", "sint", "many")), "oneof"),
)
STATUS_RESULT = Schema((1, "result", "string"), (2, "exception", EXCEPTION), (4, "status", "int"))
BINDING_INFO = Schema((2, "type", "string"), (3, "direction", "int"), (4, "data_type", "int"))
METADATA = Schema(
    (1, "directory", "string"),
    (2, "script_file", "string"),
    (3, "entry_point", "string"),
    (4, "name", "string"),
    (6, "bindings", BINDING_INFO, "map"),
    (9, "language", "string"),
    (13, "function_id", "string"),
    (16, "properties", "string", "map"),
)
PARAMETER_BINDING = Schema((1, "name", "string"), (2, "data", TYPED_DATA))
TRACE_CONTEXT = Schema(
    (1, "trace_parent", "string"),
    (2, "trace_state", "string"),
    (3, "attributes", "string", "map"),
)
RETRY_CONTEXT = Schema(
    (1, "retry_count", "int"), (2, "max_retry_count", "int"), (3, "exception", EXCEPTION)
)
WORKER_METADATA = Schema(
    (1, "runtime_name", "string"),
    (2, "runtime_version", "string"),
    (3, "worker_version", "string"),
    (4, "worker_bitness", "string"),
    (5, "custom", "string", "map"),
)
LOAD_REQUEST = Schema((1, "function_id", "string"), (2, "metadata", METADATA))
LOAD_RESPONSE = Schema((1, "function_id", "string"), (2, "result", STATUS_RESULT))
INVOCATION_REQUEST = Schema(
    (1, "invocation_id", "string"),
    (2, "function_id", "string"),
    (3, "input_data", PARAMETER_BINDING, "many"),
    (4, "trigger_metadata", TYPED_DATA, "map"),
    (5, "trace_context", TRACE_CONTEXT),
    (6, "retry_context", RETRY_CONTEXT),
)
INVOCATION_RESPONSE = Schema(
    (1, "invocation_id", "string"),
    (2, "output_data", PARAMETER_BINDING, "many"),
    (3, "result", STATUS_RESULT),
    (4, "return_value", TYPED_DATA),
)
RPC_LOG = Schema(
    (1, "invocation_id", "string"),
    (2, "category", "string"),
    (3, "level", "int"),
    (4, "message", "string"),
    (5, "event_id", "string"),
    (6, "exception", EXCEPTION),
    (7, "properties", "string"),
    (8, "log_category", "int"),
)
EMPTY = Schema()
STREAMING_MESSAGE = Schema(
    (1, "request_id", "string"),
    (2, "rpc_log", RPC_LOG, "oneof"),
    (4, "invocation_request", INVOCATION_REQUEST, "oneof"),
    (5, "invocation_response", INVOCATION_RESPONSE, "oneof"),
    (8, "function_load_request", LOAD_REQUEST, "oneof"),
    (9, "function_load_response", LOAD_RESPONSE, "oneof"),
    (12, "worker_status_request", EMPTY, "oneof"),
    (13, "worker_status_response", EMPTY, "oneof"),
    (14, "worker_terminate", Schema((1, "grace_period", DURATION)), "oneof"),
    (
        16,
        "worker_init_response",
        Schema(
            (1, "worker_version", "string"),
            (2, "capabilities", "string", "map"),
            (3, "result", STATUS_RESULT),
            (4, "worker_metadata", WORKER_METADATA),
        ),
        "oneof",
    ),
    (
        17,
        "worker_init_request",
        Schema(
            (1, "host_version", "string"),
            (2, "capabilities", "string", "map"),
            (3, "log_categories", "int", "map"),
            (4, "worker_directory", "string"),
            (5, "function_app_directory", "string"),
        ),
        "oneof",
    ),
    (20, "start_stream", Schema((2, "worker_id", "string")), "oneof"),
    (21, "invocation_cancel", Schema((2, "invocation_id", "string")), "oneof"),
    (29, "functions_metadata_request", Schema((1, "function_app_directory", "string")), "oneof"),
    (
        30,
        "function_metadata_response",
        Schema((2, "result", STATUS_RESULT), (3, "use_default_metadata_indexing", "bool")),
        "oneof",
    ),
)


def utf8(text):
    """Every string on the wire must be valid UTF-8; a lone surrogate becomes U+FFFD."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        pairs = text.encode("utf-16-le", "surrogatepass")
        return pairs.decode("utf-16-le", "replace").encode("utf-8")


def put_varint(out, value):
    """Append a varint; negative numbers take ten bytes, as protobuf has it."""
    value &= 0xFFFFFFFFFFFFFFFF
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _put_bytes(out, number, data):
    put_varint(out, number << 3 | LENGTH)
    put_varint(out, len(data))
    out += data


def _put_value(out, number, kind, value):
    if isinstance(kind, Schema):
        _put_bytes(out, number, encode(kind, value))
    elif kind == "string":
        _put_bytes(out, number, utf8(value))
    elif kind == "bytes":
        _put_bytes(out, number, value)
    elif kind == "double":
        put_varint(out, number << 3 | FIXED64)
        out += struct.pack("<d", value)
    else:
        put_varint(out, number << 3 | VARINT)
        put_varint(out, (value << 1) ^ (value >> 63) if kind == "sint" else int(value))


def encode(schema, message):
    """The bytes of a message."""
    out = bytearray()
    for number, name, kind, shape in schema.rows:
        value = message.get(name)
        if value is None:
            continue
        if shape == "one":
            if value or isinstance(kind, Schema):
                _put_value(out, number, kind, value)
        elif shape == "oneof":
            _put_value(out, number, kind, value)
        elif shape == "many":
            for item in value:
                _put_value(out, number, kind, item)
        else:
            for key, item in value.items():
                pair = bytearray()
                _put_bytes(pair, 1, utf8(key))
                _put_value(pair, 2, kind, item)
                _put_bytes(out, number, pair)
    return bytes(out)


def _varint(data, at):
    result = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise WireError("truncated or endless varint")
        byte = data[at]
        at += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result & 0xFFFFFFFFFFFFFFFF, at
        shift += 7


def _fields(data):
    """Yield (number, wire type, value); value is an int, or a memoryview for types 1, 2 and 5."""
    at = 0
    end = len(data)
    while at < end:
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, wire, value
            continue
        if wire == LENGTH:
            size, at = _varint(data, at)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise WireError("wire type %d is not supported" % wire)
        if size > end - at:
            raise WireError("a field of %d bytes is truncated" % size)
        yield tag >> 3, wire, data[at : at + size]
        at += size


WIRE_OF = {"string": LENGTH, "bytes": LENGTH, "double": FIXED64}


def _value(kind, wire, raw):
    if isinstance(kind, Schema):
        return _decode(kind, raw)
    if kind == "string":
        return str(raw, "utf-8", "replace")
    if kind == "bytes":
        return bytes(raw)
    if kind == "double":
        return struct.unpack("<d", raw)[0]
    if kind == "sint":
        return (raw >> 1) ^ -(raw & 1)
    if kind == "bool":
        return bool(raw)
    return raw - (1 << 64) if raw >> 63 else raw


def _packed(kind, raw):
    if kind == "double":
        return [item[0] for item in struct.iter_unpack("<d", raw[: len(raw) // 8 * 8])]
    items = []
    at = 0
    while at < len(raw):
        item, at = _varint(raw, at)
        items.append(_value(kind, VARINT, item))
    return items


def _map_pair(kind, raw):
    key, item = "", {} if isinstance(kind, Schema) else _DEFAULTS[kind]
    for number, wire, value in _fields(raw):
        if number == 1:
            key = _value("string", wire, value)
        elif number == 2:
            item = _value(kind, wire, value)
    return key, item


_DEFAULTS = {"string": "", "bytes": b"", "bool": False, "int": 0, "sint": 0, "double": 0.0}


def _decode(schema, data):
    message = {}
    for number, wire, raw in _fields(data):
        row = schema.by_number.get(number)
        if row is None:
            continue
        _, name, kind, shape = row
        expected = LENGTH if isinstance(kind, Schema) else WIRE_OF.get(kind, VARINT)
        if wire != expected:
            if shape == "many" and wire == LENGTH:
                message.setdefault(name, []).extend(_packed(kind, raw))
            continue
        if shape == "many":
            message.setdefault(name, []).append(_value(kind, wire, raw))
        elif shape == "map":
            key, item = _map_pair(kind, raw)
            message.setdefault(name, {})[key] = item
        else:
            if shape == "oneof":
                for other in schema.oneof & message.keys():
                    del message[other]
            message[name] = _value(kind, wire, raw)
    return message


def decode(schema, data):
    """The message in `data` (bytes-like), as a dict. Raises WireError."""
    return _decode(schema, memoryview(data))
