"""`pipe-full`: a child process writes into a pipe that its parent does not read, while the parent waits for the child.

Decisive: in both samples the child stands in `write` on a pipe that its parent alone can read, the parent's main thread
waits for that child (the only one it has), and every other thread of the parent waits on a lock without a deadline or
for the child. A thread that sleeps, reads, polls or can't be read may read the pipe in a moment; so may a signal's
handler, or a thread that runs no Python.
"""

from __future__ import annotations

from monitor.detect.case import Case
from monitor.detect.frames import innermost_users, place
from monitor.detect.standing import Standing, is_main, standing_threads, suspicion
from monitor.model.fact import Evidence
from monitor.model.finding import Finding
from monitor.model.snapshot import BlockedCall, ProcessState, ThreadState

CHILD, LOCK = "child", "lock"


def find(case: Case) -> tuple[Finding, ...]:
    """One finding a full pipe between parent and child."""
    found = []
    for process in case.scene.processes.values():
        before = case.scene.before.get(process.pid)
        for call in process.blocked_calls:
            if before is None or call not in before.blocked_calls or call.call != "write":
                continue
            finding = _judge(case, process, call)
            if finding is not None:
                found.append(finding)
    return tuple(found)


def _judge(case: Case, child: ProcessState, call: BlockedCall) -> Finding | None:
    if not call.target.startswith("pipe:") or not call.held_by:
        return None
    parent = case.scene.processes.get(call.held_by[0])
    before = case.scene.before.get(call.held_by[0])
    if len(call.held_by) != 1 or parent is None or before is None or parent.children != (child.pid,):
        return None
    if _may_read(parent) or _may_read(before):
        return None
    item = next(
        (item for item in standing_threads(case) if item.process is parent and is_main(item.process, item.thread)), None
    )
    if item is None or item.busy or item.thread.kernel_wait != CHILD:
        return None
    label, parent_label = case.scene.label(child.pid), case.scene.label(parent.pid)
    sentence = (
        f"{label} stands in a write to a full pipe, and its only reader, {parent_label}, waits for it to end at "
        f"{place(item.frame)}: neither can go on."
    )
    own = next((frame for thread in child.threads if (frame := innermost_users(thread.frames))), None)
    evidence = (
        case.evidence(f"kernel: thread {call.thread_id} of {label} is in write on {call.target} {case.both}", own),
        case.evidence(f"{call.target} is read by pid {', '.join(map(str, call.held_by))} only, which does not read"),
        case.flat_cpu(child.pid),
    )
    return _finding(case, sentence, item, evidence)


def _finding(case: Case, sentence: str, item: Standing, evidence: tuple[Evidence, ...]) -> Finding:
    advice = "Read the pipe while the child runs (`communicate()`), or send its output to a file or to DEVNULL."
    return suspicion(case, "pipe-full", sentence, item, evidence, advice, proved=True)


def _may_read(parent: ProcessState) -> bool:
    """Something in it could come to read the pipe by itself, or was not seen."""
    unseen = parent.threads_unknown or not parent.threads or parent.signal_handlers or parent.foreign_threads
    return bool(unseen) or not all(map(_bound, parent.threads))


def _bound(thread: ThreadState) -> bool:
    """It waits for a child, or for another thread of its process, for good."""
    return thread.kernel_wait == CHILD or (thread.kernel_wait == LOCK and thread.kernel_wait_ends is False)
