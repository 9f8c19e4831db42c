"""Joins the parts. Three kinds of threads: the main thread runs the event loop and imports user
code; one thread receives, and answers status requests itself, so that a function that hogs the loop
does not look like a dead worker; the pool runs sync functions."""

import argparse
import asyncio
import atexit
import logging
import os
import platform
import socket
import sys
import threading

from . import loader, logs, rpc, runner
from .channel import Channel, Closed

WORKER_VERSION = "0.1.0"
CAPABILITIES = {
    name: "true"
    for name in (
        "TypedDataCollection",
        "WorkerStatus",
        "HandlesWorkerTerminateMessage",
        "HandlesInvocationCancelMessage",
    )
}


def arguments(argv):
    """The ids on the command line; unknown arguments are ignored."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--functions-worker-id", "--workerId", dest="worker_id", default="")
    parser.add_argument("--functions-request-id", "--requestId", dest="request_id", default="")
    return parser.parse_known_args(argv)[0]


class Worker:
    """One process: its channel, its loop, its functions."""

    def __init__(self, sock, options):
        self._channel = Channel(sock, options.request_id)
        self._worker_id = options.worker_id
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._runner = runner.Runner(self._channel, self._loop)
        self._answers = {
            "worker_init_request": self._on_main(self._init),
            "functions_metadata_request": self._metadata,
            "function_load_request": self._on_main(self._load),
            "invocation_request": self._runner.invoke,
            "invocation_cancel": lambda body: self._runner.cancel(body.get("invocation_id", "")),
            "worker_status_request": lambda body: self._channel.send(worker_status_response={}),
            "worker_terminate": self._terminate,
        }

    def run(self):
        """Serve until the host ends the stream. Does not return."""
        logs.install(self._channel)
        self._channel.send(start_stream={"worker_id": self._worker_id})
        threading.Thread(target=self._receive, name="receive", daemon=True).start()
        self._loop.run_forever()

    def _on_main(self, answer):
        return lambda body: self._loop.call_soon_threadsafe(answer, body)

    def _receive(self):
        code = 1
        try:
            while True:
                for message in self._channel.receive():
                    self._answer(message)
        except (Closed, ConnectionError):
            code = 0
        except Exception as error:
            print("LanguageWorkerConsoleLog[error] python worker: %s" % error, file=sys.stderr)
        finally:
            leave(code)

    def _answer(self, message):
        for kind, body in message.items():
            if kind in self._answers:
                self._answers[kind](body)

    def _init(self, body):
        loader.use_app(body.get("function_app_directory") or os.getcwd())
        logs.set_level(body.get("log_categories", {}))
        self._channel.send(
            worker_init_response={
                "worker_version": WORKER_VERSION,
                "capabilities": CAPABILITIES,
                "result": {"status": rpc.SUCCESS},
                "worker_metadata": {
                    "runtime_name": "python",
                    "runtime_version": platform.python_version(),
                    "worker_version": WORKER_VERSION,
                    "worker_bitness": platform.machine(),
                },
            }
        )

    def _metadata(self, body):
        self._channel.send(
            function_metadata_response={
                "use_default_metadata_indexing": True,
                "result": {"status": rpc.SUCCESS},
            }
        )

    def _load(self, body):
        function_id = body.get("function_id", "")
        result = {"status": rpc.SUCCESS}
        try:
            self._runner.add(function_id, loader.load(body.get("metadata", {})))
        except BaseException as error:  # SystemExit too: a script that exits is a script that fails
            result = runner.failed(error, body.get("metadata", {}).get("name", ""))
            if isinstance(error, loader.LoadError):
                result["exception"]["message"] = str(error)
        self._channel.send(function_load_response={"function_id": function_id, "result": result})

    def _terminate(self, body):
        grace = body.get("grace_period", {})
        seconds = grace.get("seconds", 0) + grace.get("nanos", 0) / 1e9
        threading.Thread(target=self._end_kindly, args=(seconds,), daemon=True).start()

    def _end_kindly(self, seconds):
        self._runner.wait_idle(seconds)
        try:
            self._channel.flush()
            atexit._run_exitfuncs()  # the user's; the pool's own would wait for stuck threads
        finally:
            leave(0)


def leave(code):
    """End at once: nobody waits for threads whose results nobody can receive."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code)


def main():
    """The entry of the process."""
    options = arguments(sys.argv[1:])
    descriptor = os.environ.pop("REDGRID_RPC_FD", "3")
    try:
        sock = socket.socket(fileno=int(descriptor))
    except (OSError, ValueError) as error:
        sys.exit("the python worker is started by redgrid: descriptor %s: %s" % (descriptor, error))
    sock.set_inheritable(False)  # children of user code must not keep the stream open
    sock.setblocking(True)
    logs.own_output()
    logging.captureWarnings(True)
    Worker(sock, options).run()
