"""Threads as the hooks' responder tells them, for where py-spy may not read: the same facts, from inside.

Pure but for the CPU time of each thread, which /proc shows to everybody. What the responder does not tell (who owns the
GIL) stays unknown; a document of older hooks, without what a `ray.get` waits for, says so and proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitor.inspection.kernel_waits import RUNNING, told_wait
from monitor.inspection.thread_frames import is_ray_wait, loop_of
from monitor.model.snapshot import Frame, ThreadState


def threads_of(pid: int, told: Sequence[Mapping[str, Any]]) -> tuple[ThreadState, ...]:
    """The threads of a responder's answer. Raises `ValueError`, `TypeError`, `KeyError` for another form."""
    return tuple(_thread(pid, thread) for thread in told)


def _thread(pid: int, thread: Mapping[str, Any]) -> ThreadState:
    frames = tuple(Frame(str(name), str(file), int(line)) for name, file, line in thread["frames"])
    name, thread_id = str(thread.get("name") or ""), int(thread.get("native_id") or 0)
    kernel = told_wait(pid, thread_id, str(thread.get("syscall") or ""))
    active = kernel.wait == RUNNING
    runs_loop, idle, _ = loop_of(name, active, [{} for _ in frames], frames, 0.0)
    age = thread.get("blocked_seconds")
    unreadable = str(thread.get("refs_unreadable") or "")
    if "refs" not in thread and any(map(is_ray_wait, frames)):
        unreadable = "the hooks in this process are older, and tell no ObjectRefs"
    return ThreadState(
        thread_id=thread_id,
        name=name,
        active=active,
        owns_gil=False,
        frames=frames,
        waiting_refs=tuple(str(ref) for ref in thread.get("refs") or ()),
        refs_unreadable=unreadable,
        runs_loop=runs_loop,
        loop_idle=idle,
        loop_blocked_seconds=float(age) if age is not None and not idle else None,
        locals_repr={str(key): str(value) for key, value in (thread.get("limits") or {}).items()},
        kernel_wait=kernel.wait,
        kernel_wait_ends=kernel.ends,
        lock=kernel.lock,
        cpu_seconds=kernel.cpu_seconds,
    )


def completed(read: Sequence[ThreadState], told: Sequence[ThreadState]) -> tuple[ThreadState, ...]:
    """Threads that were read, with what could not be read of a thread that stands at the same lines in both."""
    known = {thread.thread_id: thread for thread in told if thread.thread_id}
    return tuple(_completed(thread, known.get(thread.thread_id)) for thread in read)


def _completed(thread: ThreadState, told: ThreadState | None) -> ThreadState:
    if told is None or _places(thread) != _places(told):
        return thread
    if thread.refs_unreadable and told.waiting_refs:
        thread = replace(thread, waiting_refs=told.waiting_refs, refs_unreadable=told.refs_unreadable)
    if not thread.kernel_wait:
        thread = replace(thread, kernel_wait=told.kernel_wait, kernel_wait_ends=told.kernel_wait_ends, lock=told.lock)
    return thread


def _places(thread: ThreadState) -> list[tuple[str, int]]:
    """Files and lines: py-spy and Python name functions differently before 3.11."""
    return [(frame.file, frame.line) for frame in thread.frames]
