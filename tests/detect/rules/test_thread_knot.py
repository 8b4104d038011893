"""Threads that wait for each other for good, and near misses: whatever could still wake one makes it unproved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.model.snapshot import Frame, ProcessState, Snapshot, ThreadState
from tests.detect import snapshots as made
from tests.detect.rules.alone import (
    CHILD,
    DRIVER,
    EVENT,
    QUEUE,
    SEMAPHORE,
    child,
    driver,
    only,
    proved,
    samples,
    suspected,
    thread,
)

MAIN, OTHER = made.frame("main", 12, "/app/main.py"), made.frame("flush", 30, "/app/main.py")
WAITS = {"event-never-set": EVENT, "queue-starved": QUEUE, "semaphore-exhausted": SEMAPHORE}


def _waiting(own: tuple[Frame, ...] = EVENT) -> ThreadState:
    return thread((*own, MAIN))


def _locks(first: str, second: str, second_line: Frame = OTHER) -> list[Snapshot]:
    return samples(driver(thread((MAIN,), lock=first), thread((second_line,), number=2, name="flusher", lock=second)))


@pytest.mark.parametrize("name", sorted(WAITS))
def test_a_wait_that_nothing_can_end_is_proved_with_its_line(name: str) -> None:
    finding = only(samples(driver(_waiting(WAITS[name]))))
    assert (finding.hang_class, finding.line, finding.culprit.pid) == (name, MAIN.line, DRIVER)


def test_a_barrier_whose_last_party_is_gone_is_proved_as_an_event_and_a_condition_of_ones_own_is_not() -> None:
    waits = [Frame(name, EVENT[0].file, 327) for name in ("Condition.wait", "Condition.wait_for", "Barrier._wait")]
    finding = only(samples(driver(_waiting((*waits, Frame("Barrier.wait", EVENT[0].file, 700))))))
    assert (finding.hang_class, finding.line) == ("event-never-set", MAIN.line)
    assert suspected(samples(driver(_waiting(tuple(waits[:2]))))) == []


def test_two_threads_on_two_locks_are_a_cycle() -> None:
    finding = only(_locks("0x10", "0x20"))
    assert (finding.hang_class, finding.line) == ("lock-cycle", MAIN.line)


def test_two_threads_on_one_lock_are_no_cycle() -> None:
    assert suspected(_locks("0x10", "0x10")) == []


@pytest.mark.parametrize(("first", "second"), [("", ""), ("0x10", "")])
def test_locks_that_the_kernel_does_not_tell_apart_are_suspected_only(first: str, second: str) -> None:
    assert suspected(_locks(first, second)) == ["lock-cycle"]


def test_two_threads_at_one_line_are_no_cycle() -> None:
    assert suspected(_locks("0x10", "0x20", MAIN)) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"signal_handlers": ("SIGALRM",)},
        {"outside_connections": ("198.51.100.7:443",)},
        {"children": (4711,)},
        {"state": "D"},
        {"state": "?"},
        {"descriptors_unknown": "not permitted"},
        {"threads_unknown": "py-spy failed"},
    ],
    ids=lambda fields: next(iter(fields)),
)
@pytest.mark.parametrize("name", sorted(WAITS))
def test_what_could_wake_it_from_elsewhere_unproves_it(name: str, fields: dict[str, object]) -> None:
    pair = samples(driver(_waiting(WAITS[name])))
    assert proved(pair) == [name]
    assert proved(made.changed(pair, DRIVER, **fields)) == []


def test_a_handler_that_was_there_at_the_first_sample_unproves_it() -> None:
    earlier, later = samples(driver(_waiting()))
    (handled,) = made.changed([earlier], DRIVER, signal_handlers=("SIGUSR1",))
    assert proved([handled, later]) == []


def test_a_thread_that_runs_no_python_and_could_call_into_it_leaves_a_suspicion() -> None:
    pair = samples(driver(_waiting()))
    for at in (0, 1):
        one = [*pair]
        (one[at],) = made.changed([pair[at]], DRIVER, foreign_threads=("poll",))
        assert suspected(one) == ["event-never-set"]
    assert suspected(made.changed(pair, DRIVER, foreign_threads=("not known",))) == ["event-never-set"]


@pytest.mark.parametrize(
    "other",
    [
        thread((OTHER,), number=2, name="t", wait="sleep"),
        thread((OTHER,), number=2, name="t", wait="poll"),
        thread((OTHER,), number=2, name="t", wait="running"),
        thread((OTHER,), number=2, name="t", wait=""),
        thread((OTHER,), number=2, name="t", wait="other"),
        replace(thread((OTHER,), number=2, name="t"), kernel_wait_ends=True),
    ],
    ids=["sleeps", "polls", "runs", "unreadable", "a lock of several processes", "a timed lock"],
)
def test_a_thread_that_could_wake_it_unproves_it(other: ThreadState) -> None:
    assert proved(samples(driver(_waiting(), other))) == []


def test_a_wait_with_a_deadline_is_not_proved() -> None:
    assert proved(samples(driver(replace(_waiting(), kernel_wait_ends=True)))) == []


def test_a_wait_whose_kind_neither_kernel_nor_locals_tell_is_not_proved() -> None:
    unread = replace(_waiting(), kernel_wait="", kernel_wait_ends=None)
    assert proved(samples(driver(unread))) == []


def test_a_thread_that_moved_between_the_samples_is_not_proved() -> None:
    earlier, later = samples(driver(_waiting()))
    (moved,) = made.changed([later], DRIVER, threads=(thread((*EVENT, replace(MAIN, line=13))),))
    assert proved([earlier, moved]) == []


def test_a_thread_that_came_between_the_samples_unproves_it() -> None:
    earlier, later = samples(driver(_waiting()))
    (more,) = made.changed([later], DRIVER, threads=(_waiting(), thread((OTHER,), number=2, name="t")))
    assert proved([earlier, more]) == []


def test_a_recycled_pid_is_another_process_and_not_proved() -> None:
    earlier, later = samples(driver(_waiting()))
    (recycled,) = made.changed([later], DRIVER, started_at=500.0)
    assert proved([earlier, recycled]) == []


def _with_child(parent_wait: str) -> list[ProcessState]:
    parent = driver(thread((MAIN,), wait=parent_wait), children=(CHILD,))
    return [parent, child(thread((*EVENT, OTHER), number=CHILD))]


@pytest.mark.parametrize("parent_wait", ["sleep", "child", "running"])
def test_a_child_that_waits_for_good_but_that_no_chain_of_waits_comes_to_is_no_proof(parent_wait: str) -> None:
    assert proved(samples(*_with_child(parent_wait))) == []


def test_a_driver_in_a_knot_while_something_of_the_run_works_is_no_proof() -> None:
    pair = made.pair([driver(_waiting()), made.process(made.TRAIN, made.serving())], [])
    pair = [replace(sample, actors=()) for sample in pair]
    (busy,) = made.changed([pair[1]], made.TRAIN, cpu_seconds=2.9)
    assert proved([pair[0], busy]) == []


def test_two_waits_of_different_kinds_name_no_single_cause() -> None:
    other = thread((*QUEUE, OTHER), number=2, name="t")
    assert suspected(samples(driver(_waiting(), other))) == []


def test_a_join_of_a_thread_is_not_the_cause() -> None:
    join = Frame("Thread._wait_for_tstate_lock", "/usr/lib/python3.11/threading.py", 1139)
    finding = only(samples(driver(thread((join, MAIN)), thread((*EVENT, OTHER), number=2, name="t"))))
    assert (finding.hang_class, finding.line) == ("event-never-set", OTHER.line)
