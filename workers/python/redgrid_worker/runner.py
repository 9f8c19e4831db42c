"""Runs functions: async ones as tasks of the event loop, sync ones in a pool of threads."""

import asyncio
import concurrent.futures
import contextvars
import inspect
import os
import threading
import traceback

from . import logs, rpc, values

OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))
DEFAULT_THREADS = 1000


class RetryContext:
    """Which attempt this is: retry_count 0 is the first."""

    def __init__(self, sent):
        self.retry_count = sent.get("retry_count", 0)
        self.max_retry_count = sent.get("max_retry_count", 0)
        self.exception = sent.get("exception", {}).get("message")


class TraceContext:
    """The W3C trace this invocation belongs to."""

    def __init__(self, sent):
        self.trace_parent = sent.get("trace_parent", "")
        self.trace_state = sent.get("trace_state", "")
        self.attributes = sent.get("attributes", {})


class Context:
    """The `context` parameter."""

    def __init__(self, function, request):
        self.function_name = function.name
        self.function_directory = function.directory
        self.invocation_id = request.get("invocation_id", "")
        self.trace_context = TraceContext(request.get("trace_context", {}))
        self.retry_context = RetryContext(request.get("retry_context", {}))
        self.thread_local_storage = logs.thread_storage
        self._metadata = request.get("trigger_metadata", {})

    @property
    def trigger_metadata(self):
        """Beyond Azure's context: Key, Id, Channel, DeliveryCount and so on of the message."""
        return {key: values.from_data(data) for key, data in self._metadata.items()}


class Out:
    """The value of an output parameter."""

    def __init__(self):
        self._value = None

    def set(self, value):
        self._value = value

    def get(self):
        return self._value


def exception_of(error, source=""):
    """The RpcException of an exception; its stack trace begins in the user's code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OWN_FOLDER):
        trace = trace.tb_next
    lines = traceback.format_exception(type(error), error, trace or error.__traceback__)
    return {
        "message": "%s: %s" % (type(error).__name__, error),
        "stack_trace": "".join(lines),
        "source": source,
        "type": "%s.%s" % (type(error).__module__, type(error).__qualname__),
        "is_user_exception": True,
    }


def failed(error, source=""):
    """The StatusResult of a failure."""
    return {"status": rpc.FAILURE, "exception": exception_of(error, source)}


class Runner:
    """The functions of one worker, and their runs in flight."""

    def __init__(self, channel, loop):
        self._channel = channel
        self._loop = loop
        self._functions = {}
        self._running = {}  # invocation id -> task or future; None until it has one
        self._idle = threading.Condition()
        threads = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
        count = int(threads) if threads.isdigit() and int(threads) > 0 else DEFAULT_THREADS
        self._pool = concurrent.futures.ThreadPoolExecutor(count, "function")

    def add(self, function_id, function):
        """Register a loaded function."""
        self._functions[function_id] = function

    def invoke(self, request):
        """Begin one run; its response is sent when it ends. Called by the receiving thread."""
        run_id = request.get("invocation_id", "")
        function = self._functions.get(request.get("function_id"))
        if function is None:
            error = RuntimeError("no function is loaded as %r" % request.get("function_id"))
            self._respond(run_id, result=failed(error))
            return
        with self._idle:
            self._running[run_id] = None
        if function.is_async:
            self._loop.call_soon_threadsafe(self._start_task, function, request)
        else:
            # A context of its own, or what one run sets would be there in the thread's next.
            context = contextvars.Context()
            future = self._pool.submit(context.run, self._run_sync, function, request)
            with self._idle:
                if run_id in self._running:
                    self._running[run_id] = future

    def cancel(self, run_id):
        """Cancel a task, or a run that waits for a thread; a thread that runs cannot be stopped."""
        run = self._running.get(run_id)
        if isinstance(run, concurrent.futures.Future):
            if run.cancel():
                self._end(run_id, result={"status": rpc.CANCELLED})
        else:
            self._loop.call_soon_threadsafe(self._cancel_task, run_id)

    def _cancel_task(self, run_id):
        task = self._running.get(run_id)
        if task is not None:
            task.cancel()

    def wait_idle(self, seconds):
        """Wait until nothing runs; False if that takes too long."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._running, seconds)

    def _start_task(self, function, request):
        run_id = request.get("invocation_id", "")
        task = self._loop.create_task(self._run_async(function, request))
        with self._idle:
            self._running[run_id] = task
        # A task cancelled before its first step never reaches its own clean-up.
        task.add_done_callback(lambda _: self._end_if_left(run_id))

    def _end_if_left(self, run_id):
        if run_id in self._running:
            self._end(run_id, result={"status": rpc.CANCELLED})

    async def _run_async(self, function, request):
        run_id = request.get("invocation_id", "")
        logs.invocation_id.set(run_id)
        try:
            arguments, outputs = self._arguments(function, request)
            response = self._success(await function.call(**arguments), outputs)
        except asyncio.CancelledError:
            response = {"result": {"status": rpc.CANCELLED}}
        except BaseException as error:  # SystemExit too: it is the function's failure, not our end
            response = {"result": failed(error, function.name)}
        self._end(run_id, **response)

    def _run_sync(self, function, request):
        run_id = request.get("invocation_id", "")
        logs.invocation_id.set(run_id)
        try:
            arguments, outputs = self._arguments(function, request)
            result = function.call(**arguments)
            if inspect.iscoroutine(result):  # an async function in a wrapper that is not
                result = asyncio.run_coroutine_threadsafe(result, self._loop).result()
            response = self._success(result, outputs)
        except BaseException as error:
            response = {"result": failed(error, function.name)}
        finally:
            logs.thread_storage.__dict__.clear()
        self._end(run_id, **response)

    def _arguments(self, function, request):
        arguments = {}
        for given in request.get("input_data", ()):
            name = given.get("name", "")
            arguments[name] = values.from_data(given.get("data"), function.hints.get(name))
        outputs = {name: Out() for name in function.outputs}
        arguments.update(outputs)
        if function.has_context:
            arguments["context"] = Context(function, request)
        return arguments, outputs

    def _success(self, result, outputs):
        sent = [{"name": name, "data": values.to_data(out.get())} for name, out in outputs.items()]
        return {
            "result": {"status": rpc.SUCCESS},
            "return_value": values.to_data(result),
            "output_data": [output for output in sent if output["data"] is not None],
        }

    def _end(self, run_id, **response):
        # First the answer, then idle: whoever waits for idle ends the process.
        self._respond(run_id, **response)
        with self._idle:
            self._running.pop(run_id, None)
            self._idle.notify_all()

    def _respond(self, run_id, **response):
        response["invocation_id"] = run_id
        try:
            self._channel.send(invocation_response=response)
        except OSError:
            pass  # the host has gone; the receiving thread ends the process
