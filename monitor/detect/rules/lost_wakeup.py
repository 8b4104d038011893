"""`lost-wakeup`: the chain of waits ends at an asyncio task that waits for something in its own process, and nothing
that is left anywhere in the run can wake it.

Decisive: a knot, closed over all processes: every thread, asyncio task and Ray call that could set the event waits,
directly or by others, for this very task; no timer, no outside socket, no child, no process unseen, in both samples.
A trainer or driver whose main thread itself runs the loop waits for its own tasks: chains begin there at each of them,
unless it has other threads at work or such as run no Python: theirs may be the cause. For the same reason a future is
not called lost where another thread of the process stands at work, as a pool's does for `run_in_executor`.
Needs the asyncio tasks (read from the process's memory, or told by the hook's responder) and whole loops: without
them the rule is silent, and the verdict says what would show it.
"""

from __future__ import annotations

from collections import Counter

from monitor.detect.case import TRAINER_ROLES, Case
from monitor.detect.frames import place
from monitor.detect.graph import EdgeKind, Node, NodeKind
from monitor.detect.motions import IN_PROCESS
from monitor.detect.scene import QUEUED
from monitor.detect.standing import is_main
from monitor.detect.wait_graph import task_key
from monitor.model.fact import Evidence
from monitor.model.finding import Finding, WaitLink
from monitor.model.snapshot import AsyncioTask, Frame, ProcessState

DIRECT = frozenset({EdgeKind.INSIDE, EdgeKind.MADE})
"""Edges of what may be, not of what is: left out where the leaf is looked for."""


def find(case: Case) -> tuple[Finding, ...]:
    """At most one finding: two unrelated ends of the chain prove no single cause."""
    leaves = _leaves(case)
    pids = {process.pid for process, _ in leaves}
    if len(pids) != 1:
        return ()
    process = leaves[0][0]
    if any(loop.unreadable for process in case.scene.processes.values() for loop in process.loops):
        # What such a loop watches is not known: a message could still come through it.
        return ()
    calls = case.scene.later.calls
    if any(call.state == QUEUED and case.scene.executor(call) in (process.pid, None) for call in calls):
        # A call that can't begin may be the one that would wake it: that is `control-queue`, or not to be told.
        return ()
    if not all(thread.loop_idle for thread in case.scene.loops(process)):
        return ()
    tasks = [task for _, task in leaves]
    # Who waits for a lock waits for its holder: the holder's own wait is the cause.
    deepest = [task for task in tasks if task.waits_on != "lock"] or tasks
    return (_finding(case, process, deepest, len(leaves)),)


def _leaves(case: Case) -> list[tuple[ProcessState, AsyncioTask]]:
    """Tasks at the ends of the trainer's chains that wait in their own process, and can't be woken."""
    reached = case.reached(DIRECT) | case.graph.reached(_own_tasks(case), DIRECT)
    if any(case.graph.nodes[key].kind is NodeKind.PROCESS and not _in_knot(case, key) for key in reached):
        return []
    found = []
    for process in case.scene.processes.values():
        for task in process.tasks or ():
            key = task_key(process.pid, task.key)
            if task.waits_on == "future" and _threads_at_work(case, process):
                continue
            if key in reached and task.waits_on in IN_PROCESS and case.graph.stuck(key):
                found.append((process, task))
    return found


def _own_tasks(case: Case) -> tuple[str, ...]:
    """Tasks of trainers that are nothing but their loop: it runs on the main thread."""
    return tuple(
        task_key(process.pid, task.key)
        for process in case.scene.processes.values()
        if process.role in TRAINER_ROLES and not _foreign(case, process) and not _threads_at_work(case, process)
        if any(is_main(process, loop) for loop in case.scene.loops(process))
        for task in process.tasks or ()
    )


def _threads_at_work(case: Case, process: ProcessState) -> bool:
    """Threads beside its idle loops and its services."""
    return any(node.kind is NodeKind.THREAD and node.pid == process.pid for node in case.graph.nodes.values())


def _foreign(case: Case, process: ProcessState) -> bool:
    before = case.scene.before.get(process.pid)
    return before is None or bool(before.foreign_threads or process.foreign_threads)


def _in_knot(case: Case, key: str) -> bool:
    return case.graph.stuck(key)


def _finding(case: Case, process: ProcessState, tasks: list[AsyncioTask], ends: int) -> Finding:
    keys = {task_key(process.pid, task.key): task for task in tasks}
    edges = case.chain_edges(lambda node: node.key in keys) or ()
    task = keys.get(edges[-1].waits_for if edges else "", tasks[0])
    frame = _line(case, process, tasks)
    label = case.scene.label(process.pid)
    others = len(case.scene.processes) - 1
    sentence = (
        f"Asyncio task {task.name} of {label} waits for {_named(task.waits_on)} at {place(frame) or 'an unknown line'}"
        f", and nothing is left that could set it: its loop is idle, without timers or outside connections, and all "
        f"{others} other processes of the run stand still or wait for this one."
    )
    last = WaitLink(label, _named(task.waits_on), f"await at {place(frame)}; no one is left to end it")
    evidence = [
        case.evidence(f"asyncio task {task.name} waits on {task.waits_on} at {place(frame)} {case.both}", frame),
        case.evidence(f"its event loop is idle {case.both}: no timer, no outside connection, no child process"),
        case.flat_cpu(process.pid),
        case.evidence(
            f"closure: {len(case.graph.nodes)} threads, tasks, calls and processes of the run were read, none can "
            f"move; {ends} asyncio tasks stand at the ends of the trainer's chains"
        ),
        *_other_lines(case, process, tasks, frame),
    ]
    advice = (
        f"Look for who should end the wait at {place(frame)}: a reply or signal was lost. A timeout there turns the "
        "hang into an error that names itself."
    )
    culprit = case.culprit(process, task.name)
    return case.finding("lost-wakeup", sentence, culprit, frame, (*case.links(edges), last), tuple(evidence), advice)


def _line(case: Case, process: ProcessState, tasks: list[AsyncioTask]) -> Frame | None:
    nodes: list[Node] = [case.graph.nodes[task_key(process.pid, task.key)] for task in tasks]
    frames = Counter(node.frame for node in nodes if node.frame is not None)
    return frames.most_common(1)[0][0] if frames else None


def _other_lines(case: Case, process: ProcessState, tasks: list[AsyncioTask], frame: Frame | None) -> list[Evidence]:
    nodes = [case.graph.nodes[task_key(process.pid, task.key)] for task in tasks]
    others = {node.frame for node in nodes if node.frame is not None and node.frame != frame}
    return [case.evidence(f"another task waits at {place(other)}", other) for other in sorted(others, key=place)][:3]


def _named(waits_on: str) -> str:
    return f"an asyncio {waits_on}" if waits_on != "future" else "a future"
