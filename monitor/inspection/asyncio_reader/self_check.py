"""Whether a layout is true: the probe's own process is read with it, and must come out as it tells of itself."""

from __future__ import annotations

import time
from typing import Any

from monitor.inspection.asyncio_reader.errors import UNREADABLE, NotReadable
from monitor.inspection.asyncio_reader.layout import Layout
from monitor.inspection.asyncio_reader.reading import ProcessReader, ProcessTasks
from monitor.inspection.asyncio_reader.target import NO_PERMISSION, Target
from monitor.inspection.layout_probe.truth import OWN_NAME
from monitor.model.snapshot import AsyncioTask

SECONDS = 5.0


def disagreement(probe: Target, layout: Layout, told: dict[str, Any]) -> str:
    """How the reading differs from what the probe told, empty where they agree."""
    base = probe.bases.get((layout.runtime_device, layout.runtime_inode))
    if base is None:
        return "the probe's own interpreter was not found in it"
    try:
        found = ProcessReader(probe.pid, layout, base + layout.at["runtime"]).read(time.monotonic() + SECONDS)
        expected = sorted(map(_told, told["truth"]), key=repr)
    except NotReadable as error:
        return str(error)
    except PermissionError:
        return NO_PERMISSION
    except UNREADABLE as error:
        return f"{error}"
    except (KeyError, TypeError, ValueError) as error:
        return f"the probe told no truth: {error!r}"
    return _compare(found, expected)


def _compare(found: ProcessTasks, expected: list[Any]) -> str:
    if found.torn or found.foreign or found.left_out:
        return "tasks of a process that stands still could not be read"
    names = {task.key: task.name for task in found.tasks}
    read = sorted((_read(task, names) for task in found.tasks if task.name != OWN_NAME), key=repr)
    if read != expected:
        wrong = next((pair for pair in zip(read, expected) if pair[0] != pair[1]), (len(read), len(expected)))
        return f"read {wrong[0]!r}, told {wrong[1]!r}"[:300]
    # One thread runs one loop, which sleeps in its selector with one reader beside its own pipe.
    if [(loop.running, loop.blocked_seconds, loop.readers, loop.timers) for loop in found.loops] != [
        (True, None, 1, 1)
    ]:
        return f"its loop was read as {found.loops!r}"[:300]
    return ""


def _told(task: dict[str, Any]) -> Any:
    return (task["name"], [list(frame) for frame in task["frames"]], task["waits_on"], list(task["waits_for"]))


def _read(task: AsyncioTask, names: dict[str, str]) -> Any:
    frames = [[frame.function, frame.file, frame.line] for frame in task.frames]
    return (task.name, frames, task.waits_on, sorted(names.get(key, key) for key in task.waits_for))
