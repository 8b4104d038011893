"""Ending the processes of a plan: in which order, and that no other process is hit."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from monitor.ledger.process_identity import start_ticks
from monitor.rerun.stop_plan import StopPlan, StopTarget
from monitor.rerun.stopping import send, stop

SLEEPS = "import time; print(1, flush=True); time.sleep(600)"
OBEYS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); " + SLEEPS
"""Started in the background of a script, a process ignores SIGINT from its start."""
DEAF = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; " + SLEEPS


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """A list for a test's own processes; ended after it."""
    children: list[subprocess.Popen[bytes]] = []
    yield children
    for child in children:
        child.kill()
        child.wait()


def begin(started: list[subprocess.Popen[bytes]], code: str) -> StopTarget:
    """One process that is ready."""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    started.append(child)
    assert child.stdout is not None
    assert child.stdout.readline() == b"1\n"
    return StopTarget(child.pid, start_ticks(child.pid), f"{len(started)}")


def plan(driver: StopTarget, *others: StopTarget) -> StopPlan:
    """A plan of them."""
    return StopPlan("small-1", "01", "hang", driver, others, (), None, 4)


def no_sleep(_seconds: float) -> None:
    """Waiting for a signal that is ignored is not what is tested."""


def test_a_driver_that_obeys_is_asked_once_and_nothing_is_killed(started: list[subprocess.Popen[bytes]]) -> None:
    done = stop(plan(begin(started, OBEYS)), lambda _text: None)
    assert done.left == ()
    assert [text.split()[0] for text in done.said] == ["SIGINT"]


def test_what_ignores_being_asked_is_killed_last(started: list[subprocess.Popen[bytes]]) -> None:
    done = stop(plan(begin(started, DEAF), begin(started, DEAF)), lambda _text: None, no_sleep)
    words = [text.split()[0] for text in done.said]
    assert words[:3] == ["SIGINT", "SIGTERM", "SIGKILL"]
    assert [child.wait(30) for child in started] == [-9, -9]


def test_a_stopped_worker_is_ended(started: list[subprocess.Popen[bytes]]) -> None:
    driver, worker = begin(started, SLEEPS), begin(started, SLEEPS)
    started[1].send_signal(signal.SIGSTOP)
    stop(plan(driver, worker), lambda _text: None)
    assert started[1].wait(30) == -9


def test_a_pid_that_was_given_to_another_process_is_not_touched(started: list[subprocess.Popen[bytes]]) -> None:
    target = begin(started, SLEEPS)
    reused = dataclasses.replace(target, start_ticks=target.start_ticks - 1)
    assert not send(reused, signal.SIGKILL)
    assert stop(plan(reused), lambda _text: None).said == ()
    assert started[0].poll() is None
