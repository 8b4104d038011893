"""`actor-cycle`: actors that wait for each other's calls in a circle.

Decisive: a closed chain of waits (`ray.get`, `await` of a call, a call on the thread or task that runs it) through two
processes or more, every node of it proved to stand still in both samples, and a chain from the trainer into it. A
circle through a full queue of slots is `control-queue`, one inside a single actor `self-get`.
"""

from __future__ import annotations

from monitor.detect.case import Case
from monitor.detect.frames import place
from monitor.detect.graph import Edge, EdgeKind, NodeKind
from monitor.model.finding import Finding

CIRCLE = frozenset({EdgeKind.GET, EdgeKind.AWAIT, EdgeKind.RUNS})


def find(case: Case) -> tuple[Finding, ...]:
    """At most one: the circle that the trainer's chain comes to first."""
    for key in sorted(case.reached()):
        if case.graph.stuck(key) and case.graph.nodes[key].kind in (NodeKind.THREAD, NodeKind.TASK):
            circle = _circle(case, key)
            if circle and len(_pids(case, circle)) > 1:
                return _finding(case, key, circle)
    return ()


def _circle(case: Case, start: str) -> tuple[Edge, ...]:
    """The shortest closed chain of stuck nodes through `start`; empty where there is none."""
    graph = case.graph
    came: dict[str, Edge] = {}
    queue = [start]
    for key in queue:
        for edge in graph.outgoing.get(key, ()):
            if edge.kind not in CIRCLE or not graph.stuck(edge.waits_for) or edge.waits_for in came:
                continue
            came[edge.waits_for] = edge
            if edge.waits_for == start:
                return _back(came, start)
            queue.append(edge.waits_for)
    return ()


def _back(came: dict[str, Edge], start: str) -> tuple[Edge, ...]:
    edges = [came[start]]
    while edges[-1].waiter != start:
        edges.append(came[edges[-1].waiter])
    return tuple(reversed(edges))


def _pids(case: Case, circle: tuple[Edge, ...]) -> set[int | None]:
    return {case.graph.nodes[edge.waiter].pid for edge in circle} - {None}


def _finding(case: Case, key: str, circle: tuple[Edge, ...]) -> tuple[Finding, ...]:
    edges = case.chain_edges(lambda node: node.key == key)
    node = case.graph.nodes[key]
    process = case.scene.processes.get(node.pid or 0)
    if edges is None or process is None:
        return ()
    waiters = [case.graph.nodes[edge.waiter] for edge in circle if case.graph.nodes[edge.waiter].frame is not None]
    names = " → ".join(dict.fromkeys(waiter.label for waiter in waiters))
    calls = [
        call for edge in circle if (call := case.scene.calls.get(edge.waits_for.removeprefix("call:"))) is not None
    ]
    sentence = f"Actors wait for each other in a circle: {names} → {node.label}, at {place(node.frame)}."
    evidence = (
        *[
            case.evidence(f"{waiter.label} waits at {place(waiter.frame)} {case.both}", waiter.frame)
            for waiter in waiters[:4]
        ],
        *[case.call_evidence(call) for call in calls[:4]],
        case.flat_cpu(process.pid),
    )
    advice = (
        f"Break the circle at {place(node.frame)}: return the value instead of asking back, make one of the actors "
        "async, or give the asked method a concurrency group of its own."
    )
    links = case.links((*edges, *circle))
    return (case.finding("actor-cycle", sentence, case.culprit(process), node.frame, links, evidence, advice),)
