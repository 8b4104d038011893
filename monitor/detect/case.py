"""A stretch without progress, ready for the rules: its scene, its graph, and the ways from the trainer into it.

Covers what several rules need: chains as people read them, evidence in words, the advice that every hang shares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from monitor.detect.frames import place
from monitor.detect.graph import Edge, EdgeKind, Motion, MotionKind, Node, NodeKind, WaitGraph
from monitor.detect.scene import Scene
from monitor.detect.thread_waits import Doing, thread_wait
from monitor.detect.wait_graph import build_from, process_key
from monitor.model.fact import Evidence
from monitor.model.finding import Culprit, Finding, WaitLink
from monitor.model.snapshot import Frame, ProcessState, RayCall, Snapshot, ThreadState

TRAINER_ROLES = ("driver", "trainer")
LAST_PHASES = frozenset({"testing", "validate", "validation"})


class Case:
    """Two snapshots and the graph of what held in both."""

    def __init__(self, earlier: Snapshot, later: Snapshot) -> None:
        self.scene = Scene(later, earlier)
        self.graph: WaitGraph = build_from(self.scene)
        self.position = later.position

    @property
    def overdue(self) -> bool:
        """The run was silent for longer than the learned limit of its phase."""
        limit, moved_at = self.position.phase_limit_seconds, self.position.last_moved_at
        return limit is not None and moved_at is not None and self.scene.later.taken_at - moved_at > limit

    @cached_property
    def starts(self) -> tuple[tuple[str, ...], ...]:
        """Where chains begin, the driver before the trainer: their threads that wait in Ray, or else, where they run
        an event loop or poll, any call that they made."""
        found = []
        for role in TRAINER_ROLES:
            processes = [process for process in self.scene.processes.values() if process.role == role]
            pids = {process.pid for process in processes}
            threads = [node.key for node in self.graph.nodes.values() if node.pid in pids and _is_thread(node)]
            waiting = tuple(key for key in threads if key in self.graph.outgoing)
            asking = tuple(process_key(process.pid) for process in processes if self._asks(process))
            found.append(waiting or asking)
        return tuple(group for group in found if group)

    def _asks(self, process: ProcessState) -> bool:
        """It waits in ways that no thread shows: in asyncio tasks, or asking again and again."""
        if self.scene.loops(process):
            return True
        main = (thread for thread in process.threads if thread.name == "MainThread")
        return any(thread_wait(thread).doing is Doing.TIMED for thread in main)

    def chain_edges(self, wanted: Callable[[Node], bool]) -> tuple[Edge, ...] | None:
        """The chain of waits from the trainer to a wanted node, None where there is none."""
        for group in self.starts:
            edges = self.graph.path(group, wanted)
            if edges is not None:
                return edges
        return None

    def reached(self, avoid: frozenset[EdgeKind] = frozenset()) -> frozenset[str]:
        """Every node that the trainer's chains come to."""
        found: set[str] = set()
        for group in self.starts:
            found |= self.graph.reached(group, avoid)
        return frozenset(found)

    def links(self, edges: Iterable[Edge]) -> tuple[WaitLink, ...]:
        """A chain as people read it: from process to process, a call's name in between."""
        nodes, links = self.graph.nodes, []
        pending: tuple[str, str] | None = None
        for edge in edges:
            waiter, target = nodes[edge.waiter], nodes[edge.waits_for]
            if pending is not None and edge.kind is EdgeKind.RUNS:
                source, why = pending
                links.append(WaitLink(source, target.label, f"{why} of {waiter.label}: {edge.why}"))
                pending = None
                continue
            if pending is not None:
                links.append(WaitLink(pending[0], waiter.label, pending[1]))
                pending = None
            if target.kind is NodeKind.CALL:
                pending = (waiter.label, edge.why)
            elif waiter.kind is NodeKind.CALL or waiter.pid != target.pid:
                links.append(WaitLink(waiter.label, target.label, edge.why))
        if pending is not None:
            links.append(WaitLink(pending[0], nodes[edge.waits_for].label, pending[1]))
        return tuple(links)

    def working(self) -> tuple[Motion, ...]:
        """Everything in the run that was seen to work."""
        return tuple(
            motion for node in self.graph.nodes.values() for motion in node.motions if motion.kind is MotionKind.WORKS
        )

    def waiter_frame(self, edges: Iterable[Edge]) -> Frame | None:
        """The person's line of the last waiter on a chain that has one."""
        frames = [self.graph.nodes[edge.waiter].frame for edge in edges]
        return next((frame for frame in reversed(frames) if frame is not None), None)

    # -- words

    @property
    def both(self) -> str:
        """`in two samples 3.1 s apart`."""
        return f"in two samples {self.scene.seconds:.1f} s apart"

    def evidence(self, what: str, frame: Frame | None = None) -> Evidence:
        """A piece of evidence from the later snapshot."""
        at = self.scene.later.taken_at
        return Evidence(what, frame.file if frame else None, frame.line if frame else None, at)

    def flat_cpu(self, pid: int) -> Evidence:
        """That a process uses next to no CPU."""
        rate = self.scene.cpu_rate(pid) or 0.0
        return self.evidence(f"{self.scene.label(pid)} used {100 * rate:.0f} % of a CPU between the samples")

    def call_evidence(self, call: RayCall) -> Evidence:
        """What Ray's State API says of a call."""
        return self.evidence(f"Ray's State API: {call.name} ({call.task_id[:16]}…) is {call.state} {self.both}")

    def culprit(self, process: ProcessState, task: str | None = None) -> Culprit:
        """A process as a culprit."""
        actor = self.scene.actors.get(process.actor_id or "")
        name = (actor.name or actor.class_name) if actor else None
        return Culprit(process.pid, self.scene.label(process.pid), name, task)

    def finding(
        self,
        hang_class: str,
        sentence: str,
        culprit: Culprit,
        frame: Frame | None,
        chain: tuple[WaitLink, ...],
        evidence: tuple[Evidence, ...],
        advice: str,
    ) -> Finding:
        """A proved finding."""
        file, line = (frame.file, frame.line) if frame else (None, None)
        advice = " ".join(part for part in (advice, self.weights_at_stake()) if part)
        moved_at = self.position.last_moved_at
        seconds = self.scene.later.taken_at - moved_at if moved_at is not None else None
        return Finding(hang_class, True, sentence, culprit, file, line, chain, evidence, advice, seconds)

    def weights_at_stake(self) -> str:
        """What is lost if the run is killed now; empty where the last step's checkpoint lies on disk."""
        position = self.position
        newest, total = position.newest_checkpoint_step, position.total_steps
        reached = max(position.step or 0, position.validation_step or 0)
        if position.save_order != "validate-first" or total is None or reached < total:
            return ""
        if newest is not None and newest >= total:
            return ""
        kept = f"the newest complete checkpoint is of step {newest}" if newest is not None else "there is no checkpoint"
        return (
            f"This run saves after its final validation: the weights of step {total} exist only in the hung processes "
            f"({kept}). Ending them loses those weights."
        )

    def describe(self, process: ProcessState, thread: ThreadState, frame: Frame | None) -> str:
        """`thread X of Y stands at f (file:1) in two samples …`."""
        where = place(frame) or thread.frames[0].function
        return f"thread {thread.name} of {self.scene.label(process.pid)} stands at {where} {self.both}"


def _is_thread(node: Node) -> bool:
    return node.kind is NodeKind.THREAD
