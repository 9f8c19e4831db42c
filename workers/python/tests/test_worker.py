import os
import subprocess
import sys
import unittest

from tests.fake_host import DEADLINE_S, FOLDER, FakeHost
from redgrid_worker import rpc

ECHO = """
    def main(entry: str) -> str:
        return entry
"""


class WorkerTest(unittest.TestCase):
    def start(self, files, environment=None):
        host = FakeHost(files, environment)
        self.addCleanup(host.close)
        self.answers = host.init()
        return host

    def assert_success(self, result):
        self.assertEqual(result.get("status", rpc.FAILURE), rpc.SUCCESS, result)


class StartAndEnd(WorkerTest):
    def test_start(self):
        self.start({"F/__init__.py": ECHO})
        started, init = self.answers
        self.assertEqual(started["worker_id"], "w1")
        self.assert_success(init["result"])
        for name in ("TypedDataCollection", "WorkerStatus", "HandlesWorkerTerminateMessage",
                     "HandlesInvocationCancelMessage"):
            self.assertEqual(init["capabilities"][name], "true")
        self.assertEqual(init["worker_metadata"]["runtime_name"], "python")

    def test_the_host_reads_function_json(self):
        host = self.start({"F/__init__.py": ECHO})
        host.send(functions_metadata_request={})
        answer = host.wait("function_metadata_response")
        self.assertIs(answer["use_default_metadata_indexing"], True)

    def test_end_of_file_ends_it_at_once_even_when_a_function_hangs(self):
        host = self.start({"F/__init__.py": """
            import logging, threading
            def main(entry):
                logging.info("here")
                threading.Event().wait()
        """})
        self.assert_success(host.load("F"))
        host.begin("F", {"entry": {"string": ""}})
        host.wait("rpc_log")
        host.socket.close()
        self.assertEqual(host.process.wait(DEADLINE_S), 0)

    def test_terminate_waits_for_what_runs(self):
        host = self.start({"F/__init__.py": """
            import atexit, logging, os, time
            atexit.register(lambda: print("bye"))
            def main(entry):
                logging.info("here")
                while not os.path.exists(entry):
                    time.sleep(0.005)
                return "done"
        """})
        self.assert_success(host.load("F"))
        flag = os.path.join(host.root.name, "flag")
        run_id = host.begin("F", {"entry": {"string": flag}})
        host.wait("rpc_log")
        host.send(worker_terminate={"grace_period": {"seconds": 10}})
        host.send(worker_status_request={})
        host.wait("worker_status_response")
        self.assertIsNone(host.process.poll())
        open(flag, "w").close()
        self.assertEqual(host.end(run_id)["return_value"], {"string": "done"})
        self.assertEqual(host.process.wait(DEADLINE_S), 0)
        self.assertIn("bye\n", host.printed())

    def test_terminate_does_not_wait_for_ever(self):
        host = self.start({"F/__init__.py": """
            import logging, threading
            def main(entry):
                logging.info("here")
                threading.Event().wait()
        """})
        host.load("F")
        host.begin("F", {"entry": {"string": ""}})
        host.wait("rpc_log")
        host.send(worker_terminate={"grace_period": {"nanos": 50000000}})
        self.assertEqual(host.process.wait(DEADLINE_S), 0)

    def test_a_frame_over_the_limit_ends_it(self):
        host = self.start({})
        host.send_raw(b"\x10\x00\x00\x01")
        self.assertEqual(host.process.wait(DEADLINE_S), 1)
        self.assertIn("LanguageWorkerConsoleLog[error]", host.printed())

    def test_frames_split_at_every_byte_and_empty_ones(self):
        host = self.start({})
        body = rpc.encode(rpc.STREAMING_MESSAGE, {"worker_status_request": {}})
        for byte in b"\0\0\0\0" + len(body).to_bytes(4, "big") + body:
            host.send_raw(bytes([byte]))
        host.wait("worker_status_response")

    def test_without_a_host_it_says_so(self):
        done = subprocess.run(
            [sys.executable, os.path.join(FOLDER, "worker.py")], stdin=subprocess.DEVNULL,
            env=dict(os.environ, REDGRID_RPC_FD="99"), capture_output=True, timeout=DEADLINE_S)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"is started by redgrid", done.stderr)


