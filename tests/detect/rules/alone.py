"""Runs that are a driver alone, or a driver and its child: what the rules on threads and pipes are tried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.detect.judge import judge
from monitor.model.finding import Finding, VerdictWord
from monitor.model.snapshot import Frame, ProcessState, Snapshot, ThreadState
from tests.detect import snapshots as made
from tests.detect.made_threads import PYTHON

DRIVER, CHILD = made.DRIVER, 7
EVENT = (Frame("Condition.wait", f"{PYTHON}/threading.py", 327), Frame("Event.wait", f"{PYTHON}/threading.py", 629))
QUEUE = (Frame("Condition.wait", f"{PYTHON}/threading.py", 327), Frame("Queue.get", f"{PYTHON}/queue.py", 171))
SEMAPHORE = (EVENT[0], Frame("Semaphore.acquire", f"{PYTHON}/threading.py", 470))


def thread(
    frames: Sequence[Frame], *, number: int = DRIVER, name: str = "MainThread", wait: str = "lock", lock: str = ""
) -> ThreadState:
    """A thread in a wait of the kernel; locks have no deadline."""
    ends = False if wait == "lock" else None
    return ThreadState(
        number,
        name,
        False,
        False,
        tuple(frames),
        kernel_wait=wait,
        kernel_wait_ends=ends,
        cpu_seconds=1.0,
        lock=lock,
    )


def child(*threads: ThreadState, **fields: object) -> ProcessState:
    """A child process of the driver."""
    known = ProcessState(CHILD, 17.0, "python child.py", "other", "child (pid 7)", "S")
    return replace(known, threads=threads, **fields)  # type: ignore[arg-type]


def driver(*threads: ThreadState, **fields: object) -> ProcessState:
    """The run's driver."""
    return made.process(DRIVER, *threads, **fields)


def samples(*processes: ProcessState) -> list[Snapshot]:
    """Two samples of a run without Ray: no actors, no calls."""
    return [replace(sample, actors=()) for sample in made.pair(processes, [])]


def proved(pair: Sequence[Snapshot]) -> list[str]:
    """Classes of the proved findings."""
    return [finding.hang_class for finding in judge(pair).findings]


def suspected(pair: Sequence[Snapshot]) -> list[str]:
    """Classes of the suspicions; nothing is proved."""
    verdict = judge(pair)
    assert verdict.findings == () and verdict.word is not VerdictWord.HANG
    assert all(not finding.proved and finding.seconds_to_proof is None for finding in verdict.suspicions)
    return [finding.hang_class for finding in verdict.suspicions]


def only(pair: Sequence[Snapshot]) -> Finding:
    """The one proved finding."""
    (finding,) = judge(pair).findings
    return finding
