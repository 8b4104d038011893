"""`actor-dead`: the run waits for a call of an actor that Ray holds dead.

Decisive: the actor DEAD and its call unfinished in both samples, and a chain from the trainer to that call.
"""

from __future__ import annotations

from monitor.detect.case import Case
from monitor.detect.wait_graph import call_key
from monitor.model.finding import Culprit, Finding
from monitor.model.snapshot import RayActor, RayCall


def find(case: Case) -> tuple[Finding, ...]:
    """One finding a dead actor that is waited for."""
    before = {actor.actor_id: actor for actor in case.scene.earlier.actors} if case.scene.earlier else {}
    found = []
    for actor in case.scene.later.actors:
        was = before.get(actor.actor_id)
        if actor.state != "DEAD" or was is None or was.state != "DEAD":
            continue
        calls = [call for call in case.scene.calls_of_actor.get(actor.actor_id, ()) if case.scene.call_held(call)]
        finding = _finding(case, actor, calls) if calls else None
        if finding is not None:
            found.append(finding)
    return tuple(found)


def _finding(case: Case, actor: RayActor, calls: list[RayCall]) -> Finding | None:
    by_key = {call_key(call.task_id): call for call in calls if case.graph.stuck(call_key(call.task_id))}
    edges = case.chain_edges(lambda node: node.key in by_key)
    if not edges:
        return None
    call = by_key[edges[-1].waits_for]
    name = actor.name or actor.class_name
    because = f": {actor.death_cause}" if actor.death_cause else ""
    frame = case.waiter_frame(edges)
    evidence = (
        case.evidence(f"Ray's State API: actor {name} ({actor.actor_id}) is DEAD {case.both}{because}"),
        case.call_evidence(call),
    )
    return case.finding(
        "actor-dead",
        f"The run waits for {call.name}, but its actor {name} is dead{because}.",
        Culprit(actor.pid, f"{actor.class_name} (pid {actor.pid})", name, call.name),
        frame,
        case.links(edges),
        evidence,
        "Look for why it died in its worker's log; the caller needs a restart or an error.",
    )
