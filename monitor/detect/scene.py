"""Two snapshots of one stretch without progress, indexed: who executes a call, who made it, what held in both.

Pure look-ups, no judgement. Everything is of the later snapshot; the earlier one says what held already then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from monitor.model.snapshot import AsyncioTask, ProcessState, RayActor, RayCall, Snapshot, ThreadState

QUEUED = "PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY"
RUNNING = frozenset({"RUNNING", "RUNNING_IN_RAY_GET", "RUNNING_IN_RAY_WAIT", "GETTING_AND_PINNING_ARGS"})
SENT = frozenset({"SUBMITTED_TO_WORKER", "PENDING_ACTOR_TASK_ARGS_FETCH"})
"""States of a call that is with its worker's process, not yet begun."""
CONTROL_ROLES = frozenset({"raylet", "gcs"})
"""Ray's own processes without which no call is placed, started or answered for."""

TASK_DIGITS = 48
"""Hex digits of a TaskID: an ObjectID begins with the id of the call that makes it."""
ACTOR_DIGITS = 32
"""Hex digits of an ActorID: the last ones of the ids of the actor's calls."""
DRIVER_TASK = "f" * 40
"""How the id of a driver's own task begins; its job's id follows."""
SAME_START_SECONDS = 2.0


def is_system(process: ProcessState) -> bool:
    """Ray's own processes, which do no work of the run: raylet, GCS, dashboard, the raylet's agents."""
    agent = process.command.startswith("ray::") and process.command.endswith("Agent")
    return process.role in CONTROL_ROLES or agent or process.label.startswith("Ray dashboard")


def actor_of(identifier: str) -> str:
    """ActorID in a TaskID or ObjectID."""
    return identifier[TASK_DIGITS - ACTOR_DIGITS : TASK_DIGITS]


