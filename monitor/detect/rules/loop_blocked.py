"""`loop-blocked`: a callback holds an actor's event loop, and waits on a lock that nothing in its process will free.

Decisive: the same frames above `_run_once` in both samples, the callback's age grown by the time between them, no CPU
used, a wait without a deadline, and a chain from the trainer to the process. Work on a CPU, timed waits, sockets,
children and library code are not called blocked: they may end by themselves. A `ray.get` in the loop is other rules'.
"""

from __future__ import annotations

from monitor.detect.case import Case
from monitor.detect.frames import is_users, place
from monitor.detect.motions import WORKING_THREAD_CPUS
from monitor.detect.thread_waits import Doing, thread_wait
from monitor.detect.wait_graph import thread_key
from monitor.model.finding import Finding
from monitor.model.snapshot import ProcessState, ThreadState

AGE_TOLERANCE_SECONDS = 1.0
"""A callback's age is read at some moment of its snapshot, whose length comes on top of this."""


def find(case: Case) -> tuple[Finding, ...]:
    """One finding a blocked loop that the run waits for."""
    found = []
    for process in case.scene.processes.values():
        for thread in case.scene.loops(process):
            if thread_wait(thread).doing is Doing.LOCK and _proved(case, process, thread):
                finding = _finding(case, process, thread)
                if finding is not None:
                    found.append(finding)
    return tuple(found)


def _proved(case: Case, process: ProcessState, thread: ThreadState) -> bool:
    if not case.graph.stuck(thread_key(process.pid, thread)) or not _same_callback(case, process, thread):
        return False
    in_c = is_users(thread.frames[0])
    # C code called straight from the person's line may wait for another process's work: only in a quiet run is it told.
    return not (in_c and case.working())


def _same_callback(case: Case, process: ProcessState, thread: ThreadState) -> bool:
    before = case.scene.thread_before(process, thread)
    if before is None or thread_wait(before).doing is not Doing.LOCK:
        return False
    now, then = thread.loop_blocked_seconds, before.loop_blocked_seconds
    if now is not None and then is not None:
        earlier = case.scene.earlier
        slack = AGE_TOLERANCE_SECONDS + case.scene.later.seconds + (earlier.seconds if earlier else 0.0)
        return abs((now - then) - case.scene.seconds) <= slack
    rate = case.scene.thread_cpu_rate(process, thread)
    return rate is not None and rate < WORKING_THREAD_CPUS


def _finding(case: Case, process: ProcessState, thread: ThreadState) -> Finding | None:
    key = thread_key(process.pid, thread)
    edges = case.chain_edges(lambda node: node.key == key)
    if edges is None:
        return None
    wait = thread_wait(thread)
    label = case.scene.label(process.pid)
    where = place(wait.users) or thread.frames[0].function
    age = thread.loop_blocked_seconds
    for_seconds = f" for {age:.1f} s" if age is not None else ""
    waiting = len(process.tasks) if process.tasks else None
    tasks = f"; {waiting} asyncio tasks of it wait for the loop" if waiting else ""
    sentence = (
        f"The event loop of {label} is blocked{for_seconds} by {where}: {wait.text}, and nothing in its process is "
        f"left to free it{tasks}."
    )
    evidence = [
        case.evidence(case.describe(process, thread, wait.users), wait.users),
        case.flat_cpu(process.pid),
        case.evidence(f"kernel: the thread waits in {thread.kernel_wait or 'a lock'} without a deadline"),
    ]
    if age is not None:
        evidence.append(case.evidence(f"`_run_once` entered this callback {age:.1f} s before the later sample"))
    advice = (
        f"In {where}, don't block in a coroutine: use the asyncio form of that wait, or run it in a thread "
        "(`asyncio.to_thread`)."
    )
    culprit = case.culprit(process, wait.users.function if wait.users else None)
    return case.finding("loop-blocked", sentence, culprit, wait.users, case.links(edges), tuple(evidence), advice)
