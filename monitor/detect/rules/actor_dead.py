"""`actor-dead`: the run waits for a call of an actor that Ray holds dead.

Decisive: the actor DEAD and its call unfinished in both samples, and a chain from the trainer to that call.

A suspicion where it is RESTARTING in both samples: it may come back.
"""

from __future__ import annotations

from dataclasses import replace

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
        if was is None or was.state != actor.state or actor.state not in FINDERS:
            continue
        calls = [call for call in case.scene.calls_of_actor.get(actor.actor_id, ()) if case.scene.call_held(call)]
        finding = FINDERS[actor.state](case, actor, calls) if calls else None
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


def _restarting(case: Case, actor: RayActor, calls: list[RayCall]) -> Finding | None:
    by_key = {call_key(call.task_id): call for call in calls}
    edges = case.chain_edges(lambda node: node.key in by_key)
    if not edges or case.working():
        return None
    call = by_key[edges[-1].waits_for]
    name = actor.name or actor.class_name
    process = case.scene.processes.get(case.scene.caller(call) or 0)
    evidence = (
        case.evidence(f"Ray's State API: actor {name} ({actor.actor_id}) is {actor.state} {case.both}"),
        case.call_evidence(call),
    )
    finding = case.finding(
        "actor-dead",
        f"The run waits for {call.name}, but its actor {name} died and is not back; it may still come back.",
        case.culprit(process, call.name) if process else Culprit(None, f"{actor.class_name} {name}", name, call.name),
        case.waiter_frame(edges),
        case.links(edges),
        evidence,
        "Look for why it died in its worker's log, and whether another actor took its resources meanwhile.",
    )
    return replace(finding, proved=False, seconds_to_proof=None)


FINDERS = {"DEAD": _finding, "RESTARTING": _restarting}