class Load(WorkerTest):
    def test_imports_of_an_app(self):
        host = self.start({
            "F/__init__.py": """
                from . import helper
                from .. import common
                from ..shared.thing import THING
                from __app__.shared import thing
                import shared.thing as by_root
                import worker, loader
                def main(entry):
                    return [helper.NAME, common.NAME, THING, thing.THING, by_root.THING,
                            worker.NAME, loader.NAME]
            """,
            "F/helper.py": "NAME = 'helper'\n", "common.py": "NAME = 'common'\n",
            "shared/__init__.py": "", "shared/thing.py": "THING = 1\n",
            "worker.py": "NAME = 'their worker'\n", "loader.py": "NAME = 'their loader'\n",
        })
        self.assert_success(host.load("F"))
        answer = host.run("F", {"entry": {"string": ""}})
        self.assertEqual(
            answer["return_value"],
            {"json": '["helper","common",1,1,1,"their worker","their loader"]'}, answer)

    def test_a_script_is_imported_once(self):
        host = self.start({"F/__init__.py": "print('imported')\ndef main(entry): pass\n"})
        self.assert_success(host.load("F"))
        self.assertEqual(host.printed(), "imported\n")

    def test_other_scripts_and_entry_points(self):
        host = self.start({
            "my-func/run.py": "def go(entry): return 'run ' + entry\n",
            "shared/code.py": "def main(entry): return 'shared ' + entry\n",
        })
        rows = [
            ("my-func", "run.py", "go", "run x"),
            ("Other", "../shared/code.py", "", "shared x"),
        ]
        for name, script, entry_point, expected in rows:
            self.assert_success(host.load(name, script, entry_point))
            answer = host.run(name, {"entry": {"string": "x"}})
            self.assertEqual(answer["return_value"], {"string": expected})

    def test_mistakes(self):
        host = self.start({
            "Missing/__init__.py": "def other(entry): pass\n",
            "Extra/__init__.py": "def main(entry, more): pass\n",
            "Lacks/__init__.py": "def main(): pass\n",
            "Broken/__init__.py": "import no_such_module\ndef main(entry): pass\n",
            "Syntax/__init__.py": "def main(entry) pass\n",
            "Exits/__init__.py": "import sys\nsys.exit(3)\n",
            "Text/readme.txt": "",
            "Good/__init__.py": "def main(entry): pass\n",
        })
        rows = [
            ("Missing", "__init__.py", r"no function main\(\)"),
            ("Extra", "__init__.py", "takes more, but no binding"),
            ("Lacks", "__init__.py", "declares entry, but"),
            ("Broken", "__init__.py", "No module named 'no_such_module'"),
            ("Syntax", "__init__.py", "SyntaxError"),
            ("Exits", "__init__.py", "SystemExit"),
            ("Text", "readme.txt", r"no \.py file"),
        ]
        for name, script, expected in rows:
            result = host.load(name, script)
            self.assertEqual(result.get("status", rpc.FAILURE), rpc.FAILURE)
            self.assertRegex(result["exception"]["message"], expected)
            self.assertIn("Traceback", result["exception"]["stack_trace"])
        self.assertIn("no_such_module", host.load("Broken")["exception"]["stack_trace"])
        self.assert_success(host.load("Good"))


