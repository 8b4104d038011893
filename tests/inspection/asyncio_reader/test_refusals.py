"""What can't be read is said, with the reason, and never a crash: no permission, no Python, another layout, gone."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitor.inspection import asyncio_reader
from monitor.inspection.asyncio_reader import image, layouts, read_tasks
from monitor.inspection.asyncio_reader import target as described
from monitor.inspection.asyncio_reader.errors import NotReadable
from monitor.inspection.asyncio_reader.self_check import disagreement
from monitor.inspection.process_memory import MemoryUnreadable
from tests.inspection.asyncio_reader.targets import python, target

NOBODY = 65534
READS = """
import os, sys
sys.path[:0] = sys.argv[2:]
os.setuid({uid})
from monitor.inspection.asyncio_reader import read_tasks
reading = read_tasks(int(sys.argv[1]))
print(reading.not_permitted, reading.unknown)
"""
UNDUMPABLE = """
import ctypes, os, sys, time
os.setuid({uid})
ctypes.CDLL(None).prctl(4, {dumpable}, 0, 0, 0)
print("ready", flush=True)
time.sleep(60)
"""


def _mine() -> str:
    found = python("{}.{}".format(*sys.version_info))
    assert found is not None
    return found


def test_a_process_that_is_gone_is_said_to_be_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert "is gone" in read_tasks(child.pid).unknown


def test_a_process_without_python_is_told_as_one() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        reading = read_tasks(child.pid)
    finally:
        child.kill()
        child.wait()
    assert reading.tasks is None and "no Python interpreter" in reading.unknown


def test_a_refusal_of_the_kernel_is_said_with_what_would_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, address: int, size: int) -> bytes:
        raise MemoryUnreadable(1, f"Operation not permitted (pid {pid})")

    with target(_mine(), "quiet") as (pid, _):
        assert read_tasks(pid).tasks is not None, "the layout is known before the kernel refuses"
        monkeypatch.setattr(image, "read", refuse)
        reading = read_tasks(pid)
    assert reading.not_permitted and reading.tasks is None
    for word in ("not permitted", "ptrace_scope", "SYS_PTRACE", "PR_SET_DUMPABLE", "hooks"):
        assert word in reading.unknown


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start processes of another uid")
@pytest.mark.parametrize(("dumpable", "forbidden"), [(0, True), (1, False)])
def test_without_root_an_undumpable_process_of_the_same_uid_is_refused_and_another_is_read(
    dumpable: int, forbidden: bool
) -> None:
    # System directories only: the other uid can't look into a home folder.
    debian = python("debian")
    if debian is None:
        pytest.skip("needs an interpreter that every uid can run")
    child = subprocess.Popen(
        [debian, "-c", UNDUMPABLE.format(uid=NOBODY, dumpable=dumpable)], stdout=subprocess.PIPE, text=True, cwd="/"
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        words = [debian, "-c", READS.format(uid=NOBODY), str(child.pid), str(Path(__file__).resolve().parents[3])]
        done = subprocess.run(words, capture_output=True, text=True, cwd="/", timeout=60)
    finally:
        child.kill()
        child.communicate()
    if "PermissionError" in done.stderr or "ModuleNotFoundError" in done.stderr:
        pytest.skip("the repository can't be read by another uid here")
    assert done.stdout.startswith(str(forbidden)), done.stdout + done.stderr


def test_another_uids_interpreter_is_never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(described.os, "geteuid", lambda: os.getuid() + 1)
    reading = read_tasks(os.getpid())
    assert reading.tasks is None and "belongs to uid" in reading.unknown


def test_an_interpreter_that_cannot_be_run_is_said(tmp_path: Path) -> None:
    mine = described.describe(os.getpid())
    broken = dataclasses.replace(mine, executable=str(tmp_path / "gone"))
    with pytest.raises(NotReadable, match="can't be run"):
        layouts._learn(broken)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", "ended without telling"),
        ("echo nonsense; sleep 60", "told no layout"),
        ('echo "[1]"; sleep 60', "told no layout"),
        ("""echo '{"offsets": {"version": [3, 9, 1]}}'; sleep 60""", "only 3.10 to 3.13"),
        ("""echo '{"offsets": {}}'; sleep 60""", "can't be used"),
        ("""echo '{"unlike": "a free-threaded build"}'; sleep 60""", "free-threaded"),
        ("yes | tr -d '\\n'", "ended without telling"),
        ("exec sleep 60", "no layout within"),
    ],
)
def test_a_probe_that_answers_nonsense_is_refused_within_its_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    monkeypatch.setattr(layouts, "PROBE_SECONDS", 2.0)
    program = tmp_path / "python3"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    mine = dataclasses.replace(described.describe(os.getpid()), executable=str(program))
    began = time.monotonic()
    with pytest.raises(NotReadable, match=said):
        layouts._learn(mine)
    assert time.monotonic() - began < 30.0


@pytest.mark.parametrize("name", ["future_loop", "task_coroutine", "frame_locals", "code_filename", "runtime_main"])
def test_a_layout_with_one_wrong_offset_fails_its_self_check(name: str) -> None:
    with target(_mine(), "quiet") as (pid, _):
        mine = described.describe(pid)
        layout = layouts.layout_of(mine)
        wrong = dataclasses.replace(layout, at={**layout.at, name: layout.at[name] + 8})
        truth = {"truth": [{"name": "x", "frames": [], "waits_on": "event", "waits_for": []}]}
        assert disagreement(mine, wrong, truth)


def test_every_reading_is_of_the_process_that_was_described(monkeypatch: pytest.MonkeyPatch) -> None:
    with target(_mine(), "quiet") as (pid, _):
        monkeypatch.setattr(asyncio_reader, "is_same", lambda target: False)
        reading = read_tasks(pid)
    assert reading.tasks is None and "another program" in reading.unknown
