import unittest

from tests import fake_host  # noqa: F401 puts the worker on the path
from redgrid_worker import rpc

INVOCATION = {
    "request_id": "r",
    "invocation_request": {
        "invocation_id": "i",
        "function_id": "f",
        "input_data": [
            {"name": "entry", "data": {"string": "a\0b \u20ac \U0001f600"}},
            {"name": "raw", "data": {"bytes": b"\x00\xff\xfe"}},
            {"name": "minus", "data": {"int": -3}},
            {"name": "least", "data": {"int": -(1 << 63)}},
            {"name": "real", "data": {"double": 0.1}},
            {"name": "many", "data": {"collection_string": {"string": ["a", "", "b"]}}},
            {"name": "ints", "data": {"collection_sint64": {"sint64": [1, -1, 0]}}},
            {"name": "empty", "data": {"string": ""}},
        ],
        "trigger_metadata": {"Key": {"string": "q"}, "Values": {"json": "{}"}},
        "retry_context": {"retry_count": 1, "max_retry_count": -1},
    },
}


class Codec(unittest.TestCase):
    def test_round_trip(self):
        data = rpc.encode(rpc.STREAMING_MESSAGE, INVOCATION)
        self.assertEqual(rpc.decode(rpc.STREAMING_MESSAGE, data), INVOCATION)

    def test_known_bytes(self):
        rows = [
            ({"worker_status_request": {}}, "6200"),
            ({"start_stream": {"worker_id": "w"}}, "a2010312 0177"),
            ({"request_id": "r", "invocation_cancel": {"invocation_id": "i"}},
             "0a0172aa0103120169"),
        ]
        for message, expected in rows:
            data = rpc.encode(rpc.STREAMING_MESSAGE, message)
            self.assertEqual(data, bytes.fromhex(expected))
        self.assertEqual(rpc.encode(rpc.TYPED_DATA, {"string": ""}), b"\x0a\x00")
        self.assertEqual(rpc.encode(rpc.TYPED_DATA, {"int": -1}), b"\x30\x01")
        self.assertEqual(rpc.encode(rpc.RETRY_CONTEXT, {"max_retry_count": -1}),
                         b"\x10" + b"\xff" * 9 + b"\x01")

    def test_unknown_fields_are_skipped_and_the_last_of_a_oneof_wins(self):
        unknown = bytes.fromhex("f83f01" "fd3f01020304" "f93f0102030405060708" "fa3f026162")
        data = unknown + rpc.encode(rpc.TYPED_DATA, {"string": "a"}) + b"\x30\x02"
        self.assertEqual(rpc.decode(rpc.TYPED_DATA, data), {"int": 1})

    def test_packed_and_unpacked(self):
        schema = rpc.TYPED_DATA.by_number[11][2]
        self.assertEqual(rpc.decode(schema, bytes.fromhex("0a03010203")), {"sint64": [-1, 1, -2]})
        self.assertEqual(rpc.decode(schema, bytes.fromhex("08010802")), {"sint64": [-1, 1]})

    def test_every_cut_is_an_error_or_a_shorter_message(self):
        data = rpc.encode(rpc.STREAMING_MESSAGE, INVOCATION)
        for end in range(len(data)):
            try:
                self.assertNotEqual(rpc.decode(rpc.STREAMING_MESSAGE, data[:end]), INVOCATION)
            except rpc.WireError:
                pass

    def test_bad_bytes(self):
        for bad in ("0b", "0c", "0aff", "80" * 11, "0d0102"):
            with self.assertRaises(rpc.WireError, msg=bad):
                rpc.decode(rpc.STREAMING_MESSAGE, bytes.fromhex(bad))

    def test_strings_are_valid_utf8(self):
        self.assertEqual(rpc.utf8("a\ud800b"), "a\ufffdb".encode())
        self.assertEqual(rpc.utf8("\ud83d\ude00"), "\U0001f600".encode())


if __name__ == "__main__":
    unittest.main()