class Run(WorkerTest):
    def test_values(self):
        host = self.start({"F/__init__.py": """
            def main(entry):
                shown = entry.hex() if isinstance(entry, bytes) else entry
                return [type(entry).__name__, shown]
        """})
        self.assert_success(host.load("F"))
        rows = [
            ({"string": '{"a":1}'}, '["str","{\\"a\\":1}"]'), ({"string": ""}, '["str",""]'),
            ({"string": "a\0b"}, '["str","a\\u0000b"]'), ({"bytes": b"\0\xff"}, '["bytes","00ff"]'),
            ({"collection_string": {"string": ["a", ""]}}, '["list",["a",""]]'),
        ]
        for data, expected in rows:
            self.assertEqual(host.run("F", {"entry": data})["return_value"], {"json": expected})

    def test_the_model_of_the_requirements(self):
        host = self.start({"F/__init__.py": """
            class RedisMessageModel:
                def __init__(self, trigger, message):
                    self.Trigger = trigger
                    self.Message = message

            def main(entry: RedisMessageModel):
                return entry.Trigger + " " + entry.Message
        """})
        self.assert_success(host.load("F"))
        answer = host.run("F", {"entry": {"string": '{"Trigger":"q","Message":"hi"}'}})
        self.assertEqual(answer["return_value"], {"string": "q hi"})

    def test_context_outputs_and_return(self):
        host = self.start({"F/__init__.py": """
            import azure.functions as func

            def main(entry: str, out: func.Out[str], unset: func.Out[str], context: func.Context):
                retry = context.retry_context
                out.set([context.function_name, context.function_directory, context.invocation_id,
                         context.trace_context.trace_parent, retry.retry_count,
                         retry.max_retry_count, context.trigger_metadata["Key"]])
                return 5
        """})
        self.assert_success(host.load(
            "F", bindings={"entry": rpc.IN, "out": rpc.OUT, "unset": rpc.OUT, "$return": rpc.OUT}))
        answer = host.run(
            "F", {"entry": {"string": ""}}, trace_context={"trace_parent": "00-1-2-00"},
            retry_context={"retry_count": 1, "max_retry_count": 3},
            trigger_metadata={"Key": {"string": "q"}})
        self.assert_success(answer["result"])
        self.assertEqual(answer["return_value"], {"int": 5})
        directory = os.path.join(host.root.name, "F")
        self.assertEqual(answer["output_data"], [{"name": "out", "data": {
            "json": '["F","%s","run-1","00-1-2-00",1,3,"q"]' % directory}}])

    def test_failures(self):
        host = self.start({
            "F/__init__.py": """
                import sys
                def fail(entry):
                    if entry == "exit":
                        sys.exit(4)
                    raise ValueError("bad " + entry)
                def main(entry): fail(entry)
            """,
            "A/__init__.py": "import sys\nasync def main(entry): sys.exit(4)\n",
        })
        for name in "FA":
            self.assert_success(host.load(name))
        result = host.run("F", {"entry": {"string": "egg"}})["result"]
        self.assertEqual(result.get("status", 0), rpc.FAILURE)
        error = result["exception"]
        self.assertEqual((error["message"], error["type"], error["is_user_exception"]),
                         ("ValueError: bad egg", "builtins.ValueError", True))
        self.assertIn("in fail", error["stack_trace"])
        self.assertNotIn("runner.py", error["stack_trace"])
        for name in "FA":
            result = host.run(name, {"entry": {"string": "exit"}})["result"]
            self.assertEqual(result["exception"]["message"], "SystemExit: 4")
        unknown = host.run("Never", {})["result"]
        self.assertIn("id-Never", unknown["exception"]["message"])

    def test_sync_functions_run_in_parallel(self):
        host = self.start({"F/__init__.py": """
            import threading
            barrier = threading.Barrier(20)
            def main(entry):
                barrier.wait(15)
        """})
        self.assert_success(host.load("F"))
        runs = [host.begin("F", {"entry": {"string": ""}}) for _ in range(20)]
        for run_id in runs:
            self.assert_success(host.end(run_id)["result"])

    def test_one_thread_runs_one_after_the_other(self):
        host = self.start({"F/__init__.py": """
            import threading
            def main(entry): return threading.current_thread().name
        """}, {"PYTHON_THREADPOOL_THREAD_COUNT": "1"})
        self.assert_success(host.load("F"))
        runs = [host.begin("F", {"entry": {"string": ""}}) for _ in range(20)]
        names = {host.end(run_id)["return_value"]["string"] for run_id in runs}
        self.assertEqual(names, {"function_0"})

    def test_runs_do_not_see_the_context_of_others(self):
        host = self.start({"F/__init__.py": """
            import contextvars
            seen = contextvars.ContextVar("seen", default="nothing")
            def main(entry):
                before = seen.get()
                seen.set(entry)
                return before
        """}, {"PYTHON_THREADPOOL_THREAD_COUNT": "1"})
        self.assert_success(host.load("F"))
        for _ in range(2):
            answer = host.run("F", {"entry": {"string": "x"}})
            self.assertEqual(answer["return_value"], {"string": "nothing"})

    def test_async_functions_share_the_loop(self):
        host = self.start({"F/__init__.py": """
            import asyncio
            arrived = 0
            async def main(entry):
                global arrived
                arrived += 1
                while arrived < 20:
                    await asyncio.sleep(0)
                return arrived
        """})
        self.assert_success(host.load("F"))
        runs = [host.begin("F", {"entry": {"string": ""}}) for _ in range(20)]
        for run_id in runs:
            self.assertEqual(host.end(run_id)["return_value"], {"int": 20})

    def test_status_while_functions_hog_loop_and_pool(self):
        host = self.start({
            "A/__init__.py": """
                import logging, os, time
                async def main(entry):
                    logging.info("here")
                    while not os.path.exists(entry):
                        time.sleep(0.005)
            """,
        })
        self.assert_success(host.load("A"))
        flag = os.path.join(host.root.name, "flag")
        run_id = host.begin("A", {"entry": {"string": flag}})
        host.wait("rpc_log")
        host.send(worker_status_request={})
        host.wait("worker_status_response")
        open(flag, "w").close()
        self.assert_success(host.end(run_id)["result"])

    def test_cancel(self):
        host = self.start({
            "A/__init__.py": """
                import asyncio, logging
                async def main(entry):
                    logging.info("here")
                    try:
                        await asyncio.Event().wait()
                    finally:
                        print("cleaned up")
            """,
            "S/__init__.py": """
                import logging, os, time
                def main(entry):
                    logging.info("here")
                    while not os.path.exists(entry):
                        time.sleep(0.005)
                    return "ran"
            """,
        }, {"PYTHON_THREADPOOL_THREAD_COUNT": "1"})
        for name in "AS":
            self.assert_success(host.load(name))
        run_id = host.begin("A", {"entry": {"string": ""}})
        host.wait("rpc_log")
        host.send(invocation_cancel={"invocation_id": run_id})
        self.assertEqual(host.end(run_id)["result"]["status"], rpc.CANCELLED)
        self.assertIn("cleaned up\n", host.printed())
        at_once = host.begin("A", {"entry": {"string": ""}})
        host.send(invocation_cancel={"invocation_id": at_once})
        self.assertEqual(host.end(at_once)["result"]["status"], rpc.CANCELLED)
        flag = os.path.join(host.root.name, "flag")
        running = host.begin("S", {"entry": {"string": flag}})
        waiting = host.begin("S", {"entry": {"string": flag}})
        host.wait("rpc_log", lambda log: log.get("invocation_id") == running)
        for one in (running, waiting, "unknown"):
            host.send(invocation_cancel={"invocation_id": one})
        self.assertEqual(host.end(waiting)["result"]["status"], rpc.CANCELLED)
        open(flag, "w").close()
        self.assertEqual(host.end(running)["return_value"], {"string": "ran"})

    def test_large_values(self):
        host = self.start({"F/__init__.py": ECHO})
        self.assert_success(host.load("F"))
        text = "x" * (16 << 20)
        answer = host.run("F", {"entry": {"string": text}})
        self.assertEqual(answer["return_value"], {"string": text})


