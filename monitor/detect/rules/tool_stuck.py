"""`tool-stuck`: an agent loop's asyncio task waits on a socket, and the run waits for that task.

A suspicion, never a proof: who is outside may still answer. Told only where the run was silent for longer than the
learned limit of its phase, and where the same task stands at the same line in both samples and a chain from the trainer
comes to it. Without a learned limit nothing is said here; the verdict's reasons then name the line. A reward function
that waits is `reward-stuck`, of leaf_blockers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from monitor.detect.case import Case
from monitor.detect.frames import innermost_users, place
from monitor.detect.wait_graph import SAMPLE_MAKERS, task_key
from monitor.model.finding import Finding
from monitor.model.snapshot import AsyncioTask, Frame, ProcessState


def find(case: Case) -> tuple[Finding, ...]:
    """One suspicion a process that waits for an answer from outside."""
    limit = case.position.phase_limit_seconds
    if limit is None or not case.overdue:
        return ()
    found = []
    for process in case.scene.processes.values():
        waits = _waits(case, process)
        finding = _finding(case, process, waits, limit) if waits else None
        if finding is not None:
            found.append(finding)
    return tuple(found)


def _waits(case: Case, process: ProcessState) -> dict[str, Frame]:
    """Keys of the tasks of this agent loop that wait on a socket, with the person's line of each."""
    if process.role != SAMPLE_MAKERS:
        return {}
    tasks = (task for task in process.tasks or () if task.waits_on == "socket")
    lines = ((task, _line(task)) for task in tasks if case.scene.task_held(process, task))
    return {task_key(process.pid, task.key): line for task, line in lines if line is not None}


def _line(task: AsyncioTask) -> Frame | None:
    return innermost_users(reversed(task.frames))


def _finding(case: Case, process: ProcessState, waits: dict[str, Frame], limit: float) -> Finding | None:
    edges = case.chain_edges(lambda node: node.key in waits)
    if edges is None:
        return None
    frame = _commonest(waits.values())
    label = case.scene.label(process.pid)
    sentence = (
        f"An agent loop in {label} waits at {place(frame)} for something outside the run, without a deadline, and the "
        f"run waits for it: nothing moved for longer than this phase ever was silent (limit {limit:.0f} s). It may "
        "still answer."
    )
    evidence = (
        case.evidence(f"{len(waits)} asyncio tasks of {label} wait there {case.both}", frame),
        case.flat_cpu(process.pid),
    )
    finding = case.finding(
        "tool-stuck",
        sentence,
        case.culprit(process, frame.function),
        frame,
        case.links(edges),
        evidence,
        f"Look at what {place(frame)} asks, and give that wait a deadline.",
    )
    return finding.suspected()


def _commonest(frames: Iterable[Frame]) -> Frame:
    return Counter(frames).most_common(1)[0][0]
