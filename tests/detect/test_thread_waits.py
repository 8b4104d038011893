"""What one thread does, by the kernel's word and by its stack; what can't be told is unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.detect.thread_waits import Doing, loop_timer, thread_wait
from monitor.model.snapshot import Frame, ThreadState
from tests.detect import snapshots as made

PYTHON = "/usr/lib/python3.11"


def _thread(*frames: Frame, name: str = "worker", **fields: object) -> ThreadState:
    return ThreadState(7, name, False, False, frames, **fields)  # type: ignore[arg-type]


USER = Frame("step", "/app/engine.py", 12)
WAIT = Frame("Condition.wait", f"{PYTHON}/threading.py", 327)
PLAIN_RUN = Frame("run", f"{PYTHON}/threading.py", 953)
"""As Python 3.10 names it: a thread's target or a timer."""
WORKER = Frame("_worker", f"{PYTHON}/concurrent/futures/thread.py", 81)


@pytest.mark.parametrize(
    ("thread", "doing"),
    [
        (_thread(), Doing.SERVICE),
        (made.serving(), Doing.SERVICE),
        (_thread(WORKER), Doing.SERVICE),
        (_thread(USER, name="laststep-responder"), Doing.SERVICE),
        (_thread(WAIT, Frame("TMonitor.run", "/e/lib/python3.11/site-packages/tqdm/_monitor.py", 60)), Doing.SERVICE),
        (_thread(Frame("_WorkItem.run", f"{PYTHON}/concurrent/futures/thread.py", 58), WORKER), Doing.UNKNOWN),
        (_thread(WAIT, Frame("Timer.run", f"{PYTHON}/threading.py", 1376)), Doing.UNKNOWN),
        (_thread(Frame("run", f"{PYTHON}/concurrent/futures/thread.py", 58), WORKER), Doing.UNKNOWN),
        (_thread(Frame("wait", f"{PYTHON}/threading.py", 320), PLAIN_RUN), Doing.UNKNOWN),
        (_thread(Frame("get", f"{PYTHON}/multiprocessing/queues.py", 103), PLAIN_RUN), Doing.SERVICE),
        (made.idle_loop(), Doing.LOOP_IDLE),
        (made.getting(["aa" * 28], USER), Doing.GET),
        (replace(made.getting(["aa" * 28], USER), locals_repr={"timeout_ms": "500"}), Doing.TIMED),
        (replace(made.getting([], USER), refs_unreadable="torn"), Doing.UNKNOWN),
        (_thread(USER, kernel_wait="lock", kernel_wait_ends=False), Doing.LOCK),
        (_thread(USER, kernel_wait="lock", kernel_wait_ends=True), Doing.TIMED),
        (_thread(USER, kernel_wait="sleep", kernel_wait_ends=True), Doing.TIMED),
        (_thread(USER, kernel_wait="poll", kernel_wait_ends=False), Doing.OUTSIDE),
        (_thread(USER, kernel_wait="child"), Doing.OUTSIDE),
        (_thread(USER, kernel_wait="running"), Doing.BUSY),
        (_thread(USER), Doing.UNKNOWN),
        (replace(_thread(USER), active=True), Doing.BUSY),
        (_thread(WAIT, USER, locals_repr={"timeout": "None"}), Doing.LOCK),
        (_thread(WAIT, USER, locals_repr={"timeout": "5.0"}), Doing.TIMED),
        (_thread(WAIT, USER), Doing.UNKNOWN),
        (_thread(Frame("socket.readinto", f"{PYTHON}/socket.py", 706), USER), Doing.OUTSIDE),
    ],
)
def test_a_thread_is_told_by_what_is_known_of_it(thread: ThreadState, doing: Doing) -> None:
    assert thread_wait(thread).doing is doing


def test_a_loops_timer_is_told_by_the_kernel_or_by_the_selectors_timeout() -> None:
    idle = made.idle_loop()
    unknown = replace(idle, kernel_wait="", kernel_wait_ends=None)
    assert loop_timer(idle) is False
    assert loop_timer(replace(idle, kernel_wait_ends=True)) is True
    assert loop_timer(unknown) is None
    assert loop_timer(replace(unknown, locals_repr={"timeout": "-1"})) is False
    assert loop_timer(replace(unknown, locals_repr={"timeout": "0.5"})) is True
