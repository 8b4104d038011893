"""`infeasible-resources` and `cpu-starvation`: the run waits for a call that Ray can't place.

Decisive: PENDING_NODE_ASSIGNMENT in both samples and a chain from the trainer to that call (or to a call of the actor
that it creates). Infeasible: it asks for more of a resource than any living node has in all. Starved: every node that
could hold it has that resource held by living actors of the run, for their whole lives, and nothing of the run works.
Both are suspicions where an autoscaler may add nodes, or it is not known whether one may, and where the nodes were not
the same in both samples. Starved is one, too, where a holder, the driver or the trainer may go on by itself: it could
end the holder. A new node can still cure a proved one; the sentence says so.

A placement group that asks for more than the nodes have is always a suspicion: which object is the group's, Ray does
not tell.
"""

from __future__ import annotations

from collections.abc import Iterable

from monitor.detect.case import TRAINER_ROLES, Case
from monitor.detect.frames import place
from monitor.detect.graph import Edge, NodeKind
from monitor.detect.wait_graph import call_key
from monitor.model.fact import Evidence
from monitor.model.finding import Culprit, Finding
from monitor.model.snapshot import RayActor, RayCall, RayGroup, RayNodeTotals

PENDING = "PENDING_NODE_ASSIGNMENT"
MOVERS = frozenset({NodeKind.PROCESS, NodeKind.THREAD, NodeKind.TASK})
PLACED = ("bundle", "_group_")
"""Resources of a placement group: they exist once it is placed."""


def find(case: Case) -> tuple[Finding, ...]:
    """At most one a class: the first pending call that the trainer waits for."""
    if not case.scene.later.nodes:
        return ()
    for call in case.scene.later.calls:
        if call.state == PENDING and case.scene.call_held(call) and not _placed(call):
            edges = chain_to(case, call)
            if edges is not None:
                finding = _infeasible(case, call, edges) or _starved(case, call, edges)
                if finding is not None:
                    return (finding,)
    return _groups(case)


def _groups(case: Case) -> tuple[Finding, ...]:
    """A placement group that no set of the nodes holds, while the run waits for an object without a record."""
    before = {group.group_id for group in case.scene.earlier.groups} if case.scene.earlier else set()
    edges = case.chain_edges(lambda node: node.kind is NodeKind.OBJECT and bool(node.motions))
    if not edges or case.working():
        return ()
    for group in case.scene.later.groups:
        over = _beyond(group, case.scene.later.nodes) if group.group_id in before else ""
        if over:
            return (_group_finding(case, group, over, edges),)
    return ()


def _beyond(group: RayGroup, nodes: tuple[RayNodeTotals, ...]) -> str:
    """What it asks for and the cluster has not, in words; empty where it would fit if nothing else were there."""
    for name in sorted({name for bundle in group.bundles for name in bundle}):
        asked = [bundle.get(name, 0.0) for bundle in group.bundles]
        most = max((node.totals.get(name, 0.0) for node in nodes), default=0.0)
        if max(asked) > most:
            return f"a bundle of {max(asked):g} {name} (the most a node has: {most:g})"
        total = sum(node.totals.get(name, 0.0) for node in nodes)
        if sum(asked) > total:
            return f"{len(asked)} bundles of {sum(asked):g} {name} together (all nodes have {total:g})"
    return ""


def _group_finding(case: Case, group: RayGroup, over: str, edges: tuple[Edge, ...]) -> Finding:
    name = group.name or f"{group.group_id[:16]}…"
    waiter = case.graph.nodes[edges[-1].waiter]
    frame = case.waiter_frame(edges)
    sentence = (
        f"Placement group {name} can't be placed: it asks for {over}. The run waits for an object that Ray has no "
        f"record of{f' at {place(frame)}' if frame else ''}, as the group's own object is; that it is this one is not "
        "proved."
    )
    evidence = [case.evidence(f"Ray's State API: placement group {name} is {group.state} {case.both}")]
    if frame is not None:
        evidence.append(case.evidence("the run waits there", frame))
    process = case.scene.processes.get(waiter.pid or 0)
    culprit = case.culprit(process) if process else Culprit(None, f"placement group {name}")
    advice = "Ask for what the nodes have (`trainer.nnodes`, `trainer.n_gpus_per_node`), or add nodes."
    links = case.links(edges)
    finding = case.finding("infeasible-resources", sentence, culprit, frame, links, tuple(evidence), advice)
    return finding.suspected()


def _placed(call: RayCall) -> bool:
    return any(mark in name for name in call.required_resources for mark in PLACED)


