"""What a function is given and what it gives back: TypedData to Python values and the reverse."""

import dataclasses
import datetime
import inspect
import json
import re
import typing

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1


class Event:
    """The hint for an event trigger's parameter without one: a dict, or a list of them."""


def from_data(data, hint=None):
    """The Python value of a TypedData, shaped after the parameter's annotation (or None)."""
    return _shaped(_plain(data), hint)


def _plain(data):
    if not data:
        return None
    kind, value = next(iter(data.items()))
    if kind == "json":
        return json.loads(value)
    if kind.startswith("collection_"):
        return next(iter(value.values()), [])
    return value


def _shaped(value, hint):
    if hint is None or hint is typing.Any or value is None:
        return value
    if hint is Event:
        return [_event_fields(each) for each in value] if isinstance(value, list) else value
    origin = typing.get_origin(hint)
    if origin is typing.Union:
        choices = [choice for choice in typing.get_args(hint) if choice is not type(None)]
        return _shaped(value, choices[0]) if len(choices) == 1 else value
    if origin in (list, tuple) and isinstance(value, list):
        item = (typing.get_args(hint) or (None,))[0]
        return [_shaped(element, item) for element in value]
    target = origin or hint
    if not isinstance(target, type):
        return value
    if target.__module__.startswith("azure.functions"):
        # Its other shapes (Out, Context, InputStream) are made by others, or stay as sent.
        return _event(value, target) if target.__name__ == "EventGridEvent" else value
    return value if isinstance(value, target) else _converted(value, target)


def _event_fields(value):
    return _parsed(value, dict) if isinstance(value, (str, bytes)) else value


def _event(value, target):
    """An EventGridEvent, of the package or its stand-in; of a CloudEvent by what means the same."""
    fields = _event_fields(value)
    if not isinstance(fields, dict):
        raise TypeError("the value is no event: %.100r" % (value,))
    return target(
        id=fields.get("id"),
        data=fields.get("data"),
        topic=fields.get("topic", fields.get("source")),
        subject=fields.get("subject"),
        event_type=fields.get("eventType", fields.get("type")),
        event_time=_time(fields.get("eventTime", fields.get("time"))),
        data_version=fields.get("dataVersion"),
    )


def _time(text):
    """A datetime; None for what is none."""
    match = re.fullmatch(r"(.{10}[Tt ].{8})(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text or "")
    if match is None:
        return None
    whole, fraction, zone = match.groups()
    micro = ((fraction or ".")[1:] + "000000")[:6]
    try:
        return datetime.datetime.fromisoformat(
            "%s.%s%s" % (whole, micro, "+00:00" if zone in "Zz" else zone)
        )
    except ValueError:
        return None


def _converted(value, target):
    if target is bytes:
        return value.encode("utf-8") if isinstance(value, str) else value
    if target is str:
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else _json_text(value)
    if isinstance(value, (str, bytes)) and not issubclass(target, (bytearray, memoryview)):
        value = _parsed(value, target)
    if isinstance(value, dict) and target is not dict:
        return _object(value, target)
    if isinstance(value, target) or target is object:
        return value
    if target is float and isinstance(value, int):
        return float(value)
    raise TypeError("the value is no %s: %.100r" % (target.__name__, value))


def _json_text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _parsed(text, target):
    try:
        return json.loads(text)
    except ValueError:
        raise TypeError("the value is no %s: %.100r" % (target.__name__, text)) from None


def _object(fields, target):
    """An object of a class from the fields of a JSON object: by constructor arguments of the same
    name (case ignored), else by position, else as attributes. RedisMessageModel(trigger, message)
    is made of {"Trigger":..,"Message":..}."""
    if issubclass(target, dict):
        return fields
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        parameters = {}
    by_lower = {key.lower(): key for key in fields}
    named = {key: by_lower[key.lower()] for key in parameters if key.lower() in by_lower}
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [
        key for key, value in parameters.items()
        if value.default is value.empty and value.kind not in variable
    ]
    if all(key in named for key in required):
        made = target(**{key: fields[source] for key, source in named.items()})
        rest = [key for key in fields if key not in named.values()]
    elif len(required) == len(fields):
        made, rest = target(*fields.values()), []
    else:
        made, rest = target.__new__(target), fields
    for key in rest:
        _set_quietly(made, key, fields[key])
    return made


def _set_quietly(made, key, value):
    try:
        setattr(made, key, value)
    except (AttributeError, TypeError, ValueError):
        pass  # slots, frozen: the class does not want this field


def to_data(value):
    """The TypedData of what a function returned, or None for None."""
    if value is None:
        return None
    if isinstance(value, str):
        return {"string": value}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"bytes": bytes(value)}
    if isinstance(value, bool):
        return {"json": _json_text(value)}
    if isinstance(value, int):
        return {"int": value} if INT64_MIN <= value <= INT64_MAX else {"string": str(value)}
    if isinstance(value, float):
        return {"double": value}
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, bytes) for v in value):
        return {"collection_bytes": {"bytes": list(value)}}
    return {"json": json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_as_json)}


def _as_json(value):
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    if isinstance(value, (set, frozenset)):
        return list(value)
    if hasattr(value, "__dict__"):
        return vars(value)
    return str(value)
