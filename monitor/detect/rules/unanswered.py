"""`reward-stuck` and `tool-stuck`: what the run waits for stands, without a deadline, at a wait for something outside.

A suspicion, never a proof: who is outside may still answer. Told only where the run was silent for longer than the
learned limit of its phase, and where the same thread of a reward worker, or the same asyncio task of an agent loop,
stands at the same line in both samples and a chain from the trainer comes to it. Without a learned limit nothing is
said here; the verdict's reasons then name the line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from monitor.detect.case import Case
from monitor.detect.frames import innermost_users, place
from monitor.detect.motions import WORKING_THREAD_CPUS
from monitor.detect.thread_waits import Doing, thread_wait
from monitor.detect.wait_graph import task_key, thread_key
from monitor.model.finding import Finding
from monitor.model.snapshot import AsyncioTask, Frame, ProcessState, ThreadState


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
    """Keys of the nodes in this process that wait for something outside, with the person's line of each."""
    if process.role == "reward":
        threads = ((thread, thread_wait(thread)) for thread in process.threads if _stands(case, process, thread))
        return {thread_key(process.pid, thread): wait.users for thread, wait in threads if wait.users is not None}
    if process.role == "agent-loop":
        tasks = (task for task in process.tasks or () if task.waits_on == "socket")
        lines = ((task, _line(task)) for task in tasks if case.scene.task_held(process, task))
        return {task_key(process.pid, task.key): line for task, line in lines if line is not None}
    return {}


def _stands(case: Case, process: ProcessState, thread: ThreadState) -> bool:
    rate = case.scene.thread_cpu_rate(process, thread)
    outside = thread_wait(thread).doing is Doing.OUTSIDE and not thread.kernel_wait_ends
    return outside and case.scene.thread_held(process, thread) and (rate is None or rate < WORKING_THREAD_CPUS)


def _line(task: AsyncioTask) -> Frame | None:
    return innermost_users(reversed(task.frames))


def _finding(case: Case, process: ProcessState, waits: dict[str, Frame], limit: float) -> Finding | None:
    edges = case.chain_edges(lambda node: node.key in waits)
    if edges is None:
        return None
    frame = _commonest(waits.values())
    label = case.scene.label(process.pid)
    who = "The reward function in" if process.role == "reward" else "An agent loop in"
    what = "threads" if process.role == "reward" else "asyncio tasks"
    sentence = (
        f"{who} {label} waits at {place(frame)} for something outside the run, without a deadline, and the run waits "
        f"for it: nothing moved for longer than this phase ever was silent (limit {limit:.0f} s). It may still answer."
    )
    evidence = (
        case.evidence(f"{len(waits)} {what} of {label} wait there {case.both}", frame),
        case.flat_cpu(process.pid),
    )
    finding = case.finding(
        "reward-stuck" if process.role == "reward" else "tool-stuck",
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
