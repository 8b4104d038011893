"""A recorder of its own for each test, and a reader of what it wrote. Needs pytest and the standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trainer_hooks import recorder, records

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def fresh_recorder(monkeypatch: pytest.MonkeyPatch) -> recorder.Recorder:
    """This process's recorder, with nothing written yet."""
    fresh = recorder.Recorder()
    monkeypatch.setattr(recorder, "_recorder", fresh)
    return fresh


@pytest.fixture
def written(own_folders: Path) -> Callable[..., list[dict[str, Any]]]:
    """Reads the event lines that any process of the test wrote, in order, of one kind where asked."""

    def read(kind: str | None = None, pid: int | None = None) -> list[dict[str, Any]]:
        files = sorted((own_folders / "run" / "hooks").glob(f"{pid or '*'}-*{records.EVENTS_ENDING}"))
        lines = [json.loads(line) for path in files for line in path.read_text().splitlines() if line.strip()]
        return [line for line in lines if kind in (None, line["kind"])]

    return read


def read_counters(path: Path) -> dict[str, tuple[int, float]]:
    """Counters of a file by the layout in `records`, written without the writer's code."""
    data = path.read_bytes()
    magic, schema, slots, _ = records.COUNTER_HEADER.unpack_from(data)
    assert (magic, schema, slots) == (b"LASTSTEP", 1, 63)
    found = {}
    for number in range(slots):
        name, value, at = records.COUNTER_SLOT.unpack_from(data, 64 + 64 * number)
        if name.strip(b"\0"):
            found[name.strip(b"\0").decode()] = (value, at)
    return found


def ask(pid: int, hooks: Path, question: bytes = records.QUESTION_SNAPSHOT) -> Any:
    """What the responder of `pid` answers."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(hooks / (records.stem(pid, records.start_ticks(pid)) + records.SOCKET_ENDING)))
        client.sendall(question)
        return json.loads(b"".join(iter(lambda: client.recv(65536), b"")))


@dataclass
class Hooked:
    """A process of the test with the hooks in it."""

    process: subprocess.Popen[str]
    hooks: Path

    def socket(self) -> Path:
        """Where its responder listens."""
        return self.hooks / (records.stem(self.process.pid, records.start_ticks(self.process.pid)) + ".sock")

    def ask(self, question: bytes = records.QUESTION_SNAPSHOT) -> Any:
        """What its responder answers."""
        return ask(self.process.pid, self.hooks, question)

    def read_line(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@pytest.fixture
def hooked(own_folders: Path) -> Iterator[Callable[..., Hooked]]:
    """Starts a program with the hooks in it, and waits until it says that it is ready."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *, ready: str = "ready") -> Hooked:
        head = "import trainer_hooks.install\ntrainer_hooks.install.driver()\n"
        process = subprocess.Popen(
            [sys.executable, "-c", head + textwrap.dedent(code)],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        program = Hooked(process, own_folders / "run" / "hooks")
        if ready:
            assert program.read_line() == ready
        return program

    yield start
    for process in started:
        # The group is the test's own: the program and what it started or forked.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
