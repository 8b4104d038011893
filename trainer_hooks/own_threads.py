"""This process's threads and descriptors as it may tell them of itself, where others may not look.

Covers each thread's frames, the ObjectRefs that its `ray.get` or `ray.wait` waits for, the deadline of its innermost
wait, and what the kernel has it wait in: /proc lets a process read its own whatever Yama, a missing SYS_PTRACE or
PR_SET_DUMPABLE forbid others. Locals are read of frames of Ray and of the standard library only.
"""

from __future__ import annotations

import os
from typing import Any

from trainer_hooks import await_chain, event_loops
from trainer_hooks.await_chain import Link

MOST_REFS = 1024
MOST_DESCRIPTORS = 65536
_RAY_WORKER = ("ray/_private/worker.py", "ray/worker.py")
_WAITED = ("object_refs", "ray_waitables")
"""Names of the local that holds the refs, in `get_objects` and in `wait`."""
_LIMITS = ("timeout", "timeout_ms")


def describe() -> list[dict[str, Any]]:
    """Every thread that runs Python but the one that asks, in the form of `records.QUESTION_SNAPSHOT`."""
    names = event_loops.thread_names()
    return [
        _thread(identifier, *names.get(identifier, ("", 0)), await_chain.stack_of(frame))
        for identifier, frame in event_loops.other_stacks().items()
    ]


def _thread(identifier: int, name: str, native_id: int, links: list[Link]) -> dict[str, Any]:
    refs, unreadable = waited_refs(links)
    return {
        "thread_id": identifier,
        "native_id": native_id,
        "name": name,
        "frames": [link.as_list() for link in links],
        "refs": refs,
        "refs_unreadable": unreadable,
        "blocked_seconds": event_loops.blocked_seconds(links),
        "limits": _limits(links),
        "syscall": _system_call(native_id),
    }


def waited_refs(links: list[Link]) -> tuple[list[str], str]:
    """ObjectIDs (hex) that the innermost `ray.get` or `ray.wait` of a stack waits for, or why they can't be told."""
    link = next((link for link in links if _is_ray_wait(link)), None)
    if link is None:
        return [], ""
    waited = next((found for name in _WAITED if isinstance(found := link.local(name), (list, tuple))), None)
    if not waited:
        return [], "this Ray keeps what its ray.get waits for under another name"
    refs = []
    for item in list(waited)[:MOST_REFS]:
        # Only Ray's own ids: a method of anything else could be the run's code.
        if type(item).__name__ != "ObjectRef" or type(item).__module__.partition(".")[0] != "ray":
            return [], f"it waits for a {type(item).__name__}, which is no ObjectRef"
        refs.append(str(item.hex()))
    return refs, f"only the first {MOST_REFS} ObjectRefs were told" if len(waited) > MOST_REFS else ""


def _is_ray_wait(link: Link) -> bool:
    return link.file.endswith(_RAY_WORKER) and link.function.rpartition(".")[2] in ("get_objects", "wait")


def _limits(links: list[Link]) -> dict[str, str]:
    """Deadlines among the innermost frame's locals, as text, where that frame is Ray's or the standard library's."""
    if not links or not (links[0].file.endswith(_RAY_WORKER) or links[0].file.startswith(_STANDARD)):
        return {}
    found = {name: links[0].local(name) for name in _LIMITS if links[0].frame and name in links[0].frame.f_locals}
    return {name: repr(value) for name, value in found.items() if value is None or type(value) in (int, float)}


_STANDARD = os.path.dirname(os.__file__) + os.sep


def _system_call(native_id: int) -> str:
    try:
        with open(f"/proc/self/task/{native_id}/syscall", encoding="ascii") as file:
            return file.read(256).strip()
    except (OSError, ValueError):
        return ""


def descriptors() -> dict[str, Any] | None:
    """{"sockets": inodes, "devices": paths} of what this process has open; None where that can't be read."""
    sockets: list[int] = []
    devices: set[str] = set()
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return None
    if len(names) > MOST_DESCRIPTORS:
        return None
    for name in names:
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            sockets.append(int(target[8:-1]))
        elif target.startswith("/dev/"):
            devices.add(target)
    return {"sockets": sockets, "devices": sorted(devices)}
