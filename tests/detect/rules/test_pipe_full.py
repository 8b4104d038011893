"""A child in a full pipe that its parent does not read, and parents that still might."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from monitor.model.snapshot import BlockedCall, ProcessState, Snapshot, ThreadState
from tests.detect import snapshots as made
from tests.detect.rules.alone import CHILD, DRIVER, child, driver, only, proved, samples, thread

WAITS = made.frame("main", 20, "/app/main.py")
WRITES = BlockedCall(CHILD, "write", "pipe:[4711]", (DRIVER,))
MAIN = thread((WAITS,), wait="child")


def _pair(*threads: ThreadState, call: BlockedCall = WRITES, **parent: object) -> list[Snapshot]:
    writer = thread((made.frame("put", 3, "/app/child.py"),), number=CHILD, wait="write")
    own: dict[str, object] = {"children": (CHILD,), **parent}
    return samples(driver(*(threads or (MAIN,)), **own), child(writer, blocked_calls=(call,)))


def test_a_parent_that_waits_for_the_child_whose_pipe_it_does_not_read_is_proved() -> None:
    finding = only(_pair())
    assert (finding.hang_class, finding.line, finding.culprit.pid) == ("pipe-full", WAITS.line, DRIVER)
    assert only(_pair(MAIN, thread((WAITS,), number=2, name="t"))).hang_class == "pipe-full"


@pytest.mark.parametrize("wait", ["sleep", "read", "poll", "write", "running", "other", "lock", ""])
def test_a_parent_in_any_other_wait_may_read_the_pipe_in_a_moment(wait: str) -> None:
    assert proved(_pair(thread((WAITS,), wait=wait))) == []


@pytest.mark.parametrize("wait", ["sleep", "read", "poll", "write", "running", "other", ""])
def test_another_thread_of_the_parent_may_read_it(wait: str) -> None:
    assert proved(_pair(MAIN, thread((WAITS,), number=2, name="t", wait=wait))) == []


def test_a_thread_of_the_parent_on_a_timed_lock_may_read_it() -> None:
    timed = replace(thread((WAITS,), number=2, name="t"), kernel_wait_ends=True)
    assert proved(_pair(MAIN, timed)) == []


def test_a_parent_that_read_at_the_first_sample_may_read_again() -> None:
    earlier, later = _pair()
    (reading,) = made.changed([earlier], DRIVER, threads=(MAIN, thread((WAITS,), number=2, name="t", wait="read")))
    assert proved([reading, later]) == []


@pytest.mark.parametrize(
    "call",
    [
        replace(WRITES, held_by=()),
        replace(WRITES, held_by=(99,)),
        replace(WRITES, held_by=(DRIVER, 99)),
        replace(WRITES, held_by=(DRIVER, CHILD)),
        replace(WRITES, target=""),
        replace(WRITES, target="socket:[4711]"),
        replace(WRITES, call="read"),
    ],
    ids=["nobody seen", "not read", "one not read", "the child too", "unknown", "a socket", "a read"],
)
def test_readers_that_are_not_known_or_not_the_parent_alone_unprove_it(call: BlockedCall) -> None:
    assert proved(_pair(call=call)) == []


def test_a_write_that_ended_between_the_samples_unproves_it() -> None:
    earlier, later = _pair()
    (other,) = made.changed([earlier], CHILD, blocked_calls=())
    assert proved([other, later]) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"children": (CHILD, 8)},
        {"children": ()},
        {"threads": ()},
        {"threads_unknown": "py-spy failed"},
        {"signal_handlers": ("SIGALRM",)},
        {"foreign_threads": ("poll",)},
        {"started_at": 500.0},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_parent_of_which_more_may_be_going_on_unproves_it(fields: dict[str, object]) -> None:
    earlier, later = _pair()
    (changed,) = made.changed([later], DRIVER, **fields)
    assert proved([earlier, changed]) == []


def _of(pid: int, change: Callable[[ProcessState], ProcessState], sample: Snapshot) -> Snapshot:
    return replace(sample, processes=tuple(change(item) if item.pid == pid else item for item in sample.processes))


def test_a_parent_that_moved_between_the_samples_unproves_it() -> None:
    earlier, later = _pair()
    moved = _of(DRIVER, lambda item: replace(item, threads=(thread((replace(WAITS, line=21),), wait="child"),)), later)
    assert proved([earlier, moved]) == []
