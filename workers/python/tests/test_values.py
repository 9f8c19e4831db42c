import dataclasses
import json
import os
import sys
import typing
import unittest

from tests import fake_host  # puts the worker on the path
from redgrid_worker import values

MODEL = {"string": '{"Trigger":"q","Message":"hi"}'}


class RedisMessageModel:
    """As the requirements document has it."""

    def __init__(self, trigger, message):
        self.Trigger = trigger
        self.Message = message


class ByPosition:
    def __init__(self, one, two):
        self.pair = (one, two)


class ByAttribute:
    Trigger: str


class WithDefault:
    def __init__(self, trigger, other=7):
        self.Trigger = trigger
        self.other = other


@dataclasses.dataclass
class Data:
    Trigger: str
    Message: str


GRID = (
    '{"id":"1","topic":"/t","subject":"s","eventType":"made","data":{"n":5},"dataVersion":"1",'
    '"eventTime":"2026-01-01T00:00:00.1234567Z"}'
)
CLOUD = '{"specversion":"1.0","id":"1","source":"/t","type":"made","time":"2026-01-01T02:00:00+02:00"}'


class Events(unittest.TestCase):
    def setUp(self):
        sys.path.append(os.path.join(fake_host.FOLDER, "shim"))
        self.addCleanup(sys.path.pop)
        import azure.functions
        self.shape = azure.functions.EventGridEvent

    def test_as_event_grid_event(self):
        event = values.from_data({"json": GRID}, self.shape)
        self.assertEqual((event.id, event.topic, event.subject), ("1", "/t", "s"))
        self.assertEqual((event.event_type, event.data_version), ("made", "1"))
        self.assertEqual(event.get_json(), {"n": 5})
        self.assertEqual(event.event_time.isoformat(), "2026-01-01T00:00:00.123456+00:00")

    def test_a_cloud_event_by_the_same_names(self):
        event = values.from_data({"json": CLOUD}, self.shape)
        self.assertEqual((event.topic, event.event_type), ("/t", "made"))
        self.assertEqual(event.event_time.isoformat(), "2026-01-01T02:00:00+02:00")
        self.assertIsNone(event.get_json())

    def test_batches(self):
        batch = {"collection_string": {"string": [GRID, CLOUD]}}
        events = values.from_data(batch, typing.List[self.shape])
        self.assertEqual([event.topic for event in events], ["/t", "/t"])
        self.assertEqual(values.from_data(batch, values.Event), [json.loads(GRID), json.loads(CLOUD)])
        self.assertEqual(values.from_data(batch, typing.List[dict])[0]["id"], "1")
        self.assertEqual(values.from_data(batch, typing.List[str]), [GRID, CLOUD])

    def test_by_hand(self):
        self.assertEqual(values.from_data({"string": "hi"}, values.Event), "hi")
        self.assertEqual(values.from_data({"json": GRID}, values.Event), json.loads(GRID))
        with self.assertRaisesRegex(TypeError, "the value is no"):
            values.from_data({"string": "hi"}, self.shape)

    def test_times(self):
        for text, expected in (
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00"),
            ("2026-01-01t00:00:00.5z", "2026-01-01T00:00:00.500000+00:00"),
            ("2026-13-01T00:00:00Z", None), ("soon", None), (None, None),
        ):
            event = values.from_data({"json": json.dumps({"eventTime": text})}, self.shape)
            self.assertEqual(event.event_time and event.event_time.isoformat(), expected)


class FromData(unittest.TestCase):
    def test_as_sent(self):
        rows = [
            ({"string": "12"}, "12"), ({"string": ""}, ""), ({"bytes": b"\x00\xff"}, b"\x00\xff"),
            ({"int": 0}, 0), ({"double": 1.5}, 1.5), ({"json": '{"a":[1]}'}, {"a": [1]}),
            ({"collection_string": {"string": ["a", ""]}}, ["a", ""]),
            ({"collection_bytes": {}}, []), ({}, None), (None, None),
        ]
        for data, expected in rows:
            self.assertEqual(values.from_data(data), expected)
        self.assertEqual(values.from_data({"string": '{"a":1}'}, str), '{"a":1}')

    def test_by_annotation(self):
        rows = [
            ({"string": "a"}, bytes, b"a"), ({"bytes": b"a\xff"}, str, "a\ufffd"),
            ({"string": "12"}, int, 12), ({"string": "12"}, float, 12.0),
            ({"string": "true"}, bool, True), ({"string": '{"a":1}'}, dict, {"a": 1}),
            ({"string": "[1,2]"}, typing.List[int], [1, 2]), ({"string": "5"}, typing.Any, "5"),
            ({"string": "5"}, typing.Optional[int], 5), ({}, typing.Optional[int], None),
        ]
        for data, hint, expected in rows:
            self.assertEqual(values.from_data(data, hint), expected)

    def test_objects(self):
        for target in (RedisMessageModel, Data, typing.Optional[RedisMessageModel]):
            made = values.from_data(MODEL, target)
            self.assertEqual((made.Trigger, made.Message), ("q", "hi"))
        self.assertEqual(values.from_data(MODEL, ByPosition).pair, ("q", "hi"))
        self.assertEqual(vars(values.from_data(MODEL, ByAttribute)),
                         {"Trigger": "q", "Message": "hi"})
        self.assertEqual(vars(values.from_data(MODEL, WithDefault)),
                         {"Trigger": "q", "other": 7, "Message": "hi"})
        many = {"collection_string": {"string": [MODEL["string"]] * 2}}
        self.assertEqual(values.from_data(many, typing.List[Data]), [Data("q", "hi")] * 2)

    def test_refusals_name_the_value(self):
        for text, hint in (("hello", Data), ("[1]", Data), ("x", int), ('"x"', int)):
            with self.assertRaisesRegex(TypeError, hint.__name__):
                values.from_data({"string": text}, hint)


class ToData(unittest.TestCase):
    def test_rows(self):
        rows = [
            (None, None), ("", {"string": ""}), (b"\xff", {"bytes": b"\xff"}), (5, {"int": 5}),
            (True, {"json": "true"}), (1 << 70, {"string": str(1 << 70)}), (0.5, {"double": 0.5}),
            ({"a": "\u20ac"}, {"json": '{"a":"\u20ac"}'}),
            ([b"a"], {"collection_bytes": {"bytes": [b"a"]}}),
            (["a", 1], {"json": '["a",1]'}), ([], {"json": "[]"}),
            (Data("q", "hi"), {"json": '{"Trigger":"q","Message":"hi"}'}),
        ]
        for value, expected in rows:
            self.assertEqual(values.to_data(value), expected)
        made = values.to_data(RedisMessageModel("q", "hi"))
        self.assertEqual(json.loads(made["json"]), {"Trigger": "q", "Message": "hi"})


if __name__ == "__main__":
    unittest.main()
