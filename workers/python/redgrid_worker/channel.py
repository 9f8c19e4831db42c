"""Frames on the inherited socket: 4 bytes of big-endian length, then one StreamingMessage."""

import collections
import threading

from . import rpc

FRAME_MAX_BYTES = 256 * 1024 * 1024
READ_BYTES = 256 * 1024


class Closed(Exception):
    """The host has gone."""


class Channel:
    """One end of the stream. One thread receives; any thread sends."""

    def __init__(self, sock, request_id=""):
        self._socket = sock
        self._request_id = request_id
        self._queue = collections.deque()
        self._sending = threading.Lock()
        self._input = bytearray()

    def receive(self):
        """Wait for messages and return all that have arrived whole. Raises Closed, WireError."""
        while True:
            data = self._socket.recv(READ_BYTES)
            if not data:
                raise Closed()
            self._input += data
            messages = self._take_whole()
            if messages:
                return messages

    def _take_whole(self):
        messages = []
        at = 0
        while len(self._input) - at >= 4:
            size = int.from_bytes(self._input[at : at + 4], "big")
            if size > FRAME_MAX_BYTES:
                raise rpc.WireError("a frame of %d bytes is over the limit" % size)
            if len(self._input) - at - 4 < size:
                break
            frame = bytes(memoryview(self._input)[at + 4 : at + 4 + size])
            at += 4 + size
            if frame:
                messages.append(rpc.decode(rpc.STREAMING_MESSAGE, frame))
        del self._input[:at]
        return messages

    def send(self, **message):
        """Send one message. Whoever finds the socket free also writes what others have queued, so
        that many threads share one system call and none waits for a wake-up."""
        message["request_id"] = self._request_id
        body = rpc.encode(rpc.STREAMING_MESSAGE, message)
        self._queue.append(len(body).to_bytes(4, "big") + body)
        self._drain()

    def _drain(self):
        while self._queue and self._sending.acquire(blocking=False):
            try:
                self._write_queued()
            finally:
                self._sending.release()

    def _write_queued(self):
        batch = []
        while self._queue:
            batch.append(self._queue.popleft())
        if batch:
            self._socket.sendall(b"".join(batch))

    def flush(self):
        """Return when everything sent so far is with the kernel."""
        with self._sending:
            self._write_queued()
