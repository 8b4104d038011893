"""A snapshot of a live run: Ray's records first, then every process of the run here, several at a time.

Registers no driver, stops no process, writes nothing. What can't be read is said in the snapshot: by process in
`threads_unknown` and `tasks_unknown`, for the whole in `unknown` and `unseen`. Never raises for what Ray or a process
does; a run that is gone gives a snapshot without processes.
"""

from __future__ import annotations

import platform
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Protocol, TypeVar

from monitor.detect.scene import CONTROL_ROLES, is_system
from monitor.inspection import asyncio_reader, foreign_threads, responder, threads, told_threads
from monitor.inspection.asyncio_reader import TaskReading
from monitor.inspection.responder import ResponderAnswer
from monitor.inspection.threads import ThreadReading
from monitor.model.errors import LaststepError
from monitor.model.reading import Unknown
from monitor.model.snapshot import (
    BlockedCall,
    ProcessState,
    RayActor,
    RayCall,
    RayGroup,
    RayNodeTotals,
    RunPosition,
    Snapshot,
    ThreadState,
)
from monitor.sources import autoscaler, blocked_calls, proc, raylet_state
from monitor.sources.processes import process_states
from monitor.sources.ray_discovery import RayCluster
from monitor.sources.ray_records import RayNode
from monitor.sources.run_locator import RunLocation
from monitor.sources.run_processes import HELPERS, RunProcess, idle_workers

T = TypeVar("T")

READERS = 4
"""Processes read at a time: each costs a child (py-spy) of some 15 ms of CPU."""
THREADS_SECONDS = 5.0
RESPONDER_SECONDS = 1.0
TASKS_SECONDS = 5.0
GONE = frozenset({"X", "x"})
NO_ANSWER = ResponderAnswer(because="it was not asked")
PLACELESS = frozenset({"PENDING_NODE_ASSIGNMENT"})
UNPLACED = frozenset({"PENDING", "RESCHEDULING"})
"""Calls and placement groups that wait for resources: only then are the nodes' totals asked for."""


class RayQuestions(Protocol):
    """What is asked of Ray here; `RayApi` answers it."""

    notes: dict[str, str]

    def calls(self) -> tuple[RayCall, ...]: ...
    def actors(self) -> tuple[RayActor, ...]: ...
    def nodes(self) -> tuple[RayNode, ...]: ...
    def groups(self) -> tuple[RayGroup, ...]: ...
    def version(self) -> str: ...


@dataclass(frozen=True)
class Readers:
    """The ways into a process; tests give others."""

    states: Callable[..., tuple[ProcessState, ...]] = process_states
    threads: Callable[..., ThreadReading] = threads.read_threads
    responder: Callable[..., ResponderAnswer] = responder.ask
    tasks: Callable[..., TaskReading] = asyncio_reader.read_tasks
    grows: Callable[[str], bool | None] = autoscaler.may_add_nodes
    waiting_for_memory: Callable[[Path | None], int | None] = raylet_state.waiting_for_memory
    foreign: Callable[[int, Iterable[ThreadState]], tuple[str, ...]] = foreign_threads.read
    title: Callable[[int], str] = proc.title
    blocked_calls: Callable[[Iterable[int]], dict[int, tuple[BlockedCall, ...]]] = blocked_calls.read


def capture(
    cluster: RayCluster,
    api: RayQuestions,
    location: RunLocation,
    position: RunPosition,
    readers: Readers | None = None,
) -> Snapshot:
    """Read everything once."""
    read = readers or Readers()
    began = time.time()
    unknown: list[Unknown] = []
    calls = _asked(api.calls, "calls", unknown)
    actors = _asked(api.actors, "actors", unknown)
    # A placement group wakes nobody: where the list can't be had, only the suspicion of one is missing.
    groups = [group for group in _asked(api.groups, "placement groups", []) or () if group.state in UNPLACED]
    pending = bool(groups) or any(call.state in PLACELESS for call in calls or ())
    nodes = _asked(api.nodes, "nodes", unknown) if pending else ()
    unknown.extend(Unknown(name, began, because) for name, because in sorted(api.notes.items()) if because)
    with ThreadPoolExecutor(READERS, "laststep-capture") as pool:
        answers = dict(pool.map(lambda process: _answer(process, location.config.hooks_dir, read), location.processes))
        told = {pid: answer.descriptors for pid, answer in answers.items() if answer.descriptors is not None}
        states = [
            _without_helpers(state, read.title)
            for state in read.states(location.processes, {*cluster.system_pids, *idle_workers(cluster)}, told)
            if state.state not in GONE
        ]
        looks = pool.map(lambda state: _look_inside(state, answers.get(state.pid, NO_ANSWER), read, unknown), states)
        processes = tuple(looks)
    blocked = read.blocked_calls(process.pid for process in processes)
    processes = tuple(replace(process, blocked_calls=blocked.get(process.pid, ())) for process in processes)
    return Snapshot(
        taken_at=began,
        host=socket.gethostname(),
        position=position,
        node_id=cluster.node_id,
        processes=processes,
        calls=tuple(call for call in calls or () if call.job_id in ("", location.job_id)),
        actors=tuple(actor for actor in actors or () if actor.job_id in ("", location.job_id)),
        nodes=tuple(RayNodeTotals(node.node_id, node.resources) for node in nodes or () if node.alive),
        groups=tuple(group for group in groups if group.job_id in ("", location.job_id)),
        grows=read.grows(cluster.gcs_address) if pending else None,
        waiting_for_memory=read.waiting_for_memory(cluster.session_dir) if pending else None,
        gone=_gone(location.processes, states),
        unknown=tuple(unknown),
        unseen=location.unseen,
        versions=_versions(api),
        seconds=time.time() - began,
    )


