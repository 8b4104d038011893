"""`engine-stopped` and `process-stopped`: a process that the run waits for, stopped by a signal or a debugger.

Decisive: kernel state T or t in both samples, and a chain from the trainer that comes to the process, or a rollout
engine while the phase at hand is the engine's work. A stopped process that nobody waits for is no finding.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.detect.case import Case
from monitor.detect.frames import innermost_users, place
from monitor.detect.graph import Edge, Node, NodeKind
from monitor.detect.motions import STOPPED
from monitor.model.finding import Finding, WaitLink
from monitor.model.snapshot import Frame, ProcessState, RayCall

ENGINE_PHASES = frozenset({"gen", "generate", "rollout", "testing", "validate", "validation", "update_weights"})


def find(case: Case) -> tuple[Finding, ...]:
    """One finding a stopped process that the run waits for."""
    found = []
    for process in case.scene.processes.values():
        before = case.scene.before.get(process.pid)
        if before is None or process.state not in STOPPED or before.state not in STOPPED:
            continue
        inside = case.chain_edges(_inside(process.pid))
        edges = inside if inside is not None else case.chain_edges(_of(process.pid))
        engine_of_phase = process.role == "rollout" and case.position.phase in ENGINE_PHASES
        if edges is not None or engine_of_phase:
            found.append(_finding(case, process, edges))
    return tuple(found)


def _finding(case: Case, process: ProcessState, edges: tuple[Edge, ...] | None) -> Finding:
    label = case.scene.label(process.pid)
    engine = process.role == "rollout"
    by = "a debugger" if process.state == "t" else "a signal (SIGSTOP or SIGTSTP)"
    own = _stands_at(process)
    waiter = case.waiter_frame(edges or ())
    chain = case.links(edges or ())
    if edges is None:
        chain = (WaitLink(f"phase {case.position.phase}", label, "it is the rollout engine of this phase"),)
    sentence = (
        f"{'The rollout engine ' if engine else ''}{label} is stopped by {by}: kernel state {process.state} "
        f"{case.both}, and the run waits for it"
    )
    if own is None and waiter is not None:
        sentence += f" at {place(waiter)}"
    evidence = [
        case.evidence(f"/proc/{process.pid}/stat: state {process.state} {case.both}"),
        case.flat_cpu(process.pid),
        *[case.call_evidence(call) for call in _calls(case, process)],
    ]
    if own is not None:
        evidence.append(case.evidence(f"it was stopped at {place(own)}", own))
    if waiter is not None:
        evidence.append(case.evidence(f"the run waits at {place(waiter)}", waiter))
    return case.finding(
        "engine-stopped" if engine else "process-stopped",
        sentence + ".",
        case.culprit(process),
        own or waiter,
        chain,
        tuple(evidence),
        _advice(process),
    )


def _inside(pid: int) -> Callable[[Node], bool]:
    return lambda node: node.pid == pid and node.kind is not NodeKind.CALL


def _of(pid: int) -> Callable[[Node], bool]:
    return lambda node: node.pid == pid


def _calls(case: Case, process: ProcessState) -> list[RayCall]:
    calls = case.scene.calls_of_actor.get(process.actor_id or "", [])
    return [call for call in calls if case.scene.call_held(call)][:3]


def _stands_at(process: ProcessState) -> Frame | None:
    frames = (innermost_users(thread.frames) for thread in process.threads)
    return next((frame for frame in frames if frame is not None), None)


def _advice(process: ProcessState) -> str:
    if process.state == "t":
        return f"Let the debugger that holds pid {process.pid} go on, or detach it."
    return f"Find out who stopped it; `kill -CONT {process.pid}` lets it go on."
