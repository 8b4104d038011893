"""`pipe-full`: a child process writes into a pipe that its parent does not read, while the parent waits for the child.

Decisive: in both samples the child stands in `write` on a pipe whose only readers were all seen, and each reader's
threads wait for a child or on a lock, none in a read or a poll. A reader that could not be read unproves it.
"""

from __future__ import annotations

from monitor.detect.case import Case
from monitor.detect.frames import innermost_users, place
from monitor.detect.standing import Standing, is_main, standing_threads, suspicion
from monitor.model.fact import Evidence
from monitor.model.finding import Finding
from monitor.model.snapshot import BlockedCall, ProcessState

READING = frozenset({"read", "poll", "running", "other", ""})


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
    readers = [case.scene.processes.get(pid) for pid in call.held_by if pid != child.pid]
    parents = [reader for reader in readers if reader is not None and child.pid in reader.children]
    if len(parents) != len(readers) or not parents:
        return None
    parent = parents[0]
    if any(not reader.threads or any(_may_read(thread.kernel_wait) for thread in reader.threads) for reader in parents):
        return None
    item = next(
        (item for item in standing_threads(case) if item.process is parent and is_main(item.process, item.thread)), None
    )
    if item is None:
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


def _may_read(kernel_wait: str) -> bool:
    return kernel_wait in READING
