"""The wait-for graph as data, and what follows from it alone: which nodes may still move, and who reaches whom.

A node moves if it has a motion of its own, if all nodes of its `all` edges move, or if one node of its `any` edges
moves; the least such set. Everything not known to stand still has a motion, so what is left over, `stuck`, is proved:
leaving a piece of evidence out can only make it smaller. Linear in nodes and edges.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from monitor.model.snapshot import Frame


class MotionKind(str, enum.Enum):
    """Why a node may move."""

    WORKS = "works"
    """It was seen to move or to use a CPU."""
    MAY = "may"
    """It waits for a timer, a socket, a child: something that can come by itself."""
    STOPPED = "stopped"
    """Its process is stopped by a signal: it moves when continued."""
    UNSEEN = "unseen"
    """It was not read: another node, another PID namespace, no permission, one sample only."""


@dataclass(frozen=True)
class Motion:
    """One reason why a node may move."""

    kind: MotionKind
    text: str


class NodeKind(str, enum.Enum):
    """What a node is."""

    THREAD = "thread"
    TASK = "task"
    CALL = "call"
    OBJECT = "object"
    PROCESS = "process"
    """Whatever inside a process may wake what waits in it."""
    RUN = "run"
    """Whoever in the run may make a new call."""


@dataclass(frozen=True)
class Node:
    """A waiter, or something waited for."""

    key: str
    kind: NodeKind
    label: str
    pid: int | None = None
    motions: tuple[Motion, ...] = ()
    frame: Frame | None = None
    """The person's line where it waits."""


class EdgeKind(str, enum.Enum):
    """What kind of wait an edge is."""

    GET = "get"
    AWAIT = "await"
    RUNS = "runs"
    """A call waits for what executes it."""
    SLOT = "slot"
    """A queued call waits for a concurrency slot."""
    WOKEN = "woken"
    """It waits for anything in its process."""
    MADE = "made"
    """The process waits, perhaps, for a call that it made."""
    INSIDE = "inside"
    """Part of what moves inside a process."""
    POLLS = "polls"
    """The trainer asks again and again for samples, which that process makes."""
    RUN = "run"
    """A new call could come from anyone in the run."""


@dataclass(frozen=True)
class Edge:
    """`waiter` waits for `waits_for`. `any`: one of the waiter's such edges is enough."""

    waiter: str
    waits_for: str
    kind: EdgeKind
    why: str
    any: bool = False


@dataclass(frozen=True)
class WaitGraph:
    """Nodes by key, and the waits between them."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()

    @cached_property
    def outgoing(self) -> dict[str, tuple[Edge, ...]]:
        """Edges by waiter."""
        found: dict[str, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.waiter, []).append(edge)
        return {key: tuple(edges) for key, edges in found.items()}

    @cached_property
    def moving(self) -> frozenset[str]:
        """Every node that may still move."""
        needs = {key: sum(not edge.any for edge in edges) for key, edges in self.outgoing.items()}
        waiters: dict[str, list[Edge]] = {}
        for edge in self.edges:
            waiters.setdefault(edge.waits_for, []).append(edge)
        found = {key for key, node in self.nodes.items() if node.motions}
        queue = deque(found)
        while queue:
            for edge in waiters.get(queue.popleft(), ()):
                if not edge.any:
                    needs[edge.waiter] -= 1
                if edge.waiter not in found and (edge.any or needs[edge.waiter] == 0):
                    found.add(edge.waiter)
                    queue.append(edge.waiter)
        return frozenset(found)

    def stuck(self, key: str) -> bool:
        """Proved: nothing that was read can free this node."""
        return key in self.nodes and key not in self.moving

    def path(
        self, starts: Iterable[str], wanted: Callable[[Node], bool], avoid: frozenset[EdgeKind] = frozenset()
    ) -> tuple[Edge, ...] | None:
        """The shortest chain of waits from one of `starts` to a wanted node, new calls from anywhere left out.

        None: there is none. Empty: a start is wanted itself.
        """
        came: dict[str, Edge | None] = {key: None for key in starts if key in self.nodes}
        queue = deque(came)
        while queue:
            key = queue.popleft()
            if wanted(self.nodes[key]):
                return self._back(came, key)
            for edge in self.outgoing.get(key, ()):
                if edge.kind is not EdgeKind.RUN and edge.kind not in avoid and edge.waits_for not in came:
                    came[edge.waits_for] = edge
                    queue.append(edge.waits_for)
        return None

    def reached(self, starts: Iterable[str], avoid: frozenset[EdgeKind] = frozenset()) -> frozenset[str]:
        """Every node that a chain of waits from `starts` comes to."""
        found = {key for key in starts if key in self.nodes}
        queue = deque(found)
        while queue:
            for edge in self.outgoing.get(queue.popleft(), ()):
                if edge.kind is not EdgeKind.RUN and edge.kind not in avoid and edge.waits_for not in found:
                    found.add(edge.waits_for)
                    queue.append(edge.waits_for)
        return frozenset(found)

    @staticmethod
    def _back(came: dict[str, Edge | None], key: str) -> tuple[Edge, ...]:
        edges: list[Edge] = []
        edge = came[key]
        while edge is not None:
            edges.append(edge)
            edge = came[edge.waiter]
        return tuple(reversed(edges))
