"""What the reader says of a process from outside is what the process says of itself, on every Python that is here."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from typing import Any

import pytest

from monitor.inspection.asyncio_reader import TaskReading, read_tasks
from monitor.inspection.responder import _loop, _task
from monitor.model.snapshot import AsyncioTask, EventLoopState
from tests.inspection.asyncio_reader.targets import PYTHONS, python, target

BETTER_FROM_OUTSIDE = "next of"
"""A default of `anext` stands between coroutine and generator: the hooks don't look through it, the reader does."""
SECONDS = 30.0


def _both(which: str, *words: str) -> tuple[TaskReading, dict[str, Any]]:
    interpreter = python(which)
    if interpreter is None:
        pytest.skip(f"no Python {which} here")
    with target(interpreter, *words) as (pid, told):
        reading = read_tasks(pid, timeout=SECONDS)
    assert reading.unknown == "" and told["errors"] == []
    assert (reading.torn, reading.left_out, told["left_out"]) == (0, 0, 0)
    return reading, told


def _by_name(tasks: Any) -> dict[str, AsyncioTask]:
    return {task.key: replace(task, waits_for=tuple(sorted(task.waits_for))) for task in tasks}


def _agree(reading: TaskReading, told: dict[str, Any]) -> None:
    """Name, every frame's function, file and line, leaf, loop and the tasks waited for."""
    read, truth = _by_name(reading.tasks), _by_name(map(_task, told["tasks"]))
    assert sorted(task.name for task in read.values()) == sorted(task.name for task in truth.values())
    for key, task in truth.items():
        if task.name != BETTER_FROM_OUTSIDE:
            assert read[key] == task


def _settled(loop: EventLoopState) -> EventLoopState:
    """Without what passes between the two looks."""
    return replace(loop, next_timer_seconds=None, blocked_seconds=None)


def _loops_agree(reading: TaskReading, told: dict[str, Any]) -> None:
    read = {loop.loop: loop for loop in reading.loops}
    truth = {loop.loop: loop for loop in map(_loop, told["loops"])}
    assert {key: _settled(loop) for key, loop in read.items()} == {key: _settled(loop) for key, loop in truth.items()}
    for key, loop in truth.items():
        for one, other in ((read[key].next_timer_seconds, loop.next_timer_seconds),):
            assert (one is None) == (other is None)
            assert one is None or other is None or abs(one - other) < SECONDS


@pytest.mark.parametrize("which", PYTHONS)
def test_every_pending_task_and_loop_of_a_quiet_process_is_read_as_it_tells_them(which: str) -> None:
    reading, told = _both(which, "quiet")
    assert len(reading.tasks or ()) >= 30
    _agree(reading, told)
    _loops_agree(reading, told)


@pytest.mark.parametrize("which", PYTHONS)
def test_a_blocked_loop_has_its_age_its_stack_and_the_task_that_blocks_it(which: str) -> None:
    reading, told = _both(which, "blocked")
    _agree(reading, told)
    (mine,) = [loop for loop in reading.loops if loop.thread == "MainThread"]
    (truth,) = [loop for loop in map(_loop, told["loops"]) if loop.loop == mine.loop]
    assert mine.blocked_seconds is not None and truth.blocked_seconds is not None
    assert truth.blocked_seconds <= mine.blocked_seconds < truth.blocked_seconds + SECONDS
    (culprit,) = [task for task in reading.tasks or () if task.name == "blocks"]
    assert culprit.waits_on == "running"
    assert [frame.function.rpartition(".")[2] for frame in culprit.frames][:2] == ["blocks", "blocking"]


@pytest.mark.parametrize("which", ["3.12", "3.13"])
def test_tasks_that_began_eagerly_are_read_like_all_others(which: str) -> None:
    _agree(*_both(which, "eager"))


@pytest.mark.parametrize("which", PYTHONS)
def test_a_generator_behind_anext_with_a_default_is_looked_through(which: str) -> None:
    reading, _ = _both(which, "quiet")
    (task,) = [task for task in reading.tasks or () if task.name == BETTER_FROM_OUTSIDE]
    assert [frame.function for frame in task.frames] == ["next_of", "numbers", "Event.wait"]
    assert task.waits_on == "event"


def test_tasks_under_uvloop_are_read_and_what_it_keeps_in_c_is_said() -> None:
    if importlib.util.find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed")
    reading, told = _both("{}.{}".format(*sys.version_info), "quiet", "uvloop")
    _agree(reading, told)
    (mine,) = [loop for loop in reading.loops if loop.thread == "MainThread"]
    assert mine.running and "in C" in mine.unreadable
