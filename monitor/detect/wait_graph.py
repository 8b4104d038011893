"""Building the wait-for graph of a run from its snapshots: threads, asyncio tasks, Ray calls, objects, processes.

Pure. `build(later, earlier)` gives a graph in which only what held in both samples stands still; with one snapshot
alone every node has a motion, so nothing is ever proved from it. Collectives, placement groups and locks by owner are
not nodes yet: who waits for those waits for `anything in the process`, or is called unknown.
"""

from __future__ import annotations

from monitor.detect import motions
from monitor.detect.frames import innermost_users, place
from monitor.detect.graph import Edge, EdgeKind, Motion, Node, NodeKind, WaitGraph
from monitor.detect.scene import QUEUED, RUNNING, SENT, TASK_DIGITS, Scene, actor_of
from monitor.detect.thread_waits import Doing, ThreadWait, polls_for_samples, thread_wait
from monitor.model.snapshot import AsyncioTask, ProcessState, RayCall, Snapshot, ThreadState

RUN_KEY = "run"


def build(snapshot: Snapshot, earlier: Snapshot | None = None) -> WaitGraph:
    """The graph of `snapshot`, judged against an earlier one of the same stretch."""
    return build_from(Scene(snapshot, earlier))


def build_from(scene: Scene) -> WaitGraph:
    """The graph of a scene."""
    return _Builder(scene).build()


def thread_key(pid: int, thread: ThreadState) -> str:
    """Key of a thread's node."""
    return f"thread:{pid}/{thread.thread_id or thread.name}"


def task_key(pid: int, key: str) -> str:
    """Key of an asyncio task's node."""
    return f"task:{pid}/{key}"


def call_key(task_id: str) -> str:
    """Key of a Ray call's node."""
    return f"call:{task_id}"


def process_key(pid: int) -> str:
    """Key of the node for whatever wakes what waits inside a process."""
    return f"process:{pid}"


SAMPLE_MAKERS = "agent-loop"
"""The role whose processes fill a replay buffer."""


def slots_taken(scene: Scene, process: ProcessState) -> bool:
    """The actor lets no new call in: calls wait for its slots, and all its slots are held, in both samples."""
    if process.actor_id is None or len(scene.loops(process)) > 1:
        return False
    calls = [call for call in scene.calls_of_actor.get(process.actor_id, ()) if scene.call_held(call)]
    running = sum(call.state in RUNNING for call in calls)
    queued = any(call.state == QUEUED for call in calls)
    return queued and running > 0 and (process.max_concurrency is None or running >= process.max_concurrency)