def chain_to(case: Case, call: RayCall) -> tuple[Edge, ...] | None:
    """The chain from the trainer to a call that is not placed, or to one of the actor that it creates."""
    keys = {call_key(call.task_id)}
    if call.kind == "ACTOR_CREATION_TASK" and call.actor_id:
        keys |= {call_key(other.task_id) for other in case.scene.calls_of_actor.get(call.actor_id, ())}
    return case.chain_edges(lambda node: node.key in keys)


def _infeasible(case: Case, call: RayCall, edges: tuple[Edge, ...]) -> Finding | None:
    nodes = case.scene.later.nodes
    over = {
        name: (needed, max((node.totals.get(name, 0.0) for node in nodes), default=0.0))
        for name, needed in call.required_resources.items()
        if all(node.totals.get(name, 0.0) < needed for node in nodes)
    }
    if not over:
        return None
    asks = ", ".join(f"{needed:g} {name} (the most a node has: {most:g})" for name, (needed, most) in over.items())
    sentence = (
        f"{call.name} can't be placed: it asks for {asks}, and no living node has that; only a new node would help."
    )
    said = case.evidence(f"Ray's State API: {len(nodes)} living nodes, required {call.required_resources}")
    advice = "Ask for what a node has, or add a node that has it."
    return _finding(case, "infeasible-resources", sentence, call, edges, (said,), advice, proved=_fixed(case))


def _starved(case: Case, call: RayCall, edges: tuple[Edge, ...]) -> Finding | None:
    holders = [actor for actor in case.scene.later.actors if actor.state == "ALIVE" and actor.required_resources]
    held: list[tuple[RayActor, str]] = []
    for node in case.scene.later.nodes:
        own = [actor for actor in holders if actor.node_id == node.node_id]
        short = [
            name
            for name, needed in call.required_resources.items()
            if node.totals.get(name, 0.0) - _sum(own, name) < needed
        ]
        if not short:
            return None
        held += [(actor, short[0]) for actor in own if short[0] in actor.required_resources]
    if not held or case.working():
        return None
    names = ", ".join(
        f"{actor.name or actor.class_name} ({actor.required_resources[name]:g} {name})" for actor, name in held[:4]
    )
    sentence = (
        f"{call.name} waits for {call.required_resources}, all of which living actors of this run hold: {names}. They "
        "give it back only when they end, and the run waits for the call."
    )
    said = tuple(
        case.evidence(
            f"Ray's State API: actor {actor.name or actor.class_name} is ALIVE and holds {actor.required_resources}"
        )
        for actor, _ in held[:4]
    )
    advice = "Leave CPUs for the tasks that actors start: fewer `num_cpus` an actor, or `num_cpus=0` for such a task."
    proved = _fixed(case) and not _may_end(case, {actor.pid for actor, _ in held})
    return _finding(case, "cpu-starvation", sentence, call, edges, said, advice, proved=proved)


def _fixed(case: Case) -> bool:
    """The cluster is what it was, and nobody is configured to add nodes."""
    earlier, later = case.scene.earlier, case.scene.later
    same = earlier is not None and earlier.nodes == later.nodes
    return same and earlier is not None and earlier.grows is False and later.grows is False


def _may_end(case: Case, pids: set[int | None]) -> bool:
    """A holder may end by itself or was not read, or who could end it may go on."""
    processes = case.scene.processes
    if not pids <= set(processes):
        return True
    watched = pids | {process.pid for process in processes.values() if process.role in TRAINER_ROLES}
    nodes = case.graph.nodes.values()
    return any(node.motions and node.kind in MOVERS and node.pid in watched for node in nodes)


def _sum(actors: Iterable[RayActor], name: str) -> float:
    return sum(actor.required_resources.get(name, 0.0) for actor in actors)


def _finding(
    case: Case,
    hang_class: str,
    sentence: str,
    call: RayCall,
    edges: tuple[Edge, ...],
    said: tuple[Evidence, ...],
    advice: str,
    *,
    proved: bool,
) -> Finding:
    process = case.scene.processes.get(case.scene.caller(call) or 0)
    culprit = (
        case.culprit(process, call.name)
        if process
        else Culprit(None, f"call {call.name}, not yet placed", None, call.name)
    )
    frame = case.waiter_frame(edges)
    evidence = (case.call_evidence(call), *said)
    if frame is not None:
        evidence = (*evidence, case.evidence("the run waits for it there", frame))
    if not proved:
        sentence += " That this stays so is not proved: a node may be added, or a holder may end."
    finding = case.finding(hang_class, sentence, culprit, frame, case.links(edges), evidence, advice)
    return finding if proved else finding.suspected()
