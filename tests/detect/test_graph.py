"""The graph alone: what may move, what is stuck, and the shortest way through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.graph import Edge, EdgeKind, Motion, MotionKind, Node, NodeKind, WaitGraph

WORKS = (Motion(MotionKind.WORKS, "it works"),)


def _graph(edges: list[tuple[str, str, bool]], moving: str = "") -> WaitGraph:
    names = {name for edge in edges for name in edge[:2]} | set(moving)
    nodes = {name: Node(name, NodeKind.CALL, name, motions=WORKS if name in moving else ()) for name in sorted(names)}
    return WaitGraph(nodes, tuple(Edge(a, b, EdgeKind.GET, "why", any_of) for a, b, any_of in edges))


def test_a_cycle_without_a_way_out_is_stuck() -> None:
    graph = _graph([("a", "b", False), ("b", "a", False)])
    assert graph.stuck("a") and graph.stuck("b")


def test_who_waits_for_all_moves_only_when_all_move() -> None:
    assert _graph([("a", "b", False), ("a", "c", False)], moving="b").stuck("a")
    assert not _graph([("a", "b", False), ("a", "c", False)], moving="bc").stuck("a")


def test_who_waits_for_one_moves_when_one_moves() -> None:
    assert not _graph([("a", "b", True), ("a", "c", True)], moving="c").stuck("a")
    assert _graph([("a", "b", True), ("a", "c", True)]).stuck("a")


def test_a_node_that_is_not_there_is_not_stuck() -> None:
    assert not _graph([("a", "b", False)]).stuck("z")


def test_the_shortest_chain_is_found_and_new_calls_are_no_chain() -> None:
    graph = _graph([("a", "b", False), ("b", "d", False), ("a", "c", False), ("c", "e", False), ("e", "d", False)])
    path = graph.path(["a"], lambda node: node.key == "d")
    assert path is not None and [edge.waits_for for edge in path] == ["b", "d"]
    assert graph.path(["d"], lambda node: node.key == "a") is None
    world = WaitGraph(graph.nodes, (Edge("d", "a", EdgeKind.RUN, "a new call", True),))
    assert world.path(["d"], lambda node: node.key == "a") is None


@given(
    edges=st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.booleans()), max_size=20),
    moving=st.sets(st.sampled_from("abcdef")),
    more=st.sampled_from("abcdef"),
)
def test_more_motion_never_makes_more_stuck(edges: list[tuple[str, str, bool]], moving: set[str], more: str) -> None:
    before = _graph(edges, moving="".join(moving))
    after = _graph(edges, moving="".join(moving | {more}))
    assert before.moving <= after.moving


def test_a_long_chain_is_no_recursion() -> None:
    edges = [(f"n{index}", f"n{index + 1}", False) for index in range(20000)]
    graph = _graph(edges)
    assert graph.stuck("n0")
    assert len(graph.path(["n0"], lambda node: node.key == "n20000") or ()) == 20000
