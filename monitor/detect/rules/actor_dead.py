"""`actor-dead`: the run waits for a call of an actor that Ray holds dead.

Decisive: the actor DEAD and its call unfinished in both samples, and a chain from the trainer to that call.

A suspicion where it is RESTARTING in both samples: it may come back.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.detect.case import Case
from monitor.detect.wait_graph import call_key
from monitor.model.finding import Culprit, Finding
from monitor.model.snapshot import RayActor, RayCall


def find(case: Case) -> tuple[Finding, ...]:
    """One finding a dead actor that is waited for."""
    found = []
    for actor in case.scene.actors_held():
        if actor.state not in FINDERS:
            continue
        calls = [call for call in case.scene.calls_of_actor.get(actor.actor_id, ()) if case.scene.call_held(call)]
        finding = FINDERS[actor.state](case, actor, calls) if calls else None
        if finding is not None:
            found.append(finding)
    return tuple(found)


def _dead(case: Case, actor: RayActor, calls: list[RayCall]) -> Finding | None:
    stuck = [call for call in calls if case.graph.stuck(call_key(call.task_id))]
    because = f": {actor.death_cause}" if actor.death_cause else ""

    def culprit(call: RayCall) -> Culprit:
        return Culprit(actor.pid, f"{actor.class_name} (pid {actor.pid})", _name(actor), call.name)

    advice = "Look for why it died in its worker's log; the caller needs a restart or an error."
    return _waited_for(case, actor, stuck, because, f"is dead{because}", culprit, advice)


def _restarting(case: Case, actor: RayActor, calls: list[RayCall]) -> Finding | None:
    if case.working():
        return None

    def culprit(call: RayCall) -> Culprit:
        process = case.scene.processes.get(case.scene.caller(call) or 0)
        if process is not None:
            return case.culprit(process, call.name)
        return Culprit(None, f"{actor.class_name} {_name(actor)}", _name(actor), call.name)

    advice = "Look for why it died in its worker's log, and whether another actor took its resources meanwhile."
    how = "died and is not back; it may still come back"
    finding = _waited_for(case, actor, calls, "", how, culprit, advice)
    return finding.suspected() if finding is not None else None


def _waited_for(
    case: Case,
    actor: RayActor,
    calls: list[RayCall],
    because: str,
    how: str,
    culprit: Callable[[RayCall], Culprit],
    advice: str,
) -> Finding | None:
    """The finding on the call among `calls` that the trainer's chain comes to; None where it comes to none."""
    by_key = {call_key(call.task_id): call for call in calls}
    edges = case.chain_edges(lambda node: node.key in by_key)
    if not edges:
        return None
    call = by_key[edges[-1].waits_for]
    state = f"Ray's State API: actor {_name(actor)} ({actor.actor_id}) is {actor.state} {case.both}{because}"
    return case.finding(
        "actor-dead",
        f"The run waits for {call.name}, but its actor {_name(actor)} {how}.",
        culprit(call),
        case.waiter_frame(edges),
        case.links(edges),
        (case.evidence(state), case.call_evidence(call)),
        advice,
    )


def _name(actor: RayActor) -> str:
    return actor.name or actor.class_name


FINDERS = {"DEAD": _dead, "RESTARTING": _restarting}
