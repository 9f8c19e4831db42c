"""What a function says: records of `logging` become RpcLog, print() goes to stdout line by line."""

import contextvars
import io
import logging
import os
import sys
import threading

from . import rpc

# Which invocation speaks; follows threads of the pool and tasks of the event loop alike.
invocation_id = contextvars.ContextVar("invocation_id", default="")
# For threads that the user starts: they may copy context.invocation_id to
# context.thread_local_storage.invocation_id.
thread_storage = threading.local()

LEVELS = (
    (logging.CRITICAL, rpc.CRITICAL),
    (logging.ERROR, rpc.ERROR),
    (logging.WARNING, rpc.WARNING),
    (logging.INFO, rpc.INFORMATION),
    (logging.DEBUG, rpc.DEBUG),
)


def rpc_level(level):
    """RpcLog's level for a level of `logging`."""
    return next((ours for theirs, ours in LEVELS if level >= theirs), rpc.TRACE)


class RpcHandler(logging.Handler):
    """Sends every record to the host, under the invocation that wrote it."""

    def __init__(self, channel):
        super().__init__()
        self._channel = channel

    def emit(self, record):
        try:
            self._channel.send(
                rpc_log={
                    "invocation_id": invocation_id.get()
                    or getattr(thread_storage, "invocation_id", ""),
                    "category": record.name,
                    "level": rpc_level(record.levelno),
                    "message": self.format(record),
                    "log_category": rpc.USER,
                }
            )
        except OSError:
            pass  # the host has gone; the reader sees that too and ends the process
        except Exception:
            self.handleError(record)


def install(channel):
    """From now on root and named loggers speak to the host."""
    root = logging.getLogger()
    root.addHandler(RpcHandler(channel))
    root.setLevel(logging.INFO)


def set_level(log_categories):
    """Follow the host's levels: the lowest that is asked for user code, at least for INFO."""
    wanted = [
        level for category, level in log_categories.items()
        if category.lower() == "default" or category.startswith("Function")
    ]
    is_chatty = os.environ.get("PYTHON_ENABLE_DEBUG_LOGGING") == "1"
    if is_chatty or any(level < rpc.INFORMATION for level in wanted):
        logging.getLogger().setLevel(logging.DEBUG)


class LineStream(io.TextIOWrapper):
    """A text stream that writes whole lines only. print() writes the text and its newline in two
    calls; with many threads the lines of two functions would mingle."""

    def __init__(self, buffer):
        super().__init__(buffer, encoding="utf-8", errors="backslashreplace", line_buffering=False)
        self._parts = threading.local()
        self._whole = threading.Lock()

    def write(self, text):
        begun = getattr(self._parts, "text", "") + text
        lines, newline, self._parts.text = begun.rpartition("\n")
        if newline:
            with self._whole:
                super().write(lines + newline)
                super().flush()
        return len(text)

    def flush(self):
        begun, self._parts.text = getattr(self._parts, "text", ""), ""
        with self._whole:
            if begun:
                super().write(begun)
            super().flush()


def own_output():
    """Make stdout and stderr line streams."""
    sys.stdout = LineStream(sys.stdout.buffer)
    sys.stderr = LineStream(sys.stderr.buffer)
