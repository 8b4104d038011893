"""Kill -9 of the watch and of the dashboard in every phase: the run goes on, the ledger loses and doubles nothing."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from tests.end_to_end.command import LASTSTEP, environment, laststep, processes_of, unwatched_demo
from tests.pty.terminal import Terminal

pytestmark = [pytest.mark.real, pytest.mark.torch]

STEPS = 6


def phases_begun(folder: Path) -> list[tuple[int, str]]:
    """Phases in the order in which the hooks saw them begin."""
    begun = []
    for path in (folder / "run" / "hooks").glob("*.events.jsonl"):
        for line in path.read_text().splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if event["kind"] == "phase_begin":
                    begun.append((event["at"], event["step"], event["phase"]))
    return [(step, phase) for _, step, phase in sorted(begun)]


class Killable(Protocol):
    """A process that can be killed and waited for."""

    def kill_hard(self) -> None: ...


@dataclass
class Victim:
    """A process of laststep that is killed and started anew."""

    start: Callable[[], Killable]
    process: Killable | None = None
    killed_in: set[str] = field(default_factory=set)

    def kill_and_restart(self, phase: str) -> None:
        """kill -9, once in each phase."""
        if self.process is not None:
            self.process.kill_hard()
        self.process = self.start()
        self.killed_in.add(phase)


class WatchProcess:
    """A watch of our own, so that it can be killed by pid."""

    def __init__(self, folder: Path, address: str) -> None:
        with (folder / "watch.log").open("ab") as log:
            words = [*LASTSTEP, "watch", "--ray", address, "--wait", "60"]
            self.process = subprocess.Popen(words, stdout=log, stderr=log, env=environment())

    def kill_hard(self) -> None:
        """kill -9, and reap."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class DashboardProcess:
    """A dashboard in a terminal of its own."""

    def __init__(self) -> None:
        self.terminal = Terminal(LASTSTEP, environment=environment())

    def kill_hard(self) -> None:
        """kill -9; the terminal goes with it."""
        if not self.terminal.ended():
            self.terminal.kill(signal.SIGKILL)
        self.terminal.wait_exit()
        self.terminal.hang_up()


def kill_through_all_phases(folder: Path, victim: Victim, demo: subprocess.Popen[bytes]) -> None:
    """Kill at the first sight of each phase, until the run has ended."""
    while demo.poll() is None:
        begun = phases_begun(folder)
        if begun and begun[-1][1] not in victim.killed_in:
            victim.kill_and_restart(begun[-1][1])
        time.sleep(0.01)


def test_killing_the_watch_in_every_phase_loses_and_doubles_nothing(own_folders: Path) -> None:
    with unwatched_demo(own_folders, STEPS) as (demo, address):
        victim = Victim(lambda: WatchProcess(own_folders, address))
        victim.process = victim.start()
        kill_through_all_phases(own_folders, victim, demo)
        assert demo.returncode == 0, (own_folders / "demo.log").read_text()
    last = victim.process
    assert isinstance(last, WatchProcess)
    assert last.process.wait(timeout=90) == 0, (own_folders / "watch.log").read_text()
    assert victim.killed_in >= {"gen", "update_actor", "testing"}
    from monitor.ledger.store import Ledger

    with Ledger.open(read_only=True) as ledger:
        (summary,) = ledger.runs()
        state = ledger.run(summary.name)
        scores = ledger.scores(summary.name)
        spans = ledger.spans(summary.name)
        assert list(ledger.findings(summary.name)) == []
    assert state.ended_at is not None
    assert [score.step for score in scores] == [0, STEPS]
    assert sorted((span.step, span.phase) for span in spans) == sorted(set(phases_begun(own_folders)))
    assert processes_of(own_folders) == []


def test_killing_the_dashboard_in_every_phase_harms_neither_run_nor_watch(own_folders: Path) -> None:
    victim = Victim(DashboardProcess)
    watch: WatchProcess | None = None
    try:
        with unwatched_demo(own_folders, STEPS) as (demo, address):
            watch = WatchProcess(own_folders, address)
            kill_through_all_phases(own_folders, victim, demo)
            assert demo.returncode == 0, (own_folders / "demo.log").read_text()
        assert watch.process.wait(timeout=90) == 0
    finally:
        if victim.process is not None:
            victim.process.kill_hard()
        if watch is not None and watch.process.poll() is None:
            watch.kill_hard()
    scores = laststep("scores", "--json").document["runs"][0]["scores"]
    assert [score["step"] for score in scores] == [0, STEPS]
