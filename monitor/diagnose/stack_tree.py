"""The stacks of a snapshot merged into a tree: where every thread and task of the run stands, equal ones once.

Pure. From the outermost call to the innermost, threads and asyncio tasks in trees of their own; each node counts the
stacks through it and names the processes where they are few. A stack that stands alone beside many is an outlier.
The idea is that of LLNL's STAT (Arnold et al., IPDPS 2007): a thousand equal stacks are one line to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from monitor.detect.frames import is_library, is_ray, is_standard
from monitor.detect.scene import is_system
from monitor.detect.thread_waits import Doing, thread_wait
from monitor.model.snapshot import Frame, ProcessState, Snapshot

THREADS, TASKS = "threads", "tasks"
MOST_OUTLIERS = 2
"""A branch of at most so many stacks beside one of at least `MANY_TIMES` as many is an outlier."""
MANY_TIMES = 4


@dataclass(frozen=True)
class Stack:
    """One thread or task: who it is, what it does, and its frames, outermost first."""

    process: str
    does: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True)
class StackNode:
    """A stretch of frames that all the stacks under it share, outermost first."""

    frames: tuple[Frame, ...]
    count: int
    """Stacks that go through it."""
    processes: tuple[str, ...]
    """The processes they belong to, each once."""
    ends: tuple[tuple[str, int], ...] = ()
    """What the stacks that end here do (`waits in a lock`), with their number, most first."""
    children: tuple[StackNode, ...] = ()
    outlier: bool = False


def merged(snapshot: Snapshot, kind: str) -> tuple[StackNode, ...]:
    """The tree of a snapshot's threads or tasks (`THREADS`, `TASKS`), the branch of most stacks first."""
    own = [process for process in snapshot.processes if not is_system(process)]
    stacks = _threads(own) if kind == THREADS else _tasks(own)
    return _branches([(stack, stack.frames) for stack in stacks])


def _threads(processes: Iterable[ProcessState]) -> Iterator[Stack]:
    for process in processes:
        for thread in process.threads:
            doing = thread_wait(thread).doing
            frames = told(tuple(reversed(thread.frames)))
            if doing is not Doing.SERVICE and frames:
                yield Stack(_name(process), doing.value, frames)


def _tasks(processes: Iterable[ProcessState]) -> Iterator[Stack]:
    for process in processes:
        for task in process.tasks or ():
            frames = told(task.frames)
            if frames:
                yield Stack(_name(process), f"waits on {task.waits_on}", frames)


def told(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """The person's own frames and the innermost one; all of them where none is the person's."""
    kept = [frame for frame in frames[:-1] if not (is_ray(frame) or is_standard(frame) or is_library(frame))]
    return (*kept, frames[-1]) if kept else frames


def _name(process: ProcessState) -> str:
    return process.label or f"{process.role} (pid {process.pid})"


def _branches(stacks: Sequence[tuple[Stack, tuple[Frame, ...]]]) -> tuple[StackNode, ...]:
    groups: dict[Frame, list[tuple[Stack, tuple[Frame, ...]]]] = {}
    for stack, rest in stacks:
        if rest:
            groups.setdefault(rest[0], []).append((stack, rest))
    most = max(map(len, groups.values()), default=0)
    nodes = [
        _node(group, alone=len(group) <= MOST_OUTLIERS and most >= MANY_TIMES * len(group)) for group in groups.values()
    ]
    return tuple(sorted(nodes, key=lambda node: -node.count))


def _node(group: Sequence[tuple[Stack, tuple[Frame, ...]]], *, alone: bool) -> StackNode:
    """The frames that all of the group share, then what differs."""
    length = 1
    shortest = min(len(rest) for _, rest in group)
    first = group[0][1]
    while length < shortest and all(rest[length] == first[length] for _, rest in group):
        length += 1
    ends: dict[str, int] = {}
    for stack, rest in group:
        if len(rest) == length:
            ends[stack.does] = ends.get(stack.does, 0) + 1
    return StackNode(
        first[:length],
        len(group),
        tuple(dict.fromkeys(stack.process for stack, _ in group)),
        tuple(sorted(ends.items(), key=lambda item: -item[1])),
        _branches([(stack, rest[length:]) for stack, rest in group]),
        alone,
    )
