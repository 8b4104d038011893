"""`lost-wakeup` in a driver that is nothing but its own event loop: proved where its tasks alone are left, else not."""

from __future__ import annotations

from dataclasses import replace

from monitor.model.snapshot import EventLoopState, ProcessState, Snapshot, ThreadState
from tests.detect import snapshots as made
from tests.detect.made_threads import frame, idle_loop
from tests.detect.rules.alone import DRIVER, SEMAPHORE, driver, only, proved, samples, thread

WAITS = frame("receive", 63, "/app/main.py")
LOOP = replace(idle_loop(), name="MainThread", thread_id=DRIVER)


def _driver(*threads: ThreadState, **fields: object) -> ProcessState:
    """A driver in `asyncio.run`, whose main task gathers one that waits on an event."""
    outer = made.task("a", "gather", frame("main", 70, "/app/main.py"), waits_for=("b",))
    tasks = (outer, made.task("b", "event", WAITS))
    loops = (EventLoopState("loop", "MainThread", True, pending_tasks=2),)
    return replace(driver(*(threads or (LOOP,)), tasks=tasks, loops=loops), **fields)  # type: ignore[arg-type]


def _pair(*threads: ThreadState, **fields: object) -> list[Snapshot]:
    return samples(_driver(*threads, **fields))


def test_an_event_that_no_task_is_left_to_set_is_lost_with_its_line() -> None:
    finding = only(_pair())
    assert (finding.hang_class, finding.culprit.pid, finding.line) == ("lost-wakeup", DRIVER, WAITS.line)


def test_the_holder_of_a_lock_is_blamed_and_not_who_waits_for_it() -> None:
    tasks = (made.task("a", "lock", frame("main", 70, "/app/main.py")), made.task("b", "event", WAITS))
    assert only(_pair(tasks=tasks)).line == WAITS.line


def test_a_timer_a_descriptor_a_signal_or_a_child_may_still_wake_it() -> None:
    timed = (EventLoopState("loop", "MainThread", True, timers=1, pending_tasks=2),)
    watching = (EventLoopState("loop", "MainThread", True, readers=1, pending_tasks=2),)
    for fields in ({"loops": timed}, {"loops": watching}, {"signal_handlers": ("SIGUSR1",)}, {"children": (77,)}):
        assert proved(_pair(**fields)) == []


def test_another_thread_that_sleeps_or_runs_no_python_may_still_wake_it() -> None:
    sleeper = replace(thread((frame("later", 9),), number=2, name="Thread-1", wait="sleep"), kernel_wait_ends=True)
    assert proved(_pair(LOOP, sleeper)) == []
    assert proved(_pair(foreign_threads=("poll",))) == []


def test_a_thread_at_work_may_be_the_cause_of_what_a_task_waits_for() -> None:
    pool = thread((*SEMAPHORE, frame("score", 40, "/app/main.py")), number=2, name="pool_0")
    future = (made.task("b", "future", WAITS),)
    assert "lost-wakeup" not in proved(_pair(LOOP, pool))
    assert proved(_pair(LOOP, pool, tasks=future)) == ["semaphore-exhausted"]


def test_a_loop_beside_a_main_thread_that_does_other_things_is_not_what_the_run_waits_for() -> None:
    waiting = thread((frame("main", 12, "/app/main.py"),), wait="sleep")
    assert proved(_pair(replace(waiting, kernel_wait_ends=True), idle_loop())) == []
