"""Event loops: which thread runs each, since when it is busy, its timers and the descriptors that it watches.

asyncio's own loop is read whole. uvloop keeps timers and descriptors in C, and shows no turn: that is said
(`EventLoopState.unreadable`), and its thread's kernel wait tells whether it is idle.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from monitor.inspection.asyncio_reader.errors import UNREADABLE
from monitor.inspection.asyncio_reader.frames import Frames, Link
from monitor.inspection.asyncio_reader.roots import Roots, ThreadFacts
from monitor.model.snapshot import EventLoopState

MOST_TIMERS = 20000
MOST_CALLBACK_FRAMES = 200
ATTEMPTS = 3


@dataclass(frozen=True)
class RunningLoop:
    """A loop on the thread that runs it."""

    thread: ThreadFacts
    stack: tuple[Link, ...]
    """Innermost first; empty where it could not be read."""
    turn: int | None
    """Index of `_run_once` in the stack."""
    blocked_seconds: float | None


def running_loops(roots: Roots, frames: Frames) -> dict[int, RunningLoop]:
    """Loops that run on a thread now, by address."""
    return {thread.loop: _running(frames, thread) for thread in roots.threads() if thread.loop}


def _running(frames: Frames, thread: ThreadFacts) -> RunningLoop:
    for _ in range(ATTEMPTS):
        try:
            frames.image.forget()
            stack = frames.stack(thread.state)
            turn = turn_of(stack)
            age = _age(frames, stack, turn)
        except UNREADABLE:
            continue
        return RunningLoop(thread, tuple(stack), turn, age)
    return RunningLoop(thread, (), None, None)


def turn_of(stack: list[Link]) -> int | None:
    """Index of the innermost `_run_once` of asyncio's loop."""
    for index, link in enumerate(stack):
        if link.function.rpartition(".")[2] == "_run_once" and link.file.endswith("base_events.py"):
            return index
    return None


def _age(frames: Frames, stack: list[Link], turn: int | None) -> float | None:
    """Seconds since the selector returned; None while it waits: a turn that still selects has no `end_time`."""
    if not turn:
        return None
    began = frames.local(stack[turn].frame, "end_time")
    return max(0.0, time.monotonic() - frames.objects.real(began)) if began else None


def callback_frames(running: RunningLoop | None) -> list[Link]:
    """The frames of the callback that a loop's thread executes now, outermost first."""
    above = list(running.stack[: running.turn]) if running and running.turn else []
    if above and above[-1].function.rpartition(".")[2] == "_run" and above[-1].file.endswith("events.py"):
        above = above[:-1]
    return list(reversed(above[:MOST_CALLBACK_FRAMES]))


def loop_state(
    frames: Frames, loop: int, running: RunningLoop | None, names: dict[int, tuple[str, int]], pending: int
) -> EventLoopState:
    """What is known of one loop."""
    name = names.get(running.thread.ident, ("", 0))[0] if running else ""
    state = EventLoopState(f"{loop:x}", name, running is not None, pending_tasks=pending)
    kind = "loop"
    for _ in range(ATTEMPTS):
        try:
            frames.image.forget()
            kind = frames.objects.type_of(loop).name
            timers, next_timer = _timers(frames, loop)
            return EventLoopState(
                state.loop,
                name,
                running is not None,
                running.blocked_seconds if running else None,
                timers,
                next_timer,
                _readers(frames, loop),
                pending,
            )
        except UNREADABLE:
            continue
        except LookupError as error:
            return _without_insides(state, running, f"{kind} {error.args[0]}")
    return _without_insides(state, running, "it changed at every look")


def _without_insides(state: EventLoopState, running: RunningLoop | None, because: str) -> EventLoopState:
    blocked = running.blocked_seconds if running else None
    return EventLoopState(
        state.loop, state.thread, state.running, blocked, pending_tasks=state.pending_tasks, unreadable=because
    )


class _KeptInC(LookupError):
    """A loop whose insides are not Python objects."""


def _timers(frames: Frames, loop: int) -> tuple[int, float | None]:
    scheduled = frames.objects.attribute(loop, "_scheduled")
    if scheduled is None:
        raise _KeptInC("keeps its timers and descriptors in C")
    at, objects = frames.layout.at, frames.objects
    times = []
    for handle in objects.items(scheduled, MOST_TIMERS):
        if not objects.truth(frames.image.word(handle + at["handle_cancelled"])):
            times.append(objects.real(frames.image.word(handle + at["handle_when"])))
    return len(times), (min(times) - time.monotonic() if times else None)


def _readers(frames: Frames, loop: int) -> int:
    """File descriptors that the loop's selector watches, its self-pipe not counted."""
    objects = frames.objects
    selector = objects.attribute(loop, "_selector")
    watched = objects.attribute(selector, "_fd_to_key") if selector else None
    if not watched:
        return 0
    descriptors = [objects.number(key) for key, _ in objects.entries(watched)]
    own = objects.attribute(loop, "_ssock")
    if not own or not objects.is_a(own, "_socket.socket"):
        return len(descriptors)
    pipe = frames.image.integer(own + frames.layout.at["socket_descriptor"])
    return sum(descriptor != pipe for descriptor in descriptors)
