"""py-spy's JSON as threads: which of them run an event loop, how long it is blocked, and which refs they wait for.

asyncio's own loop tells its age by the local `end_time` of `_run_once` (set when the selector returned; all processes
of a machine share that clock). uvloop shows no such frame: its thread is known by name or file, its age stays unknown.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from monitor.inspection import kernel_ids
from monitor.inspection.kernel_waits import RUNNING, KernelWait, kernel_wait
from monitor.inspection.object_refs import MOST_REFS, RefsUnreadable, list_items, read_refs
from monitor.model.snapshot import Frame, ThreadState

LOOP_THREAD = "AsyncIO Thread"
"""How Ray names the thread that runs an async actor's loop."""
SHOWN_LOCALS = 24
SHOWN_CHARACTERS = 120


def parse(pid: int, document: Sequence[dict[str, Any]], now: float) -> tuple[ThreadState, ...]:
    """The threads of py-spy's document, innermost frame first; `now`: monotonic time of the reading."""
    ids = _kernel_ids(pid, document)
    return tuple(_thread(pid, thread, ids.get(int(thread.get("thread_id") or 0), 0), now) for thread in document)


def _kernel_ids(pid: int, document: Sequence[dict[str, Any]]) -> dict[int, int]:
    """By py-spy's id of a thread, which is its pthread handle; py-spy knows no kernel id on Python 3.10."""
    if all(thread.get("os_thread_id") for thread in document):
        return {}
    handles = [(int(thread.get("thread_id") or 0), thread.get("thread_name")) for thread in document]
    # Where `threading` was never imported threads have no name: the only one is taken for the main thread, and its
    # record has to say so.
    main = next((handle for handle, name in handles if name == "MainThread" or len(handles) == 1), 0)
    if not main:
        return {}
    named = any(name == "MainThread" for _, name in handles)
    found = kernel_ids.of_handles(pid, main, [handle for handle, _ in handles])
    return {main: pid, **found} if named else found


def _thread(pid: int, thread: dict[str, Any], kernel_id: int, now: float) -> ThreadState:
    raw: list[dict[str, Any]] = list(thread.get("frames") or [])
    frames = tuple(Frame(frame["name"], frame["filename"], int(frame.get("line") or 0)) for frame in raw)
    name = thread.get("thread_name") or ""
    thread_id = int(thread.get("os_thread_id") or kernel_id)
    kernel = kernel_wait(pid, thread_id) if thread_id else KernelWait()
    # Without the kernel's id py-spy calls every thread active that has a Python frame.
    told = bool(thread.get("os_thread_id")) or kernel.wait in ("", RUNNING)
    active = bool(thread.get("active")) and told
    runs_loop, idle, blocked = loop_of(name, active, raw, frames, now)
    refs, unreadable = _waiting_refs(pid, raw)
    return ThreadState(
        thread_id=thread_id,
        name=name,
        active=active,
        owns_gil=bool(thread.get("owns_gil")),
        frames=frames,
        waiting_refs=refs,
        refs_unreadable=unreadable,
        runs_loop=runs_loop,
        loop_idle=idle,
        loop_blocked_seconds=blocked,
        locals_repr=_shown_locals(raw),
        kernel_wait=kernel.wait,
        kernel_wait_ends=kernel.ends,
        lock=kernel.lock,
        cpu_seconds=kernel.cpu_seconds,
    )


def loop_of(
    name: str, active: bool, raw: list[dict[str, Any]], frames: tuple[Frame, ...], now: float
) -> tuple[bool, bool, float | None]:
    """Runs a loop, idle in its selector, seconds since the selector last returned where it is not."""
    once = next((i for i, frame in enumerate(frames) if _is(frame, "_run_once", "base_events.py")), None)
    if once is not None:
        idle = once > 0 and os.path.basename(frames[0].file) == "selectors.py"
        age = None if idle else _age(raw[once], now)
        return True, idle, age
    in_uvloop = any("/uvloop/" in frame.file or frame.file.startswith("uvloop") for frame in frames)
    # `asyncio.run` with uvloop's policy: the loop is C code below this frame, on whatever thread called it.
    in_uvloop = in_uvloop or bool(frames and _is(frames[0], "run", "runners.py"))
    if not in_uvloop and not (name.startswith(LOOP_THREAD) and frames):
        return False, False, None
    innermost = frames[0]
    bare = _is(innermost, "run", "threading.py") or "uvloop" in innermost.file
    bare = bare or os.path.basename(innermost.file) == "runners.py"
    return True, bare and not active, None


def _is(frame: Frame, function: str, file: str) -> bool:
    return frame.function.rpartition(".")[2] == function and os.path.basename(frame.file) == file


def _age(frame: dict[str, Any], now: float) -> float | None:
    for local in frame.get("locals") or ():
        if local.get("name") == "end_time":
            try:
                age = now - float(local.get("repr") or "")
            except ValueError:
                return None
            return age if age >= 0 else None
    return None


def _waiting_refs(pid: int, raw: list[dict[str, Any]]) -> tuple[tuple[str, ...], str]:
    """ObjectIDs of the innermost `ray.get` or `ray.wait`, or why they can't be read."""
    local = next((found for frame in raw if (found := _waited_local(frame)) is not None), None)
    if local is None:
        waits = any(_is_ray_wait(frame) for frame in raw)
        return (), "py-spy gave no locals of the waiting ray.get" if waits else ""
    try:
        items = list_items(pid, int(local.get("addr") or 0), local.get("repr") or "")
        refs = read_refs(pid, items)
    except (RefsUnreadable, ValueError) as error:
        return (), str(error)
    return refs, f"only the first {MOST_REFS} ObjectRefs were read" if len(items) >= MOST_REFS else ""


def _waited_local(frame: dict[str, Any]) -> dict[str, Any] | None:
    if not _is_ray_wait(frame):
        return None
    named = {local.get("name"): local for local in frame.get("locals") or ()}
    return named.get("object_refs") or named.get("ray_waitables")


def _is_ray_wait(frame: dict[str, Any]) -> bool:
    return is_ray_wait(Frame(str(frame.get("name", "")), str(frame.get("filename", "")), 0))


def is_ray_wait(frame: Frame) -> bool:
    """Ray's own function that waits for ObjectRefs."""
    inside = frame.file.endswith(("ray/_private/worker.py", "ray/worker.py"))
    return inside and frame.function.rpartition(".")[2] in ("get_objects", "wait")


def _shown_locals(raw: list[dict[str, Any]]) -> dict[str, str]:
    """Locals of the innermost frame: a wait's `timeout` stands there."""
    found = (raw[0].get("locals") or [])[:SHOWN_LOCALS] if raw else []
    return {str(local.get("name")): str(local.get("repr"))[:SHOWN_CHARACTERS] for local in found}
