"""Event loops and their pending tasks, seen from inside the process by another thread.

Covers every loop that has tasks or runs on a thread, how long it has been in what it does now, its timers and watched
file descriptors, and every pending task with its await chain and what it waits on. Reads asyncio only where the program
has imported it, never calls into a loop, never schedules anything on it.
"""

from __future__ import annotations

import contextvars
import gc
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainer_hooks import await_chain, ray_identity
from trainer_hooks.await_chain import Link
from trainer_hooks.waits import Wait, wait_of

MOST_TASKS = 5000
"""Tasks described in one answer: describing one takes some 10 µs under the GIL."""
MOST_TIMERS = 20000
MOST_STACK = 5000
"""Frames of a thread that are searched for its loop: a deep recursion may stand above it."""
MOST_CALLBACK_FRAMES = 200
RETRIES = 3


def describe(errors: Callable[[str, BaseException], None]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """Every loop, every pending task (at most `MOST_TASKS`), and how many tasks were left out."""
    asyncio = sys.modules.get("asyncio.tasks")
    names = thread_names()
    running = _running_loops(other_stacks())
    pending = [task for task in _all_tasks(asyncio) if not task.done()] if asyncio else []
    loops: dict[int, Any] = {id(place.loop): place.loop for place in running}
    counts: dict[int, int] = {}
    for task in pending:
        loop = task.get_loop()
        loops.setdefault(id(loop), loop)
        counts[id(loop)] = counts.get(id(loop), 0) + 1
    by_loop = {id(place.loop): place for place in running}
    described = []
    for task in pending[:MOST_TASKS]:
        try:
            record = _task(asyncio, task, by_loop)
        except Exception as error:
            errors("task", error)
            continue
        if record is not None:
            described.append(record)
    states = []
    for key, loop in loops.items():
        try:
            states.append(_loop(loop, by_loop.get(key), names, counts.get(key, 0)))
        except Exception as error:
            errors("loop", error)
    return states, described, max(0, len(pending) - MOST_TASKS)


def other_stacks() -> dict[int, types.FrameType]:
    """The innermost frame of every thread but this one. (Its own would hold itself, and with it all the others.)"""
    stacks = sys._current_frames()
    stacks.pop(threading.get_ident(), None)
    return stacks


def thread_names() -> dict[int, tuple[str, int]]:
    """Name and kernel id of every thread that Python knows, by its identifier. Takes no lock."""
    known: dict[int, threading.Thread] = dict(getattr(threading, "_active", {}))
    return {identifier: (thread.name, thread.native_id or 0) for identifier, thread in known.items()}


def key_of(thing: Any) -> str:
    """Identity of a loop or a task inside this process."""
    return f"{id(thing):x}"


def _all_tasks(asyncio: Any) -> list[Any]:
    """Every task that is not collected: 3.10 and 3.11 keep one weak set, 3.12 and later a weak and an eager one."""
    found: dict[int, Any] = {}
    for name in ("_all_tasks", "_scheduled_tasks", "_eager_tasks"):
        group = getattr(asyncio, name, None)
        # `list` of a plain set is one step under the GIL; iterating a WeakSet is not.
        for entry in list(getattr(group, "data", group) or ()):
            task = entry() if isinstance(entry, weakref.ReferenceType) else entry
            if task is not None:
                found[id(task)] = task
    return list(found.values())


@dataclass(frozen=True)
class Place:
    """A loop on the thread that runs it."""

    loop: Any
    thread: int
    blocked_seconds: float | None


def _running_loops(stacks: Mapping[int, types.FrameType]) -> list[Place]:
    """Every loop whose `_run_once` is on a thread's stack (the innermost one of each thread)."""
    running = []
    for thread, frame in stacks.items():
        links = await_chain.stack_of(frame, most=MOST_STACK)
        turn = _turn(links)
        loop = links[turn].local("self") if turn is not None else None
        if loop is not None:
            running.append(Place(loop, thread, blocked_seconds(links)))
    return running


def _turn(links: list[Link]) -> int | None:
    """Index of `_run_once` of asyncio's loop in a thread's frames."""
    for index, link in enumerate(links):
        if link.function.rpartition(".")[2] == "_run_once" and link.file.endswith("base_events.py"):
            return index
    return None


def _loop(loop: Any, place: Place | None, names: dict[int, tuple[str, int]], pending: int) -> dict[str, Any]:
    thread = place.thread if place else getattr(loop, "_thread_id", None)
    timers = [handle for handle in list(getattr(loop, "_scheduled", ()))[:MOST_TIMERS] if not handle.cancelled()]
    next_timer = min((handle.when() for handle in timers), default=None)
    return {
        "loop": key_of(loop),
        "thread": names.get(thread, ("", 0))[0] if thread else "",
        "running": bool(loop.is_running()),
        "blocked_seconds": place.blocked_seconds if place else None,
        "timers": len(timers),
        "next_timer_seconds": None if next_timer is None else next_timer - loop.time(),
        "readers": _readers(loop),
        "pending_tasks": pending,
    }


def blocked_seconds(links: list[Link]) -> float | None:
    """How long this thread's loop has been in the callbacks of its present turn; None while it waits for events."""
    turn = _turn(links)
    if not turn:
        return None
    # `end_time` is set once the selector has returned: a turn that still selects has none.
    began = links[turn].local("end_time")
    return max(0.0, time.monotonic() - began) if isinstance(began, float) else None


def _readers(loop: Any) -> int:
    """File descriptors that the loop's selector watches, its self-pipe not counted."""
    selector = getattr(loop, "_selector", None)
    if selector is None:
        return 0
    watched = selector.get_map()
    own = getattr(loop, "_ssock", None)
    return len(watched) - (1 if own is not None and own.fileno() in watched else 0) if watched else 0


def _task(asyncio: Any, task: Any, by_loop: dict[int, Place]) -> dict[str, Any] | None:
    """One task, read until two looks at what it waits for agree. None where it ended meanwhile."""
    loop = task.get_loop()
    for _ in range(RETRIES):
        waiter = getattr(task, "_fut_waiter", None)
        chain = await_chain.walk(task.get_coro())
        wait = wait_of(chain, waiter)
        if task.done():
            return None
        if waiter is getattr(task, "_fut_waiter", None):
            break
    else:
        wait = Wait("running")
    links = chain.links
    if chain.executing or asyncio.current_task(loop) is task:
        wait = Wait("running")
        above = _stack_above_turn(by_loop.get(id(loop)))
        # Only where the task still executes is what was on the thread's stack its own.
        if above and asyncio.current_task(loop) is task:
            links = [link for link in links if link.line == 0] + above
    context = _context_task_id(task)
    return {
        "name": task.get_name(),
        "loop": key_of(loop),
        "frames": [link.as_list() for link in links],
        "waits_on": wait.kind,
        "object_ref": wait.object_ref,
        "ray_task_id": context if chain.compiled_root else None,
        "key": key_of(task),
        "waits_for": [key_of(other) for other in wait.tasks],
        "waits_any": wait.any_is_enough,
        "context_task_id": context,
    }


def _stack_above_turn(place: Place | None) -> list[Link]:
    """The frames of the callback that a loop's thread executes now, outermost first."""
    frame = other_stacks().get(place.thread) if place else None
    links = await_chain.stack_of(frame, most=MOST_STACK)
    turn = _turn(links)
    above = links[:turn] if turn else []
    if above and above[-1].function.rpartition(".")[2] == "_run" and above[-1].file.endswith("events.py"):
        above = above[:-1]
    return list(reversed(above[:MOST_CALLBACK_FRAMES]))


def _context_task_id(task: Any) -> str | None:
    """The Ray task in the context that an asyncio task runs in: its own, or inherited from the task that made it."""
    variable = ray_identity.task_variable()
    if variable is None:
        return None
    contexts = [task.get_context()] if hasattr(task, "get_context") else []
    contexts += [held for held in gc.get_referents(task) if isinstance(held, contextvars.Context)]
    for context in contexts:
        identifier = context.get(variable) if context is not None else None
        if identifier is not None:
            return str(identifier.hex())
    return None
