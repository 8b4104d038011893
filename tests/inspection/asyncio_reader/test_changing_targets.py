"""Targets that become something else while they are read: exec, fork, a pid given to another process; and huge ones.

Real processes; what happens in mid-read is brought about between two steps of the reader.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.inspection import asyncio_reader
from monitor.inspection.asyncio_reader import read_tasks
from monitor.inspection.asyncio_reader.reading import MOST_TASKS, ProcessReader, ProcessTasks
from monitor.inspection.asyncio_reader.target import describe, is_same

SECONDS = 60.0
MANY = 50_000
WAITS = """
import asyncio, os, sys, threading
def command():
    for line in sys.stdin:
        if line.startswith("fork"):
            child = os.fork()
            if not child:
                import time; time.sleep(600)
            print(child, flush=True)
        else:
            os.execv(line.split()[0], line.split())
async def waits(event): await event.wait()
async def main(number):
    event = asyncio.Event()
    kept = [asyncio.ensure_future(waits(event)) for _ in range(number)]
    await asyncio.sleep(0)
    threading.Thread(target=command, daemon=True).start()
    print("ready", flush=True)
    await event.wait()
asyncio.run(main(int(sys.argv[1])))
"""
OTHER = "import time; print('other', flush=True); time.sleep(600)"


@contextlib.contextmanager
def _target(tasks: int) -> Iterator[subprocess.Popen[str]]:
    """A process of this Python with so many tasks that wait for one event, and the one that made them."""
    child = subprocess.Popen(
        [sys.executable, "-c", WAITS, str(tasks)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        start_new_session=True,
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def _told(child: subprocess.Popen[str], command: str) -> str:
    """What the target answers to a command."""
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(command + "\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


def _became(pid: int, program: str) -> None:
    """Wait for the exec: the command line begins with the program only then."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            if file.read().startswith(program.encode() + b"\0"):
                return
        time.sleep(0.01)
    raise AssertionError(f"pid {pid} did not become {program}")


def _exec_sleep(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("/bin/sleep 600\n")
    child.stdin.flush()
    _became(child.pid, "/bin/sleep")


def _before(change: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """The change comes after the process was described and before its memory is read."""

    class Reader(ProcessReader):
        def read(self, deadline: float) -> ProcessTasks:
            change()
            return super().read(deadline)

    monkeypatch.setattr(asyncio_reader, "ProcessReader", Reader)


def _midst(change: Callable[[], object], monkeypatch: pytest.MonkeyPatch, after: int = 5) -> None:
    """The change comes when `after` tasks have been read."""

    class Reader(ProcessReader):
        count = 0

        def _task(self, *arguments: Any) -> Any:
            self.count += 1
            if self.count == after:
                change()
            return super()._task(*arguments)

    monkeypatch.setattr(asyncio_reader, "ProcessReader", Reader)


@pytest.mark.parametrize("when", [_before, _midst])
def test_a_process_that_execs_another_program_in_mid_read_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, when: Callable[..., None]
) -> None:
    with _target(20) as child:
        when(lambda: _exec_sleep(child), monkeypatch)
        reading = read_tasks(child.pid)
        assert reading.tasks is None and reading.unknown
        monkeypatch.undo()
        assert "no Python interpreter" in read_tasks(child.pid).unknown


@pytest.mark.parametrize("when", [_before, _midst])
def test_a_process_that_execs_its_own_interpreter_again_in_mid_read_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: Callable[..., None]
) -> None:
    """Neither pid, nor start time, nor executable change; the old program's addresses mean nothing in the new one."""
    script = tmp_path / "other.py"
    script.write_text(OTHER)
    with _target(20) as child:
        when(lambda: _told(child, f"{os.path.realpath(f'/proc/{child.pid}/exe')} {script}"), monkeypatch)
        reading = read_tasks(child.pid)
        assert reading.tasks is None and reading.unknown
        monkeypatch.undo()
        assert read_tasks(child.pid).tasks == ()


@pytest.mark.parametrize("when", [_before, _midst])
def test_a_process_that_is_killed_in_mid_read_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, when: Callable[..., None]
) -> None:
    def kill() -> None:
        child.kill()
        child.wait()

    with _target(20) as child:
        when(kill, monkeypatch)
        reading = read_tasks(child.pid)
    assert reading.tasks is None and "gone" in reading.unknown


def test_a_fork_in_mid_read_changes_nothing_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with _target(20) as child:
        quiet = read_tasks(child.pid)
        forked: list[str] = []
        _midst(lambda: forked.append(_told(child, "fork")), monkeypatch)
        reading = read_tasks(child.pid)
        monkeypatch.undo()
        assert forked and int(forked[0]) != child.pid
        assert sorted(task.key for task in reading.tasks or ()) == sorted(task.key for task in quiet.tasks or ())
        assert (reading.torn, reading.unknown) == (0, "")


def test_a_pid_that_was_given_to_another_process_is_not_the_one_described() -> None:
    with _target(1) as child:
        mine = describe(child.pid)
        assert is_same(mine)
        assert not is_same(dataclasses.replace(mine, start_ticks=mine.start_ticks - 1))


def test_a_process_that_has_execd_its_own_interpreter_again_is_not_the_one_described(tmp_path: Path) -> None:
    script = tmp_path / "other.py"
    script.write_text(OTHER)
    with _target(1) as child:
        mine = describe(child.pid)
        assert _told(child, f"{os.path.realpath(f'/proc/{child.pid}/exe')} {script}") == "other"
        again = describe(child.pid)
        assert (again.start_ticks, again.identity) == (mine.start_ticks, mine.identity)
        assert not is_same(mine) and is_same(again)


def test_a_pid_recycled_in_mid_read_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with _target(3) as child:
        earlier = dataclasses.replace(describe(child.pid), start_ticks=1)
        monkeypatch.setattr(asyncio_reader, "describe", lambda pid: earlier)
        reading = read_tasks(child.pid)
    assert reading.tasks is None and "another program" in reading.unknown


def test_addresses_kept_of_a_process_are_not_used_for_the_next_one_of_its_pid(monkeypatch: pytest.MonkeyPatch) -> None:
    with _target(3) as child:
        assert len(read_tasks(child.pid).tasks or ()) == 4
        kept = asyncio_reader._modules[child.pid, describe(child.pid).start_ticks]
        kept.update(dict.fromkeys(kept, 0x7F0000000000))
        assert len(read_tasks(child.pid).tasks or ()) == 4, "kept addresses are checked before they are used"


def test_of_fifty_thousand_tasks_the_bound_and_the_deadline_hold_and_what_is_left_out_is_counted() -> None:
    with _target(MANY) as child:
        short = read_tasks(child.pid, timeout=0.0)
        whole = read_tasks(child.pid, timeout=SECONDS)
    for reading in (short, whole):
        assert reading.unknown == "" and reading.tasks is not None
        assert len(reading.tasks) + reading.left_out + reading.torn == MANY + 1
    assert len(short.tasks or ()) == 0
    assert len(whole.tasks or ()) == MOST_TASKS
    assert {task.waits_on for task in whole.tasks or ()} == {"event"}