class _Builder:
    """Collects nodes and edges of one scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []

    def build(self) -> WaitGraph:
        for process in self.scene.processes.values():
            self._process(process)
        for call in self.scene.later.calls:
            self._call(call)
        self._run()
        for edge in self.edges:
            if edge.waits_for not in self.nodes:
                unread = (motions.unseen(f"{edge.waits_for} was not read"),)
                self.nodes[edge.waits_for] = Node(edge.waits_for, NodeKind.OBJECT, edge.waits_for, None, unread)
        return WaitGraph(self.nodes, tuple(self.edges))

    def _edge(self, waiter: str, waits_for: str, kind: EdgeKind, why: str, *, any_of: bool = False) -> None:
        self.edges.append(Edge(waiter, waits_for, kind, why, any_of))

    # -- processes, their threads and tasks

    def _process(self, process: ProcessState) -> None:
        scene, key = self.scene, process_key(process.pid)
        label = scene.label(process.pid)
        self.nodes[key] = Node(key, NodeKind.PROCESS, label, process.pid, motions.of_process(scene, process))
        for thread in process.threads:
            self._thread(process, thread)
        by_key = {task.key: task for task in process.tasks or ()}
        for task in by_key.values():
            self._task(process, task, by_key)
        for call in scene.calls_made.get(process.pid, ()):
            self._edge(key, call_key(call.task_id), EdgeKind.MADE, "its own unfinished call", any_of=True)
        for child in process.children:
            if child in scene.processes:
                why = f"{scene.label(child)} is its child, and may wake it"
                self._edge(key, process_key(child), EdgeKind.INSIDE, why, any_of=True)
        if self._takes_new_calls(process):
            self._edge(key, RUN_KEY, EdgeKind.RUN, "a new call could wake it", any_of=True)

    def _takes_new_calls(self, process: ProcessState) -> bool:
        if process.role == "driver" or slots_taken(self.scene, process):
            return False
        loops = self.scene.loops(process)
        if loops:
            return len(loops) > 1 or any(thread.loop_idle for thread in loops)
        main = next((thread for thread in process.threads if thread.name == "MainThread"), None)
        return main is None or thread_wait(main).doing is Doing.SERVICE

    def _thread(self, process: ProcessState, thread: ThreadState) -> None:
        wait = thread_wait(thread)
        before = self.scene.thread_before(process, thread)
        if wait.doing is Doing.SERVICE and (before is None or thread_wait(before).doing is Doing.SERVICE):
            return
        if wait.doing is Doing.LOOP_IDLE and before is not None and thread_wait(before).doing is Doing.LOOP_IDLE:
            return
        key = thread_key(process.pid, thread)
        found = motions.of_thread(self.scene, process, thread, wait)
        label = self.scene.label(process.pid)
        self.nodes[key] = Node(key, NodeKind.THREAD, label, process.pid, found, wait.users)
        self._edge(process_key(process.pid), key, EdgeKind.INSIDE, f"thread {thread.name} runs in it", any_of=True)
        if wait.refs:
            self._waits_for_objects(process, thread, wait, key)
        elif wait.doing is Doing.LOCK:
            why = f"{wait.text} at {place(wait.users) or thread.frames[0].function}"
            self._edge(key, process_key(process.pid), EdgeKind.WOKEN, why, any_of=True)
        elif polls_for_samples(thread):
            self._polls(key, f"it polls for samples at {place(wait.users) or thread.frames[0].function}")

    def _polls(self, key: str, why: str) -> None:
        """Samples come from the agent loops, by way of a buffer that asks nobody."""
        for process in self.scene.processes.values():
            if process.role == SAMPLE_MAKERS:
                self._edge(key, process_key(process.pid), EdgeKind.POLLS, why, any_of=True)

    def _waits_for_objects(self, process: ProcessState, thread: ThreadState, wait: ThreadWait, key: str) -> None:
        any_of = wait.doing is Doing.WAIT_ANY
        where = place(wait.users)
        for ref in wait.refs:
            target = self._object(process, thread, ref)
            why = f"{wait.doing.value}{' in ' + where if where else ''}"
            self._edge(key, target, EdgeKind.GET, why, any_of=any_of)

    def _object(self, process: ProcessState, thread: ThreadState | None, ref: str) -> str:
        """Node of the object `ref`: the call that makes it, where Ray has a record of that."""
        call = self.scene.calls.get(ref[:TASK_DIGITS])
        if call is not None:
            return call_key(call.task_id)
        key = f"object:{ref}"
        if key in self.nodes:
            return key
        if self._own(process, thread, ref):
            # Its value can only come from this very loop, whatever became of Ray's record of the call.
            self.nodes[key] = Node(key, NodeKind.OBJECT, f"a call of {self.scene.label(process.pid)} itself")
            assert thread is not None
            self._edge(key, thread_key(process.pid, thread), EdgeKind.RUNS, "its own loop has to run it")
            return key
        unread = motions.unseen(f"Ray has no record of the call that makes object {ref[:16]}…")
        self.nodes[key] = Node(key, NodeKind.OBJECT, f"object {ref[:16]}…", None, (unread,))
        return key

    def _own(self, process: ProcessState, thread: ThreadState | None, ref: str) -> bool:
        one_loop = thread is not None and thread.runs_loop and len(self.scene.loops(process)) == 1
        return one_loop and process.actor_id is not None and actor_of(ref) == process.actor_id

    def _task(self, process: ProcessState, task: AsyncioTask, by_key: dict[str, AsyncioTask]) -> None:
        key = task_key(process.pid, task.key)
        frame = innermost_users(reversed(task.frames))
        label = self.scene.label(process.pid)
        blocked = self.scene.blocked_loop(process)
        # Under a blocked loop no task moves, whatever it waits for, until the loop's thread does.
        found = motions.of_task(self.scene, process, task) if blocked is None else ()
        self.nodes[key] = Node(key, NodeKind.TASK, label, process.pid, found, frame)
        self._edge(process_key(process.pid), key, EdgeKind.INSIDE, f"asyncio task {task.name} runs in it", any_of=True)
        where = f" in {place(frame)}" if frame else ""
        if blocked is not None:
            self._edge(key, thread_key(process.pid, blocked), EdgeKind.AWAIT, "its event loop is blocked")
        elif task.waits_on == "object_ref" and task.object_ref:
            self._edge(key, self._object(process, None, task.object_ref), EdgeKind.AWAIT, f"await{where}")
        elif [other for other in task.waits_for if other in by_key]:
            for other in task.waits_for:
                target = task_key(process.pid, other)
                self._edge(key, target, EdgeKind.AWAIT, f"await{where}", any_of=task.waits_any)
        elif not found:
            why = f"await of {_a(task.waits_on)}{where}"
            self._edge(key, process_key(process.pid), EdgeKind.WOKEN, why, any_of=True)

    # -- calls

    def _call(self, call: RayCall) -> None:
        key, pid = call_key(call.task_id), self.scene.executor(call)
        found = motions.of_call(self.scene, call)
        self.nodes[key] = Node(key, NodeKind.CALL, call.name or call.function, pid, found)
        process = self.scene.processes.get(pid) if pid is not None else None
        if process is None:
            return
        others = self._slot_holders(call)
        if call.state == QUEUED and others:
            why = f"queued: its actor's slots are held by {len(others)} calls ({_names(others)})"
            for other in others:
                self._edge(key, call_key(other.task_id), EdgeKind.SLOT, why, any_of=True)
        elif call.state in RUNNING | SENT | {QUEUED}:
            self._executed(key, call, process)

    def _slot_holders(self, call: RayCall) -> list[RayCall]:
        same = self.scene.calls_of_actor.get(call.actor_id or "", ())
        return [other for other in same if other.state in RUNNING and other.task_id != call.task_id]

    def _executed(self, key: str, call: RayCall, process: ProcessState) -> None:
        blocked = self.scene.blocked_loop(process)
        task = self.scene.task_of_call.get((process.pid, call.task_id))
        if blocked is not None:
            why = "it runs on an event loop that is blocked"
            self._edge(key, thread_key(process.pid, blocked), EdgeKind.RUNS, why)
        elif task is not None:
            self._edge(key, task_key(process.pid, task.key), EdgeKind.RUNS, "it runs there")
        elif self.scene.loops(process):
            why = "it runs in an event loop that is idle"
            self._edge(key, process_key(process.pid), EdgeKind.RUNS, why, any_of=True)
        else:
            self._executed_by_threads(key, process)

    def _executed_by_threads(self, key: str, process: ProcessState) -> None:
        threads = [thread for thread in process.threads if thread_wait(thread).doing is not Doing.SERVICE]
        main = [thread for thread in threads if thread.name == "MainThread"]
        for thread in main or threads:
            why = f"it runs in thread {thread.name}"
            self._edge(key, thread_key(process.pid, thread), EdgeKind.RUNS, why, any_of=True)
        if not threads:
            self._edge(key, process_key(process.pid), EdgeKind.RUNS, "it runs there", any_of=True)
            idle = motions.unseen(
                f"no thread of {self.scene.label(process.pid)} was seen to execute {self.nodes[key].label}"
            )
            node = self.nodes[key]
            self.nodes[key] = Node(node.key, node.kind, node.label, node.pid, (*node.motions, idle))

    # -- the run as a whole

    def _run(self) -> None:
        found: list[Motion] = [motions.unseen(f"{name} was not read") for name in self.scene.later.unseen]
        for actor in self.scene.later.actors:
            read = actor.pid in self.scene.processes and self.scene.is_at(actor.pid or 0, actor.node_id)
            if actor.state != "DEAD" and not read:
                found.append(motions.unseen(f"actor {actor.name or actor.class_name} was not read"))
        for snapshot in (self.scene.later, self.scene.earlier):
            for unknown in snapshot.unknown if snapshot else ():
                found.append(motions.unseen(f"{unknown.what} could not be read: {unknown.because}"))
        self.nodes[RUN_KEY] = Node(RUN_KEY, NodeKind.RUN, "anyone in the run", None, tuple(found))
        for pid in self.scene.processes:
            self._edge(RUN_KEY, process_key(pid), EdgeKind.INSIDE, "it may make a new call", any_of=True)


def _names(calls: list[RayCall]) -> str:
    return ", ".join(sorted({call.name or call.function for call in calls})[:3])


def _a(waits_on: str) -> str:
    return f"an asyncio {waits_on}" if waits_on[:1] in "aeiou" else f"a {waits_on}"
