"""Threads that the run waits for and that stood still in both samples, whatever they wait in: candidates for the cause.

Pure. The trainer's own main threads, threads that chains of waits come to, and the main threads of child processes.
Where a main thread waits on a lock, all threads of its process count: one of them has to free it. Of a reward worker
whose loop is idle, its pool's threads count that wait for something outside without a deadline.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.detect.case import TRAINER_ROLES, Case
from monitor.detect.frames import is_users
from monitor.detect.graph import EdgeKind
from monitor.detect.motions import at_work
from monitor.detect.thread_waits import Doing, ThreadWait, thread_wait
from monitor.detect.wait_graph import thread_key
from monitor.model.fact import Evidence
from monitor.model.finding import Finding, WaitLink
from monitor.model.snapshot import BlockedCall, Frame, ProcessState, ThreadState

INDIRECT = frozenset({EdgeKind.INSIDE, EdgeKind.MADE})
NOT_LEAVES = frozenset({Doing.GET, Doing.WAIT_ANY, Doing.LOOP_IDLE, Doing.SERVICE})
MAIN = "MainThread"
REWARD = "reward"
"""The role whose processes compute scores."""


@dataclass(frozen=True)
class Standing:
    """A thread that stood at the same functions in both samples."""

    process: ProcessState
    thread: ThreadState
    wait: ThreadWait
    busy: bool
    """It used a CPU meanwhile, so its line may have moved inside the same function."""

    @property
    def frame(self) -> Frame | None:
        """The innermost line of the run's code."""
        return self.wait.users

    @property
    def blocked_call(self) -> BlockedCall | None:
        """The system call that it is in, where the kernel told."""
        thread_id = self.thread.thread_id
        return next((call for call in self.process.blocked_calls if call.thread_id == thread_id), None)

    def has(self, function: str, file: str) -> bool:
        """A frame of this function (last part of its name) in this file is on the stack."""
        return any(
            frame.function.rpartition(".")[2] == function and frame.file.endswith(file) for frame in self.thread.frames
        )


def is_main(process: ProcessState, thread: ThreadState) -> bool:
    """The main thread; it has no name where the process never imported `threading`."""
    return thread.name == MAIN or thread.thread_id == process.pid


def standing_threads(case: Case) -> tuple[Standing, ...]:
    """All of them, children of a process after the process itself."""
    reached, inside = case.reached(INDIRECT), case.reached()
    pids = {case.graph.nodes[key].pid for key in reached}
    scene = case.scene
    found: list[Standing] = []
    trainers = [process.pid for process in scene.processes.values() if process.role in TRAINER_ROLES]
    children = [
        child for pid in (*trainers, *sorted(pid for pid in pids if pid)) for child in _children(case, pid) if child
    ]
    for pid, process in scene.processes.items():
        whole = pid in trainers or pid in children
        main = next((thread for thread in process.threads if is_main(process, thread)), None)
        locked = whole and main is not None and thread_wait(main).doing is Doing.LOCK
        for thread in process.threads:
            key = thread_key(pid, thread)
            wanted = key in reached or locked or (whole and is_main(process, thread))
            wanted = wanted or (process.role == REWARD and key in inside and _asks(thread))
            standing = _standing(case, process, thread) if wanted else None
            if standing is not None:
                found.append(standing)
    return tuple(found)


def _asks(thread: ThreadState) -> bool:
    return thread_wait(thread).doing is Doing.OUTSIDE and not thread.kernel_wait_ends


def _children(case: Case, pid: int) -> tuple[int, ...]:
    process = case.scene.processes.get(pid)
    return process.children if process else ()


def _standing(case: Case, process: ProcessState, thread: ThreadState) -> Standing | None:
    before = case.scene.thread_before(process, thread)
    wait = thread_wait(thread)
    if before is None or wait.doing in NOT_LEAVES:
        return None
    busy = at_work(case.scene, process, thread, wait)
    if busy and _functions(before) != _functions(thread):
        return None
    if not busy and (before.frames, thread_wait(before).doing) != (thread.frames, wait.doing):
        return None
    return Standing(process, thread, wait, busy)


def waited_for(case: Case, item: Standing) -> bool:
    """The run can't go on without this thread: a chain of waits comes to it, or it is a trainer's own main thread."""
    if item.process.role in TRAINER_ROLES and is_main(item.process, item.thread):
        return True
    return thread_key(item.process.pid, item.thread) in case.reached(INDIRECT)


def _functions(thread: ThreadState) -> list[tuple[str, str]]:
    return [(frame.function, frame.file) for frame in thread.frames if is_users(frame)]


def suspicion(
    case: Case,
    hang_class: str,
    sentence: str,
    item: Standing,
    evidence: tuple[Evidence, ...],
    advice: str,
    *,
    proved: bool = False,
) -> Finding:
    """A finding on a standing thread; the chain to it where the graph knows one."""
    key = thread_key(item.process.pid, item.thread)
    edges = case.chain_edges(lambda node: node.key == key)
    links = case.links(edges or ()) or (
        WaitLink("the run", case.scene.label(item.process.pid), "it has to go on for the run to go on"),
    )
    stands = case.evidence(case.describe(item.process, item.thread, item.frame), item.frame)
    finding = case.finding(
        hang_class, sentence, case.culprit(item.process), item.frame, links, (stands, *evidence), advice
    )
    return finding if proved else finding.suspected()
