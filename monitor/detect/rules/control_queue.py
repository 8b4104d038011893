"""`control-queue`: every concurrency slot of an actor holds a call that stands still, and the run waits for one queued.

Decisive: the same calls RUNNING and the same one queued in both samples, the actor's loop idle with no CPU, timer,
socket or child, nothing on its way that could end a running call, and a chain from the trainer to the queued call.
With the hooks: the line where the running calls wait, and the number of slots. Without them: the line that waits for
the queued call; the slots are then inferred from Ray's own state of that call, and the finding says so.

A suspicion where all of that holds but that the actor's loop has timers or sockets of its own, as a vLLM server's has,
and every running call waits for something that only its own process can end (an event, a lock, a queue).
"""

from __future__ import annotations

from collections import Counter

from monitor.detect.case import Case
from monitor.detect.frames import innermost_users, place
from monitor.detect.graph import Edge
from monitor.detect.motions import IN_PROCESS
from monitor.detect.scene import QUEUED, RUNNING
from monitor.detect.wait_graph import call_key, slots_taken
from monitor.model.fact import Evidence
from monitor.model.finding import Finding
from monitor.model.snapshot import AsyncioTask, Frame, ProcessState, RayCall


def find(case: Case) -> tuple[Finding, ...]:
    """One finding an actor whose slots are all held."""
    found = []
    for process in case.scene.processes.values():
        if process.actor_id is None or not slots_taken(case.scene, process):
            continue
        loops = case.scene.loops(process)
        if not loops or not all(thread.loop_idle for thread in loops):
            continue
        finding = _judge(case, process)
        if finding is not None:
            found.append(finding)
    return tuple(found)


def _judge(case: Case, process: ProcessState) -> Finding | None:
    scene, label = case.scene, case.scene.label(process.pid)
    calls = [call for call in scene.calls_of_actor.get(process.actor_id or "", ()) if scene.call_held(call)]
    running = [call for call in calls if call.state in RUNNING]
    queued = {call_key(call.task_id): call for call in calls if call.state == QUEUED}
    # A queued call of another kind than those that hold the slots is the likelier one to let them go.
    others = {key for key, call in queued.items() if call.name not in {held.name for held in running}}
    edges = case.chain_edges(lambda node: node.key in others) or case.chain_edges(lambda node: node.key in queued)
    if edges is None:
        return None
    tasks = _tasks_of(process, running)
    if not all(case.graph.stuck(call_key(call.task_id)) for call in running):
        inside = len(tasks) >= len(running) and all(_inside(case, process, task) for task in tasks)
        also = f" Not proved: {label} has timers or connections of its own, and what they may bring is not known."
        return _finding(case, process, running, queued, edges, tasks).suspected(also) if inside else None
    if process.tasks is not None and (len(tasks) < len(running) or any(_elsewhere(task) for task in tasks)):
        return None
    if process.tasks is None and scene.calls_made.get(process.pid):
        # Its calls may wait for those it made itself; which, only its asyncio tasks would tell.
        return None
    return _finding(case, process, running, queued, edges, tasks)


def _inside(case: Case, process: ProcessState, task: AsyncioTask) -> bool:
    """It stands at the same line in both samples, in a wait that only its own process ends."""
    return not _elsewhere(task) and case.scene.task_held(process, task)


def _tasks_of(process: ProcessState, running: list[RayCall]) -> list[AsyncioTask]:
    """For each running call the asyncio task whose wait holds it: the innermost one, below gathers."""
    by_key = {task.key: task for task in process.tasks or ()}
    ids = {call.task_id for call in running}
    found = []
    for task in by_key.values():
        if task.ray_task_id in ids:
            found.append(_leaf(task, by_key))
    return found


def _leaf(task: AsyncioTask, by_key: dict[str, AsyncioTask]) -> AsyncioTask:
    seen = set()
    while task.key not in seen:
        seen.add(task.key)
        below = [by_key[key] for key in task.waits_for if key in by_key]
        if not below:
            break
        task = below[0]
    return task


def _elsewhere(task: AsyncioTask) -> bool:
    return task.waits_on not in IN_PROCESS


def _finding(
    case: Case,
    process: ProcessState,
    running: list[RayCall],
    queued: dict[str, RayCall],
    edges: tuple[Edge, ...],
    tasks: list[AsyncioTask],
) -> Finding:
    wanted = queued[edges[-1].waits_for] if edges else next(iter(queued.values()))
    label = case.scene.label(process.pid)
    waiter = case.waiter_frame(edges)
    held = _common_line(tasks)
    names = ", ".join(f"{count} × {name}" for name, count in Counter(call.name for call in running).most_common(3))
    slots = process.max_concurrency
    number = f"all {slots} concurrency slots" if slots is not None else f"the {len(running)} concurrency slots in use"
    sentence = (
        f"{wanted.name} is queued at {label} and can't begin: {number} are held by {names}, "
        f"{_standing(held, tasks)}, and the run waits for the queued call{_at(waiter)}."
    )
    if slots is None:
        sentence += (
            f" The number of slots is inferred: Ray keeps the queued call in {QUEUED} while these {len(running)} run."
        )
    evidence = [
        case.call_evidence(wanted),
        *[case.call_evidence(call) for call in running[:3]],
        case.flat_cpu(process.pid),
        case.evidence(f"its event loop is idle {case.both}: no timer, no outside connection, no child process"),
        *_lines(case, held, tasks, waiter),
    ]
    advice = (
        f"Give {wanted.name.rpartition('.')[2] or wanted.name} a concurrency group of its own, or raise "
        "`max_concurrency` above the number of calls that can wait for it."
    )
    culprit = case.culprit(process, wanted.name)
    chain = case.links((*edges, *case.graph.outgoing[call_key(wanted.task_id)][:1]))
    return case.finding("control-queue", sentence, culprit, held or waiter, chain, tuple(evidence), advice)


def _common_line(tasks: list[AsyncioTask]) -> Frame | None:
    frames = Counter(frame for task in tasks if (frame := innermost_users(reversed(task.frames))) is not None)
    return frames.most_common(1)[0][0] if frames else None


def _standing(held: Frame | None, tasks: list[AsyncioTask]) -> str:
    if held is None:
        return "which stand still"
    kinds = ", ".join(sorted({task.waits_on for task in tasks}))
    return f"which wait ({kinds}) at {place(held)}"


def _at(frame: Frame | None) -> str:
    return f" at {place(frame)}" if frame else ""


def _lines(case: Case, held: Frame | None, tasks: list[AsyncioTask], waiter: Frame | None) -> list[Evidence]:
    found = []
    if held is not None:
        found.append(case.evidence(f"{len(tasks)} asyncio tasks of the running calls wait at {place(held)}", held))
    if waiter is not None:
        found.append(case.evidence(f"the run waits for the queued call at {place(waiter)}", waiter))
    return found
