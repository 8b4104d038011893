"""All pending asyncio tasks and loops of one process, task by task: what is torn is read again, then called torn.

A task is true only if, once it has been read, its own words and those of every frame of its chain are still what they
were. Bounded in tasks, pages and time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from monitor.inspection.asyncio_reader.await_chain import Chain, Chains
from monitor.inspection.asyncio_reader.contexts import context_task_id
from monitor.inspection.asyncio_reader.errors import UNREADABLE, NotReadable, Odd
from monitor.inspection.asyncio_reader.frames import Frames, Link
from monitor.inspection.asyncio_reader.image import Image, Stamp
from monitor.inspection.asyncio_reader.layout import Layout
from monitor.inspection.asyncio_reader.leaf_waits import TASK, LeafWaits
from monitor.inspection.asyncio_reader.loops import RunningLoop, callback_frames, loop_state, running_loops
from monitor.inspection.asyncio_reader.objects import Objects
from monitor.inspection.asyncio_reader.roots import Roots
from monitor.model.snapshot import AsyncioTask, EventLoopState, Frame

T = TypeVar("T")

ATTEMPTS = 6
SHORT_SECONDS = 0.005
"""A task that took longer than this to read counts once two such readings are equal."""
MOST_TASKS = 5000
"""As many as the hook's responder describes."""
PENDING = 0


@dataclass(frozen=True)
class ProcessTasks:
    """What was read of one process."""

    tasks: tuple[AsyncioTask, ...]
    loops: tuple[EventLoopState, ...]
    torn: int = 0
    """Pending tasks that changed at every look."""
    foreign: int = 0
    """Tasks of a class of their own, which are not read."""
    left_out: int = 0
    """Pending tasks beyond the bounds in number and time."""


class ProcessReader:
    """Reads one process with a layout. `modules`: kept between readings of the same process."""

    def __init__(self, pid: int, layout: Layout, runtime: int, modules: dict[str, int] | None = None) -> None:
        self.image = Image(pid)
        self.objects = Objects(self.image, layout)
        self.frames = Frames(self.objects)
        self.chains = Chains(self.frames)
        self.roots = Roots(self.objects, runtime, modules if modules is not None else {})
        self.layout = layout

    def read(self, deadline: float) -> ProcessTasks:
        """Everything. `deadline`: monotonic. Raises `NotReadable` where not even the beginning can be read."""
        addresses, torn = self._addresses()
        waits = LeafWaits(self.frames, self._retried(self.roots.asyncio_folder))
        running = self._retried(lambda: running_loops(self.roots, self.frames))
        current = self._retried(self.roots.current_tasks)
        tasks: list[AsyncioTask] = []
        counts: dict[int, int] = dict.fromkeys(running, 0)
        foreign = left_out = 0
        for position, address in enumerate(addresses):
            if len(tasks) >= MOST_TASKS or time.monotonic() > deadline:
                left_out = len(addresses) - position
                break
            found = self._task(address, waits, running, current)
            if isinstance(found, AsyncioTask):
                tasks.append(found)
                loop = int(found.loop, 16)
                counts[loop] = counts.get(loop, 0) + 1
            else:
                torn, foreign = torn + (found == "torn"), foreign + (found == "foreign")
        names = self._retried(self.roots.thread_names) if counts else {}
        loops = tuple(loop_state(self.frames, loop, running.get(loop), names, n) for loop, n in counts.items() if loop)
        return ProcessTasks(tuple(tasks), loops, torn, foreign, left_out)

    def _addresses(self) -> tuple[list[int], int]:
        """Addresses of tasks; and 1 where the sets changed at every look, so that some may be missing."""
        try:
            return self._retried(self.roots.task_addresses), 0
        except NotReadable:
            found: dict[int, None] = {}
            for _ in range(ATTEMPTS):
                found.update(dict.fromkeys(self._retried(lambda: self.roots.task_addresses(whole=False))))
            return list(found), 1

    def _retried(self, ask: Callable[[], T]) -> T:
        error: Exception | None = None
        for _ in range(ATTEMPTS):
            self.image.forget()
            try:
                return ask()
            except UNREADABLE as failed:
                error = failed
        raise NotReadable(f"its memory is not what it should be: {error}") from error

    def _task(
        self, address: int, waits: LeafWaits, running: dict[int, RunningLoop], current: dict[int, int]
    ) -> AsyncioTask | str:
        """The task, or why there is none: `done`, `foreign`, `torn`."""
        before: AsyncioTask | None = None
        for _ in range(ATTEMPTS):
            self.image.forget()
            began = time.monotonic()
            try:
                if not self.objects.is_a(address, TASK):
                    if self.objects.type_of(address).short == "Task":
                        return "foreign"
                    raise Odd("no task")
                stamps = self._stamps(address)
                if self.image.integer(address + self.layout.at["future_state"]) != PENDING:
                    if self.image.unchanged(stamps):
                        return "done"
                    continue
                found, chain = self._decode(address, waits, running, current)
                if self.image.unchanged([*stamps, *chain.stamps]):
                    # In a long look (this process was off the CPU) a task can go on and come back to the same words.
                    if time.monotonic() - began < SHORT_SECONDS or found == before:
                        return found
                    before = found
            except UNREADABLE:
                continue
        return "torn" if self._still_pending(address) else "done"

    def _stamps(self, address: int) -> list[Stamp]:
        at = self.layout.at
        fields = ((8, 8), (at["future_state"], 4), (at["task_waiter"], 8), (at["task_coroutine"], 8))
        return [(address + offset, self.image.read(address + offset, size)) for offset, size in fields]

    def _still_pending(self, address: int) -> bool:
        self.image.forget()
        try:
            state = self.image.integer(address + self.layout.at["future_state"])
            return self.objects.is_a(address, TASK) and state == PENDING
        except UNREADABLE:
            return False

    def _decode(
        self, address: int, waits: LeafWaits, running: dict[int, RunningLoop], current: dict[int, int]
    ) -> tuple[AsyncioTask, Chain]:
        at, word = self.layout.at, self.image.word
        loop = word(address + at["future_loop"])
        chain = self.chains.walk(word(address + at["task_coroutine"]))
        wait = waits.wait_of(chain, word(address + at["task_waiter"]))
        links = chain.links
        if chain.executing:
            above = callback_frames(running.get(loop)) if current.get(loop) == address else []
            links = [link for link in links if link.line == 0] + above if above else links
        name = word(address + at["task_name"])
        context = context_task_id(self.objects, word(address + at["task_context"]))
        found = AsyncioTask(
            name=self._name(name),
            loop=f"{loop:x}",
            frames=tuple(map(_frame, links)),
            waits_on=wait.kind,
            object_ref=wait.object_ref,
            ray_task_id=context if chain.compiled_root else None,
            key=f"{address:x}",
            waits_for=tuple(f"{other:x}" for other in wait.tasks),
            waits_any=wait.any_is_enough,
            context_task_id=context,
        )
        return found, chain

    def _name(self, address: int) -> str:
        # 3.13 keeps the number of a task without a name of its own.
        kind = self.objects.type_of(address).name
        return f"Task-{self.objects.number(address)}" if kind == "int" else self.objects.text(address)


def _frame(link: Link) -> Frame:
    return Frame(link.function, link.file, link.line)
