"""Pending asyncio tasks of another CPython process (3.10 to 3.13), from its memory: nothing is stopped or run in it.

`read_tasks(pid)` is the way in. Offsets come from the target's own interpreter, run once as a child of ours; what can't
be read is said in `TaskReading.unknown`, never guessed. Not covered: threads (py-spy), sub-interpreters.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from monitor.inspection.access import MEMORY_CURE
from monitor.inspection.asyncio_reader.errors import UNREADABLE, NotReadable
from monitor.inspection.asyncio_reader.layouts import layout_of
from monitor.inspection.asyncio_reader.reading import ProcessReader, ProcessTasks
from monitor.inspection.asyncio_reader.target import NO_PERMISSION, Target, describe, is_same
from monitor.model.snapshot import AsyncioTask, EventLoopState

REMEMBERED = 1024

_lock = threading.Lock()
_modules: OrderedDict[tuple[int, int], dict[str, int]] = OrderedDict()


@dataclass(frozen=True)
class TaskReading:
    """Tasks and loops of one process; `tasks` None: they can't be read, `unknown` says why."""

    tasks: tuple[AsyncioTask, ...] | None = None
    loops: tuple[EventLoopState, ...] = ()
    unknown: str = ""
    not_permitted: bool = False
    torn: int = 0
    """Pending tasks that changed at every look, and are not in `tasks`."""
    left_out: int = 0
    """Tasks that are not in `tasks`: beyond the bounds, or of a class that is not read."""


def read_tasks(pid: int, *, timeout: float = 5.0) -> TaskReading:
    """The pending asyncio tasks of `pid` now. Never raises for what the process is or does."""
    try:
        target = describe(pid)
        layout = layout_of(target)
        base = target.bases[layout.runtime_device, layout.runtime_inode]
        reader = ProcessReader(pid, layout, base + layout.at["runtime"], _modules_of(target))
        found = reader.read(time.monotonic() + timeout)
    except (NotReadable, *UNREADABLE) as error:
        return _refused(pid, error)
    if not is_same(target):
        return TaskReading(unknown=f"pid {pid} is gone, or another program by now")
    return _told(found)


def _told(found: ProcessTasks) -> TaskReading:
    return TaskReading(found.tasks, found.loops, torn=found.torn, left_out=found.left_out + found.foreign)


def _refused(pid: int, error: BaseException) -> TaskReading:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PermissionError) or getattr(seen, "errno", None) == 1 or str(seen) == NO_PERMISSION:
            return TaskReading(
                unknown=f"reading the memory of pid {pid} is not permitted: {MEMORY_CURE}", not_permitted=True
            )
        seen = seen.__cause__
    if not os.path.exists(f"/proc/{pid}"):
        return TaskReading(unknown=f"pid {pid} is gone")
    return TaskReading(unknown=f"the asyncio tasks of pid {pid} can't be read from outside: {error}")


def _modules_of(target: Target) -> dict[str, int]:
    """Addresses of modules found before, by process."""
    key = (target.pid, target.start_ticks)
    with _lock:
        found = _modules.setdefault(key, {})
        _modules.move_to_end(key)
        while len(_modules) > REMEMBERED:
            _modules.popitem(last=False)
    return found
