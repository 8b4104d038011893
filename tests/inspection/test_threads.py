"""Threads from outside: waits, loops and their age in a real process; a py-spy that is missing, refused or hanging."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from monitor.inspection.threads import ThreadReading, parse_dump, read_threads
from monitor.model.snapshot import ThreadState
from tests.inspection.asyncio_reader.targets import python

WAITS = """
import asyncio, socket, threading, time
pair = socket.socketpair()
def on_an_event(): threading.Event().wait()
def with_a_deadline(): threading.Event().wait(3600)
def asleep(): time.sleep(3600)
def on_a_socket(): pair[0].recv(1)
def idle_loop(): asyncio.new_event_loop().run_forever()
def timed_loop(): asyncio.run(asyncio.sleep(3600))
def blocked_loop():
    loop = asyncio.new_event_loop()
    loop.call_soon(time.sleep, 3600)
    loop.run_forever()
for target in (on_an_event, with_a_deadline, asleep, on_a_socket, idle_loop, timed_loop, blocked_loop):
    threading.Thread(target=target, name=target.__name__, daemon=True).start()
print("up", flush=True)
time.sleep(3600)
"""


@pytest.fixture(scope="module", params=["3.10", "own"])
def waiting(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """This interpreter, and Python 3.10, whose thread states hold no kernel id."""
    interpreter = sys.executable if request.param == "own" else python(request.param)
    if interpreter is None:
        pytest.skip(f"Python {request.param} is not here")
    child = subprocess.Popen([interpreter, "-c", WAITS], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"up\n"
    yield child
    child.kill()
    child.communicate()


def _at_rest(threads: dict[str, ThreadState]) -> bool:
    idle = threads["idle_loop"].loop_idle and threads["timed_loop"].loop_idle
    return idle and not any(thread.active for thread in threads.values())


def _threads(pid: int) -> dict[str, ThreadState]:
    """Read until every thread has come to its wait."""
    for _ in range(100):
        reading = read_threads(pid, timeout=30.0)
        assert reading.unknown == ""
        threads = {thread.name: thread for thread in reading.threads}
        if len(threads) == 8 and _at_rest(threads):
            return threads
    raise AssertionError("the threads did not come to rest")


def test_loops_are_told_idle_or_blocked_with_their_age(waiting: subprocess.Popen[bytes]) -> None:
    threads = _threads(waiting.pid)
    loops = {
        name: (thread.loop_idle, thread.loop_blocked_seconds) for name, thread in threads.items() if thread.runs_loop
    }
    assert set(loops) == {"idle_loop", "timed_loop", "blocked_loop"}
    assert loops["idle_loop"] == (True, None)
    assert loops["timed_loop"] == (True, None)
    idle, age = loops["blocked_loop"]
    assert not idle and age is not None and 0 <= age < 3600


def test_the_kernel_tells_which_waits_end_by_themselves(waiting: subprocess.Popen[bytes]) -> None:
    threads = _threads(waiting.pid)
    waits = {name: (thread.kernel_wait, thread.kernel_wait_ends) for name, thread in threads.items()}
    assert waits["on_an_event"] == ("lock", False)
    assert waits["with_a_deadline"] == ("lock", True)
    assert waits["asleep"] == ("sleep", True)
    assert waits["on_a_socket"] == ("read", None)
    assert waits["idle_loop"] == ("poll", False)
    assert waits["timed_loop"] == ("poll", True)
    assert waits["blocked_loop"] == ("sleep", True)


def test_each_thread_has_a_kernel_id_of_its_own(waiting: subprocess.Popen[bytes]) -> None:
    ids = {thread.thread_id for thread in _threads(waiting.pid).values()}
    assert ids == set(map(int, os.listdir(f"/proc/{waiting.pid}/task")))


def test_an_only_thread_without_a_name_is_the_main_thread() -> None:
    interpreter = python("3.10")
    if interpreter is None:
        pytest.skip("Python 3.10 is not here")
    code = "import time; print('up', flush=True); time.sleep(3600)"
    with subprocess.Popen([interpreter, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"up\n"
        try:
            (thread,) = read_threads(child.pid, timeout=30.0).threads
            assert (thread.name, thread.thread_id) == ("", child.pid)
        finally:
            child.kill()


def test_frames_are_innermost_first_with_locals_of_the_wait(waiting: subprocess.Popen[bytes]) -> None:
    threads = _threads(waiting.pid)
    assert threads["on_an_event"].frames[0].function.endswith("wait")
    assert threads["on_an_event"].frames[0].file.endswith("threading.py")
    assert threads["on_an_event"].locals_repr["timeout"] == "None"
    assert threads["with_a_deadline"].locals_repr["timeout"] == "3600"


def test_a_stopped_process_is_read_all_the_same(waiting: subprocess.Popen[bytes]) -> None:
    os.kill(waiting.pid, signal.SIGSTOP)
    try:
        reading = read_threads(waiting.pid, timeout=30.0)
    finally:
        os.kill(waiting.pid, signal.SIGCONT)
    assert reading.unknown == "" and "blocked_loop" in {thread.name for thread in reading.threads}


def test_a_process_that_is_gone_or_no_python_is_said() -> None:
    child = subprocess.Popen(["sleep", "600"])
    try:
        assert "no Python interpreter" in read_threads(child.pid, timeout=30.0).unknown
    finally:
        child.kill()
        child.wait()
    assert "is gone" in read_threads(child.pid).unknown


def _with(code: str, timeout: float = 30.0) -> ThreadReading:
    return read_threads(os.getpid(), timeout=timeout, command=[sys.executable, "-c", code])


def test_a_missing_a_hanging_and_a_refused_py_spy_are_said() -> None:
    assert "not installed" in read_threads(os.getpid(), command=[]).unknown
    assert "can't be started" in read_threads(os.getpid(), command=["/nowhere/py-spy"]).unknown
    assert "no answer within 0.5 s" in _with("import time; time.sleep(600)", 0.5).unknown
    refused = _with("import sys; sys.exit('Error: Permission Denied: Try running again with elevated permissions')")
    assert "not permitted" in refused.unknown and "ptrace_scope" in refused.unknown
    assert "py-spy failed: Error: odd" in _with("import sys; sys.exit('Error: odd')").unknown
    assert "can't be read" in _with("print('[{\"frames\": [{}]}]')").unknown
    assert "can't be read" in _with("print('no json')").unknown


def _dump(name: str, frames: list[tuple[str, str]], active: bool = False) -> ThreadState:
    document = [
        {
            "thread_name": name,
            "os_thread_id": None,
            "active": active,
            "owns_gil": False,
            "frames": [{"name": f, "filename": file, "line": 1, "locals": []} for f, file in frames],
        }
    ]
    return parse_dump(1, document, 100.0)[0]


def test_uvloop_shows_no_run_once_so_its_age_stays_unknown() -> None:
    bootstrap = ("Thread.run", "/usr/lib/python3.11/threading.py")
    idle = _dump("AsyncIO Thread: default", [bootstrap])
    assert (idle.runs_loop, idle.loop_idle, idle.loop_blocked_seconds) == (True, True, None)
    blocked = _dump("AsyncIO Thread: default", [("Server.step", "/home/me/server.py"), bootstrap])
    assert (blocked.runs_loop, blocked.loop_idle, blocked.loop_blocked_seconds) == (True, False, None)
    main = _dump(
        "MainThread", [("Runner.run", "/usr/lib/python3.11/asyncio/runners.py"), ("run", "/x/uvloop/__init__.py")]
    )
    assert (main.runs_loop, main.loop_idle) == (True, True)
    by_policy = _dump("MainThread", [("Runner.run", "/x/asyncio/runners.py"), ("fit", "/home/me/trainer.py")])
    assert (by_policy.runs_loop, by_policy.loop_idle) == (True, True), "asyncio.run, and uvloop only in its policy"
    assert not _dump("worker", [bootstrap]).runs_loop
    assert not _dump("AsyncIO Thread: default", []).runs_loop, "no frames: nothing is known"


def test_a_ray_get_whose_refs_cannot_be_read_says_so() -> None:
    waiting = _dump("MainThread", [("Worker.get_objects", "/x/ray/_private/worker.py")])
    assert waiting.waiting_refs == () and "no locals" in waiting.refs_unreadable
    assert _dump("MainThread", [("get_objects", "/home/me/worker.py")]).refs_unreadable == ""
