"""The merged stacks of a bundle's newest snapshot, read for the Hang screen; clean, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.model.errors import LaststepError
from monitor.report.clean_text import clean

if TYPE_CHECKING:
    from monitor.diagnose.stack_tree import StackNode


@dataclass(frozen=True)
class Stacks:
    """What the Hang screen shows of one bundle. Trees are of `diagnose.stack_tree`."""

    bundle: str
    taken_at: float = 0.0
    threads: tuple[StackNode, ...] = ()
    tasks: tuple[StackNode, ...] = ()
    missing: tuple[str, ...] = ()
    """Processes whose stacks could not be read, each with the reason."""
    problem: str = ""


def read_stacks(bundle: str) -> Stacks:
    """The stacks of a bundle; what goes wrong is in `problem`."""
    from monitor.diagnose import bundle as bundles
    from monitor.diagnose.stack_tree import TASKS, THREADS, merged

    try:
        found = bundles.read(Path(bundle))
    except (LaststepError, OSError) as error:
        return Stacks(bundle, problem=clean(str(error)))
    if not found.snapshots:
        return Stacks(bundle, problem="the bundle holds no snapshot")
    newest = found.snapshots[-1]
    missing = tuple(
        clean(f"{process.label or process.pid}: {process.threads_unknown}")
        for process in newest.processes
        if process.threads_unknown
    )
    threads, tasks = (tuple(map(_clean, merged(newest, kind))) for kind in (THREADS, TASKS))
    return Stacks(bundle, newest.taken_at, threads, tasks, missing)


def _clean(node: StackNode) -> StackNode:
    frames = tuple(replace(frame, function=clean(frame.function), file=clean(frame.file)) for frame in node.frames)
    processes = tuple(map(clean, node.processes))
    return replace(node, frames=frames, processes=processes, children=tuple(map(_clean, node.children)))