class Scene:
    """Look-ups over two snapshots."""

    def __init__(self, later: Snapshot, earlier: Snapshot | None) -> None:
        self.later = later
        self.earlier = earlier
        self.seconds = later.taken_at - earlier.taken_at if earlier else 0.0
        named = {actor.pid: actor for actor in later.actors if actor.pid and actor.state == "ALIVE"}
        self.processes = {
            process.pid: _with_actor(process, named) for process in later.processes if not is_system(process)
        }
        before = {process.pid: process for process in earlier.processes} if earlier else {}
        self.before: dict[int, ProcessState] = {
            pid: before[pid]
            for pid, process in self.processes.items()
            if pid in before and abs(before[pid].started_at - process.started_at) < SAME_START_SECONDS
        }
        self.calls = {call.task_id: call for call in later.calls}
        self.calls_before = {call.task_id: call for call in earlier.calls} if earlier else {}
        self.actors: dict[str, RayActor] = {actor.actor_id: actor for actor in later.actors}

    def actors_held(self) -> tuple[RayActor, ...]:
        """Actors that Ray told to be in the same state in both samples, dead ones too."""
        before = {actor.actor_id: actor.state for actor in self.earlier.actors} if self.earlier else {}
        return tuple(actor for actor in self.later.actors if before.get(actor.actor_id) == actor.state)

    @cached_property
    def pid_of_actor(self) -> dict[str, int]:
        """Process of each actor that lives."""
        living = [actor for actor in self.later.actors if actor.pid and actor.state == "ALIVE"]
        found = {actor.actor_id: actor.pid for actor in living if actor.pid and self.is_at(actor.pid, actor.node_id)}
        found.update({process.actor_id: pid for pid, process in self.processes.items() if process.actor_id})
        return found

    @cached_property
    def drivers(self) -> tuple[ProcessState, ...]:
        """The run's driver processes."""
        return tuple(process for process in self.processes.values() if process.role == "driver")

    @cached_property
    def calls_of_actor(self) -> dict[str, list[RayCall]]:
        """Unfinished calls by the actor that executes them."""
        found: dict[str, list[RayCall]] = {}
        for call in self.later.calls:
            if call.actor_id:
                found.setdefault(call.actor_id, []).append(call)
        return found

    @cached_property
    def calls_made(self) -> dict[int, list[RayCall]]:
        """Unfinished calls by the process that made them, where that is known."""
        found: dict[int, list[RayCall]] = {}
        for call in self.later.calls:
            pid = self.caller(call)
            if pid is not None:
                found.setdefault(pid, []).append(call)
        return found

    @cached_property
    def task_of_call(self) -> dict[tuple[int, str], AsyncioTask]:
        """The asyncio task that executes a Ray call, by process and call, where the hook told."""
        return {
            (pid, task.ray_task_id): task
            for pid, process in self.processes.items()
            for task in process.tasks or ()
            if task.ray_task_id
        }

    def is_at(self, pid: int, node_id: str | None) -> bool:
        """The process that was read under this pid, if any, is the one of that node: pids repeat from node to node."""
        process = self.processes.get(pid)
        return process is None or None in (process.node_id, node_id) or process.node_id == node_id

    def executor(self, call: RayCall) -> int | None:
        """The process that executes a call, or will."""
        if call.worker_pid is not None:
            return call.worker_pid if self.is_at(call.worker_pid, call.node_id) else None
        return self.pid_of_actor.get(call.actor_id) if call.actor_id else None

    def caller(self, call: RayCall) -> int | None:
        """The process that made a call. An async actor's calls carry its ActorID only, which is enough."""
        parent = call.parent_task_id
        if not parent or len(parent) < TASK_DIGITS:
            return None
        above = self.calls.get(parent)
        if above is not None:
            return self.executor(above)
        if parent.startswith(DRIVER_TASK):
            return self.drivers[0].pid if len(self.drivers) == 1 else None
        return self.pid_of_actor.get(actor_of(parent))

    def call_held(self, call: RayCall) -> bool:
        """The call was there in the same state, in the same process, at the earlier snapshot."""
        before = self.calls_before.get(call.task_id)
        return before is not None and (before.state, before.worker_pid) == (call.state, call.worker_pid)

    def thread_before(self, process: ProcessState, thread: ThreadState) -> ThreadState | None:
        """The same thread at the earlier snapshot."""
        before = self.before.get(process.pid)
        candidates = before.threads if before else ()
        same = [old for old in candidates if (old.thread_id, old.name) == (thread.thread_id, thread.name)]
        return same[0] if len(same) == 1 else None

    def thread_held(self, process: ProcessState, thread: ThreadState) -> bool:
        """The thread stood at the same lines, waiting for the same objects."""
        old = self.thread_before(process, thread)
        return old is not None and (old.frames, old.waiting_refs) == (thread.frames, thread.waiting_refs)

    def task_held(self, process: ProcessState, task: AsyncioTask) -> bool:
        """The asyncio task stood at the same lines, in the same kind of wait."""
        return _task_identity(task) in self._tasks_before.get(process.pid, frozenset())

    @cached_property
    def _tasks_before(self) -> dict[int, frozenset[object]]:
        return {pid: frozenset(map(_task_identity, process.tasks or ())) for pid, process in self.before.items()}

    def cpu_rate(self, pid: int) -> float | None:
        """CPUs used between the snapshots, None where not known."""
        before = self.before.get(pid)
        if before is None or self.seconds <= 0:
            return None
        return max(0.0, self.processes[pid].cpu_seconds - before.cpu_seconds) / self.seconds

    def thread_cpu_rate(self, process: ProcessState, thread: ThreadState) -> float | None:
        """CPUs that one thread used between the snapshots, None where not known."""
        old = self.thread_before(process, thread)
        if old is None or old.cpu_seconds is None or thread.cpu_seconds is None or self.seconds <= 0:
            return None
        return max(0.0, thread.cpu_seconds - old.cpu_seconds) / self.seconds

    def label(self, pid: int) -> str:
        """How a person calls a process."""
        process = self.processes.get(pid)
        if process is None:
            return f"a process that was not read (pid {pid})"
        return process.label or f"{process.role} (pid {pid})"

    def loops(self, process: ProcessState) -> tuple[ThreadState, ...]:
        """Threads that run an event loop."""
        return tuple(thread for thread in process.threads if thread.runs_loop)

    def blocked_loop(self, process: ProcessState) -> ThreadState | None:
        """The process's one loop thread, where it does not wait for events."""
        loops = self.loops(process)
        return loops[0] if len(loops) == 1 and not loops[0].loop_idle else None


def _with_actor(process: ProcessState, actors: Mapping[int, RayActor]) -> ProcessState:
    """The process with the actor that Ray says lives in it, where the process itself did not tell."""
    actor = actors.get(process.pid)
    if actor is None or process.actor_id is not None:
        return process
    elsewhere = None not in (process.node_id, actor.node_id) and process.node_id != actor.node_id
    return process if elsewhere else replace(process, actor_id=actor.actor_id)


def _task_identity(task: AsyncioTask) -> object:
    return (task.key, task.name, task.frames, task.waits_on, task.object_ref)
