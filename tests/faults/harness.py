"""Faults as small real programs: seeded, run as own children, read twice from outside, judged.

A seed changes a program's names (`name`), depth of calls and line numbers. Its driver stands for the run's driver; no
Ray is started. The culprit's line carries the mark `# culprit`.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.detect.judge import judge
from monitor.diagnose.capture import capture
from monitor.model.finding import Finding, Verdict, VerdictWord
from monitor.model.run import RunConfig
from monitor.model.snapshot import RunPosition, Snapshot
from monitor.sources import proc
from monitor.sources.hooked_run import NO_RAY, NoRayApi
from monitor.sources.run_locator import RunLocation
from monitor.sources.run_processes import RunProcess
from monitor.sources.trainer_profile import load_profile

SCRIPTS = Path(__file__).parent / "scripts"
MARK = "# culprit"
WORDS = ("amber", "birch", "cobalt", "delta", "ember", "fjord", "garnet", "heron")
READY_SECONDS = 60.0
LOOKS_SECONDS = (1.0, 2.5, 4.0)
"""When a sample is taken; the last one only where the first two name nothing, as the watch says `unknown` only when
three samples agree on it."""


@dataclass(frozen=True)
class Outcome:
    """What came out of one program."""

    verdict: Verdict
    culprits: frozenset[int]
    """One process, or those of a cycle: each of them is right."""
    lines: frozenset[int]
    script: Path
    seconds: float
    """From the fault to the verdict."""

    @property
    def wrong(self) -> bool:
        """A proved finding of a process that is no culprit."""
        return any(finding.culprit.pid not in self.culprits for finding in self.verdict.findings)

    @property
    def top(self) -> Finding | None:
        """The first finding, proved before suspected."""
        return next(iter((*self.verdict.findings, *self.verdict.suspicions)), None)


Meanwhile = Callable[[Outcome, tuple[int, ...]], None]
"""What else looks at the hung program: given the outcome and the pids that a person would look at."""


def render(name: str, seed: int, folder: Path, scripts: Path = SCRIPTS) -> Path:
    """The program of this name as this seed has it."""
    dice = random.Random(f"{name}/{seed}")
    text = (scripts / f"{name}.py").read_text(encoding="utf-8")
    text = text.replace("# seed: padding", "\n".join(["# a line"] * dice.randrange(1, 60)))
    text = text.replace("DEPTH = 0  # seed: depth", f"DEPTH = {dice.randrange(6)}")
    text = re.sub(r"_name\b", f"_{dice.choice(WORDS)}", text)
    levels = [
        f"def level_{n}() -> None:\n    {f'level_{n - 1}' if n else 'main'}()\n" for n in range(dice.randrange(6))
    ]
    last = f"level_{len(levels) - 1}()" if levels else "main()"
    body, _, _ = text.rpartition('if __name__ == "__main__":')
    path = folder / f"{dice.choice(WORDS)}_{dice.randrange(1000)}.py"
    path.write_text("\n\n".join([body, *levels, last + "\n"]), encoding="utf-8")
    return path


@contextmanager
def program(script: Path, folder: Path) -> Iterator[tuple[int, frozenset[int]]]:
    """Pid of the running program, and of its culprits once its fault is in place."""
    told = folder / "told"
    with (folder / "console.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, str(script), str(told)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for_file(told, child, folder / "console.log")
        yield child.pid, told_pids(told)
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def wait_for_file(told: Path, child: subprocess.Popen[bytes], console: Path) -> None:
    """Until the program says that its fault is in place. RuntimeError with its output: it ended, or never did."""
    deadline = time.monotonic() + READY_SECONDS
    while not told.exists():
        if child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(console.read_text(errors="replace"))
        time.sleep(0.02)


def told_pids(told: Path) -> frozenset[int]:
    """The culprits that the program told."""
    return frozenset(map(int, told.read_text(encoding="ascii").split()))


def marked_lines(script: Path) -> frozenset[int]:
    """Lines that stand for the fault; empty where it has none."""
    return frozenset(number for number, line in enumerate(script.read_text().splitlines(), 1) if MARK in line)


def watched(name: str, seed: int, folder: Path, meanwhile: Meanwhile | None = None) -> Outcome:
    """Run one program and judge samples of it. `meanwhile`: called while it still hangs."""
    script = render(name, seed, folder)
    with program(script, folder) as (driver, culprits):
        began = time.monotonic()
        position = RunPosition(name, 1, 1, "testing", last_moved_at=time.time())
        verdict = looked_at(began, LOOKS_SECONDS, lambda: capture(NO_RAY, NoRayApi(), _location(driver), position))
        seconds = time.monotonic() - began
        outcome = Outcome(verdict, culprits, marked_lines(script), script, seconds)
        if meanwhile is not None:
            meanwhile(outcome, (driver, *proc.descendants(driver, proc.parents())))
    return outcome


def looked_at(began: float, looks: tuple[float, ...], take: Callable[[], Snapshot]) -> Verdict:
    """The verdict on samples taken so long after `began` (monotonic), once two of them or more name something."""
    samples: list[Snapshot] = []
    for look in looks:
        time.sleep(max(0.0, began + look - time.monotonic()))
        samples.append(take())
        verdict = judge(samples)
        if verdict.findings or (len(samples) > 1 and (verdict.suspicions or verdict.word is not VerdictWord.UNKNOWN)):
            break
    return verdict


def _location(driver: int) -> RunLocation:
    children = proc.descendants(driver, proc.parents())
    processes = [RunProcess(driver, "driver", f"driver (pid {driver})")]
    processes += [RunProcess(pid, "other", f"{proc.title(pid)[:30]} (pid {pid})") for pid in children]
    return RunLocation("fault", "", driver, 0.0, None, load_profile("verl"), RunConfig(), tuple(processes))