class Logs(WorkerTest):
    def test_levels_loggers_and_invocations(self):
        body = """
            import logging
            {0}def main(entry):
                logging.getLogger("shop.orders").debug("not shown")
                logging.info("info %s", entry)
                logging.getLogger("shop.orders").warning("warning")
                logging.error("error")
                logging.critical("critical")
                try:
                    1 / 0
                except ZeroDivisionError:
                    logging.exception("exception")
        """
        host = self.start({
            "S/__init__.py": body.format(""), "A/__init__.py": body.format("async "),
        })
        for name in "SA":
            self.assert_success(host.load(name))
            runs = [host.begin(name, {"entry": {"string": "\u20ac\0"}}) for _ in range(10)]
            for run_id in runs:
                self.assert_success(host.end(run_id)["result"])
                found = [(log["level"], log["category"]) for log in host.logs(run_id)]
                self.assertEqual(found, [
                    (rpc.INFORMATION, "root"), (rpc.WARNING, "shop.orders"), (rpc.ERROR, "root"),
                    (rpc.CRITICAL, "root"), (rpc.ERROR, "root")])
                self.assertEqual(host.logs(run_id)[0]["message"], "info \u20ac\0")
                self.assertIn("ZeroDivisionError", host.logs(run_id)[4]["message"])

    def test_a_thread_of_the_user_may_say_whose_it_is(self):
        host = self.start({"F/__init__.py": """
            import logging, threading
            def main(entry, context):
                def work():
                    context.thread_local_storage.invocation_id = context.invocation_id
                    logging.info("from a thread")
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
        """})
        self.assert_success(host.load("F"))
        run_id = host.begin("F", {"entry": {"string": ""}})
        host.end(run_id)
        self.assertEqual([log["message"] for log in host.logs(run_id)], ["from a thread"])

    def test_debug_on_request(self):
        host = self.start({"F/__init__.py": """
            import logging
            def main(entry): logging.debug("shown")
        """}, {"PYTHON_ENABLE_DEBUG_LOGGING": "1"})
        self.assert_success(host.load("F"))
        run_id = host.begin("F", {"entry": {"string": ""}})
        host.end(run_id)
        self.assertEqual([log["level"] for log in host.logs(run_id)], [rpc.DEBUG])

    def test_printed_lines_do_not_mingle(self):
        host = self.start({"F/__init__.py": """
            import threading
            barrier = threading.Barrier(8)
            def main(entry):
                barrier.wait(15)
                for _ in range(200):
                    print(entry, entry, entry)
        """})
        self.assert_success(host.load("F"))
        runs = [host.begin("F", {"entry": {"string": "line%d" % i}}) for i in range(8)]
        for run_id in runs:
            self.assert_success(host.end(run_id)["result"])
        lines = host.printed().splitlines()
        self.assertEqual(len(lines), 1600)
        self.assertEqual(set(lines), {" ".join(["line%d" % i] * 3) for i in range(8)})


if __name__ == "__main__":
    unittest.main()
