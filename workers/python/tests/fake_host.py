"""A functions host for tests: the real worker process at the other end of a socketpair."""

import os
import select
import socket
import subprocess
import sys
import tempfile
import textwrap
import time

FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, FOLDER)
from redgrid_worker import rpc  # noqa: E402

DEADLINE_S = 20


class FakeHost:
    """Starts a worker for an app whose files are given: {"F/__init__.py": text}."""

    def __init__(self, files, environment=None):
        self.root = tempfile.TemporaryDirectory()
        for name, text in files.items():
            path = os.path.join(self.root.name, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(textwrap.dedent(text))
            os.chmod(path, 0o755)
        self.socket, theirs = socket.socketpair()
        self.output = tempfile.TemporaryFile()
        env = dict(os.environ, REDGRID_RPC_FD=str(theirs.fileno()), **(environment or {}))
        self.process = subprocess.Popen(
            [
                sys.executable,
                os.path.join(FOLDER, "worker.py"),
                "--host", "127.0.0.1", "--some-later-argument", "1",
                "--functions-worker-id", "w1", "--functions-request-id", "r1",
            ],
            cwd=self.root.name, env=env, pass_fds=[theirs.fileno()],
            stdout=self.output, stderr=subprocess.STDOUT,
        )
        theirs.close()
        self.seen = []
        self._input = bytearray()
        self._runs = 0

    def close(self):
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.output.close()
        self.root.cleanup()

    def send(self, **message):
        body = rpc.encode(rpc.STREAMING_MESSAGE, dict(message, request_id="host"))
        self.send_raw(len(body).to_bytes(4, "big") + body)

    def send_raw(self, data):
        self.socket.sendall(data)

    def wait(self, kind, accept=lambda body: True):
        """The first message of a kind that was not taken yet; what else comes stays in `seen`."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            for message in self.seen:
                if kind in message and accept(message[kind]):
                    self.seen.remove(message)
                    return message[kind]
            self._receive(deadline, kind)

    def _receive(self, deadline, kind):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.socket], [], [], left)[0]:
            raise AssertionError("no %s; seen: %r; printed: %s" % (kind, self.seen, self.printed()))
        data = self.socket.recv(1 << 20)
        if not data:
            raise AssertionError("the worker is gone: %s" % self.printed())
        self._input += data
        while len(self._input) >= 4:
            size = int.from_bytes(self._input[:4], "big")
            if len(self._input) < 4 + size:
                break
            frame = bytes(self._input[4 : 4 + size])
            del self._input[: 4 + size]
            self.seen.append(rpc.decode(rpc.STREAMING_MESSAGE, frame))

    def printed(self):
        self.output.seek(0)
        return self.output.read().decode("utf-8", "replace")

    def init(self):
        """StartStream and WorkerInit."""
        started = self.wait("start_stream")
        self.send(worker_init_request={
            "host_version": "4.0.0", "function_app_directory": self.root.name,
        })
        return started, self.wait("worker_init_response")

    def load(self, name, script="__init__.py", entry_point="", bindings=None):
        """Load a function; bindings: parameter -> direction. Returns the StatusResult."""
        directory = os.path.join(self.root.name, name)
        declared = {
            key: {"type": "redis", "direction": direction}
            for key, direction in (bindings or {"entry": rpc.IN}).items()
        }
        self.send(function_load_request={
            "function_id": "id-" + name,
            "metadata": {
                "name": name, "directory": directory, "entry_point": entry_point,
                "script_file": os.path.join(directory, script),
                "bindings": declared, "function_id": "id-" + name,
            },
        })
        answer = self.wait("function_load_response")
        assert answer["function_id"] == "id-" + name
        return answer["result"]

    def begin(self, name, inputs, **more):
        """Start a run; returns its invocation id."""
        self._runs += 1
        run_id = "run-%d" % self._runs
        self.send(invocation_request=dict(
            {
                "invocation_id": run_id, "function_id": "id-" + name,
                "input_data": [{"name": key, "data": data} for key, data in inputs.items()],
            },
            **more
        ))
        return run_id

    def end(self, run_id):
        """The InvocationResponse of a run."""
        return self.wait("invocation_response", lambda body: body["invocation_id"] == run_id)

    def run(self, name, inputs, **more):
        return self.end(self.begin(name, inputs, **more))

    def logs(self, run_id):
        """The RpcLogs of a run that have arrived, in order."""
        found = [message["rpc_log"] for message in self.seen if "rpc_log" in message]
        return [log for log in found if log.get("invocation_id") == run_id]
