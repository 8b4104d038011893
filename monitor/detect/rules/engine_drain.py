"""`engine-drain`: the run waits for a rollout engine to finish its requests, and they do not end.

A suspicion: the engine asks again and again, and may find them ended the next time. Told where the same asyncio task of
a rollout engine stands below a function that says `drain` (vLLM's `wait_for_requests_to_drain`) in both samples, a
chain from the trainer comes to it, and nothing of the run works.
"""

from __future__ import annotations

from collections import Counter

from monitor.detect.case import Case
from monitor.detect.frames import innermost_users, is_users, place
from monitor.detect.scene import RUNNING
from monitor.detect.wait_graph import task_key
from monitor.model.finding import Finding
from monitor.model.snapshot import AsyncioTask, Frame, ProcessState, RayCall

ENGINE = "rollout"
WORD = "drain"


def find(case: Case) -> tuple[Finding, ...]:
    """At most one."""
    if case.working():
        return ()
    for process in case.scene.processes.values():
        if process.role != ENGINE:
            continue
        drains = [task for task in process.tasks or () if _drain(task) and case.scene.task_held(process, task)]
        finding = _judge(case, process, drains)
        if finding is not None:
            return (finding,)
    return ()


def _drain(task: AsyncioTask) -> Frame | None:
    """The frame of its chain that drains."""
    return next((frame for frame in task.frames if is_users(frame) and WORD in frame.function.rpartition(".")[2]), None)


def _names(requests: list[RayCall]) -> str:
    counts = Counter(call.name for call in requests).most_common(3)
    return ", ".join(f"{count} × {name}" for name, count in counts) or "no call that Ray knows"


def _judge(case: Case, process: ProcessState, drains: list[AsyncioTask]) -> Finding | None:
    keys = {task_key(process.pid, task.key): task for task in drains}
    edges = case.chain_edges(lambda node: node.key in keys)
    if edges is None:
        return None
    task = keys[edges[-1].waits_for]
    frame, drain = innermost_users(reversed(task.frames)), _drain(task)
    label = case.scene.label(process.pid)
    requests = [
        call
        for call in case.scene.calls_of_actor.get(process.actor_id or "", ())
        if call.state in RUNNING and case.scene.call_held(call) and call.task_id != task.ray_task_id
    ]
    sentence = (
        f"{label} waits for its requests to end before the run can go on, at {place(frame)}; open there {case.both}: "
        f"{_names(requests)}. They may still end."
    )
    evidence = (
        case.evidence(f"asyncio task {task.name} stands at {place(drain)} {case.both}", frame),
        *[case.call_evidence(call) for call in requests[:3]],
        case.flat_cpu(process.pid),
    )
    advice = (
        "See what the open requests wait for; abort them before the engine is drained, and give the drain a deadline "
        "that fails the step."
    )
    culprit = case.culprit(process, task.name)
    finding = case.finding("engine-drain", sentence, culprit, frame, case.links(edges), evidence, advice)
    return finding.suspected()
