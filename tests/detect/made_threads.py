"""Builders of threads as py-spy and the kernel show them, each in one kind of wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.model.snapshot import Frame, ThreadState

PYTHON = "/usr/lib/python3.11"
WORKER = "/env/lib/python3.11/site-packages/ray/_private/workers/default_worker.py"
RAY = "/env/lib/python3.11/site-packages/ray/_private/worker.py"


def frame(function: str, line: int, file: str = "/app/rollout.py") -> Frame:
    """A frame of the run's own code."""
    return Frame(function, file, line)


LOOP_BELOW = (
    Frame("Handle._run", f"{PYTHON}/asyncio/events.py", 84),
    Frame("BaseEventLoop._run_once", f"{PYTHON}/asyncio/base_events.py", 1936),
    Frame("BaseEventLoop.run_forever", f"{PYTHON}/asyncio/base_events.py", 608),
    Frame("Thread.run", f"{PYTHON}/threading.py", 982),
)
GET = (Frame("Worker.get_objects", RAY, 1000), Frame("get", RAY, 2972))


def serving() -> ThreadState:
    """The main thread of an actor that waits for calls."""
    frames = (
        Frame("Worker.main_loop", RAY, 1071),
        Frame("<module>", WORKER, 300),
    )
    return ThreadState(100, "MainThread", True, False, frames, kernel_wait="poll", kernel_wait_ends=False)


def idle_loop() -> ThreadState:
    """An event loop that waits for events, without timers."""
    frames = (Frame("EpollSelector.select", f"{PYTHON}/selectors.py", 468), *LOOP_BELOW[1:])
    return ThreadState(
        101,
        "AsyncIO Thread: default",
        False,
        False,
        frames,
        runs_loop=True,
        loop_idle=True,
        kernel_wait="poll",
        kernel_wait_ends=False,
        cpu_seconds=1.0,
    )


def loop_in(frames: Sequence[Frame], *, wait: str = "lock", ends: bool | None = False, age: float = 4.0) -> ThreadState:
    """An event loop inside a callback."""
    return ThreadState(
        101,
        "AsyncIO Thread: default",
        False,
        False,
        (*frames, *LOOP_BELOW),
        runs_loop=True,
        loop_blocked_seconds=age,
        kernel_wait=wait,
        kernel_wait_ends=ends,
        cpu_seconds=1.0,
    )


def getting(refs: Iterable[str], where: Frame, *, name: str = "MainThread", loop: bool = False) -> ThreadState:
    """A thread in `ray.get`."""
    below = LOOP_BELOW if loop else ()
    return ThreadState(
        101 if loop else 100,
        "AsyncIO Thread: default" if loop else name,
        False,
        False,
        (*GET, where, *below),
        tuple(refs),
        runs_loop=loop,
        loop_blocked_seconds=4.0 if loop else None,
        locals_repr={"timeout": "None", "timeout_ms": "-1"},
        kernel_wait="lock",
        kernel_wait_ends=True,
        cpu_seconds=1.0,
    )
