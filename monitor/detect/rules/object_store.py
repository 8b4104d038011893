"""`object-store-full`: the run waits for a call whose arguments find no room in the object store.

A suspicion: the raylet tells how many calls it holds back for that, not which. Told where, in both samples, the same
call of the trainer's chain is not placed, while the raylet holds calls back for want of memory in the later one and
nothing of the run works. What fills the store may be given back by itself.
"""

from __future__ import annotations

from monitor.detect.case import Case
from monitor.detect.frames import place
from monitor.detect.graph import Edge
from monitor.detect.rules.resources import PENDING, chain_to
from monitor.model.finding import Culprit, Finding
from monitor.model.snapshot import RayCall

STATES = frozenset({PENDING, "PENDING_OBJ_STORE_MEM_AVAIL"})


def find(case: Case) -> tuple[Finding, ...]:
    """At most one: the first such call that the trainer waits for."""
    waiting = case.scene.later.waiting_for_memory
    if not waiting or case.working():
        return ()
    for call in case.scene.later.calls:
        edges = chain_to(case, call) if call.state in STATES and case.scene.call_held(call) else None
        if edges is not None:
            return (_finding(case, call, waiting, edges),)
    return ()


def _finding(case: Case, call: RayCall, waiting: int, edges: tuple[Edge, ...]) -> Finding:
    process = case.scene.processes.get(case.scene.caller(call) or 0)
    culprit = case.culprit(process, call.name) if process else Culprit(None, f"call {call.name}", None, call.name)
    frame = case.waiter_frame(edges)
    where = f": the run waits for it at {place(frame)}" if frame else ""
    sentence = (
        f"{call.name} is not begun, and the raylet holds calls back ({waiting}) until the object store has room for "
        f"their arguments{where}. That it is one of them is not proved."
    )
    evidence = [
        case.call_evidence(call),
        case.evidence(f"the raylet's debug_state.txt: num_waiting_for_plasma_memory {waiting}"),
    ]
    if frame is not None:
        evidence.append(case.evidence("the run waits there", frame))
    advice = (
        "A running call keeps its arguments in the store until it ends: see whether one waits for a call with large "
        "arguments of its own; pass less, or give Ray more (`--object-store-memory`)."
    )
    finding = case.finding("object-store-full", sentence, culprit, frame, case.links(edges), tuple(evidence), advice)
    return finding.suspected()
