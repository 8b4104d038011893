"""Threads of one process that wait for each other, or for what nobody is left to give: `lock-cycle`,
`event-never-set`, `queue-starved`, `semaphore-exhausted`.

Decisive: a closed graph: every thread of the process waits without a deadline in both samples, with no timer, outside
socket, child, signal handler or unread process that could free one; no thread that runs no Python may do so either; the
run waits for it, and nothing in the run works. Less is a suspicion. Which class: by the standard library's own frame of
the wait. Two threads on two bare locks at different lines are a `lock-cycle`; two on one lock are not, and where the
kernel does not tell which locks they are, it is a suspicion. Who holds a lock CPython does not record.
"""

from __future__ import annotations

from monitor.detect.case import Case
from monitor.detect.frames import place
from monitor.detect.standing import Standing, standing_threads, suspicion, waited_for
from monitor.detect.thread_waits import Doing
from monitor.detect.wait_graph import thread_key
from monitor.model.fact import Evidence
from monitor.model.finding import Finding

ADVICE = {
    "lock-cycle": "Take both locks in one order everywhere, or with a timeout.",
    "event-never-set": "Find who should set it: a timeout there turns the hang into an error that names itself.",
    "queue-starved": "Its other side is gone: let it send an end mark when it ends, or use a timeout.",
    "semaphore-exhausted": "A holder did not give it back: use `with`, so that an error releases it too.",
}
NAMES = {
    "lock-cycle": "a lock",
    "event-never-set": "an event or a barrier",
    "queue-starved": "a queue",
    "semaphore-exhausted": "a semaphore",
}


def find(case: Case) -> tuple[Finding, ...]:
    """At most one a process."""
    by_process: dict[int, list[Standing]] = {}
    for item in standing_threads(case):
        if item.wait.doing is Doing.LOCK and not item.thread.runs_loop:
            if not case.graph.stuck(thread_key(item.process.pid, item.thread)):
                continue
            by_process.setdefault(item.process.pid, []).append(item)
    found = (_judge(case, items) for items in by_process.values())
    return tuple(finding for finding in found if finding is not None)


def _judge(case: Case, items: list[Standing]) -> Finding | None:
    kinds = [(kind, item) for item in items if (kind := _kind(item)) is not None and item.frame is not None]
    locks = [item for kind, item in kinds if kind == "lock-cycle"]
    others = [(kind, item) for kind, item in kinds if kind != "lock-cycle"]
    addresses = {item.thread.lock for item in locks}
    if len({item.frame for item in locks}) > 1 and (len(addresses) > 1 or "" in addresses):
        return _finding(case, "lock-cycle", locks[0], items, sure="" not in addresses)
    if locks or len({kind for kind, _ in others}) != 1:
        # A single bare lock: its holder is not known, and another wait may be the cause or its consequence.
        return None
    return _finding(case, others[0][0], others[0][1], items, sure=True)


def _kind(item: Standing) -> str | None:
    frames = item.thread.frames
    own = [frame for frame in frames if frame.file.endswith(("/threading.py", "/queue.py"))]
    names = {frame.function.rpartition(".")[2] for frame in own}
    if {"join", "_wait_for_tstate_lock"} & names:
        return None
    if any(frame.file.endswith("/queue.py") for frame in own):
        return "queue-starved"
    if "acquire" in names:
        return "semaphore-exhausted"
    if "_wait" in names:
        # `threading.Barrier`: a party that is gone never arrives.
        return "event-never-set"
    calls = [frame.function.rpartition(".")[2] for frame in frames[:3]]
    if calls[:2] == ["wait", "wait"]:
        return "event-never-set"
    return None if names & {"wait", "wait_for"} else "lock-cycle"


def _finding(case: Case, hang_class: str, item: Standing, items: list[Standing], *, sure: bool) -> Finding:
    proved = sure and _closed(case, items)
    label = case.scene.label(item.process.pid)
    others = [other for other in items if other is not item]
    freed = "nothing is left that could free it" if proved else "nothing was seen that would free it"
    sentence = (
        f"Thread {item.thread.name} of {label} waits for {NAMES[hang_class]} at {place(item.frame)} without a deadline,"
        f" and {freed}: all {len(items)} threads at work in it stand still."
    )
    evidence = (
        *[case.evidence(case.describe(other.process, other.thread, other.frame), other.frame) for other in others[:4]],
        case.flat_cpu(item.process.pid),
        case.evidence(f"no timer, outside connection, child process or signal handler of {label} could free it"),
        *_foreign(case, item),
    )
    return suspicion(case, hang_class, sentence, item, evidence, ADVICE[hang_class], proved=proved)


def _closed(case: Case, items: list[Standing]) -> bool:
    """The run waits for the knot, nothing in the run works, and no thread without Python could undo it."""
    process = items[0].process
    before = case.scene.before.get(process.pid)
    foreign = before is None or before.foreign_threads or process.foreign_threads
    return not foreign and not case.working() and any(waited_for(case, item) for item in items)


def _foreign(case: Case, item: Standing) -> tuple[Evidence, ...]:
    waits = item.process.foreign_threads
    if not waits:
        return ()
    return (case.evidence(f"threads of it that run no Python may still do so (they wait in: {', '.join(waits)})"),)