def _asked(ask: Callable[[], T], what: str, unknown: list[Unknown]) -> T | None:
    try:
        return ask()
    except LaststepError as error:
        unknown.append(Unknown(what, time.time(), str(error), error.HELP_TEXT))
        return None


def _gone(processes: Iterable[RunProcess], states: Iterable[ProcessState]) -> tuple[str, ...]:
    """Ray's raylet and GCS that are there no more."""
    living = {state.pid for state in states}
    return tuple(item.label for item in processes if item.role in CONTROL_ROLES and item.pid not in living)


def _without_helpers(state: ProcessState, title: Callable[[int], str]) -> ProcessState:
    """Python's own helper children (multiprocessing's resource tracker) wake nobody."""
    if not state.children:
        return state
    kept = (pid for pid in state.children if not any(helper in title(pid) for helper in HELPERS))
    return replace(state, children=tuple(kept))


def _answer(process: RunProcess, hooks_dir: str | None, read: Readers) -> tuple[int, ResponderAnswer]:
    return process.pid, read.responder(process.pid, timeout=RESPONDER_SECONDS, directory=hooks_dir)


def _look_inside(state: ProcessState, answer: ResponderAnswer, read: Readers, unknown: list[Unknown]) -> ProcessState:
    """Threads and asyncio tasks of one process. The hooks tell of tasks where they answer, its memory elsewhere.

    Threads are py-spy's; where it may not read them, the hooks' own word counts.
    """
    if is_system(state):
        return state
    reading = read.threads(state.pid, timeout=THREADS_SECONDS)
    by_hooks = bool(reading.unknown and answer.threads)
    stacks = answer.threads if by_hooks else told_threads.completed(reading.threads, answer.threads)
    tasks, loops, because = answer.tasks, answer.loops, answer.because
    if answer.tasks is None:
        found = read.tasks(state.pid, timeout=TASKS_SECONDS)
        tasks, loops = found.tasks, found.loops
        because = found.unknown if answer.status == "absent" else "; ".join(filter(None, (because, found.unknown)))
        unknown.extend(_not_read(state, found))
    for error in answer.errors:
        if error.startswith(("task", "loop")) or "pending tasks" in error:
            cure = "the hook's answer is bounded; fewer pending tasks, or a later snapshot, show all of them"
            unknown.append(Unknown(f"tasks of {state.label}", time.time(), error, cure))
    return replace(
        state,
        threads=stacks,
        threads_unknown="" if by_hooks else reading.unknown,
        foreign_threads=read.foreign(state.pid, stacks) if stacks else (),
        threads_from="hooks" if by_hooks else "py-spy" if reading.threads else "",
        tasks=tasks,
        tasks_unknown=because,
        loops=loops,
        responder=answer.status,
        max_concurrency=answer.max_concurrency,
    )


def _not_read(state: ProcessState, found: TaskReading) -> list[Unknown]:
    """Tasks of a process that is read from outside, which are not among those that were read."""
    what = f"tasks of {state.label}"
    missing = []
    if found.torn:
        cure = "a later snapshot, taken while the process is quieter, or the hooks show them"
        missing.append(Unknown(what, time.time(), f"{found.torn} asyncio tasks changed while they were read", cure))
    if found.left_out:
        because = f"{found.left_out} asyncio tasks are beyond the reader's bounds, or of a class of their own"
        missing.append(Unknown(what, time.time(), because, "the hooks tell of tasks of every class"))
    return missing


def _versions(api: RayQuestions) -> dict[str, str]:
    found = {"python": platform.python_version(), "kernel": platform.release(), "machine": platform.machine()}
    for name in ("laststep", "py-spy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    version = _asked(api.version, "version", [])
    if version:
        found["ray"] = version
    return found
