"""What a pending task waits on: the same words, by the same rules, as the hooks give (`trainer_hooks.waits`).

By asyncio's own innermost frames, the type of the future the task waits for, and the closures of that future's
callbacks, where Ray's and asyncio's bridges keep their sources. What can't be told is `unknown`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.inspection.asyncio_reader.await_chain import Chain
from monitor.inspection.asyncio_reader.frames import Frames, Link
from monitor.inspection.object_refs import RefsUnreadable, read_refs

FUTURE, TASK = "_asyncio.Future", "_asyncio.Task"
CONCURRENT_FUTURE = "Future"
PENDING = 0
MOST_CALLBACKS = 1000
CONCURRENT_DONE = frozenset({"CANCELLED", "CANCELLED_AND_NOTIFIED", "FINISHED"})

_SOCKET_FILES = frozenset(
    {"streams", "selector_events", "sslproto", "base_events", "unix_events", "proactor_events", "transports"}
)
_LOCK_KINDS = {"Event": "event", "Lock": "lock", "Semaphore": "lock", "BoundedSemaphore": "lock"}


@dataclass(frozen=True)
class Wait:
    """What one task waits on."""

    kind: str
    object_ref: str | None = None
    tasks: tuple[int, ...] = ()
    """Addresses of the pending tasks that it waits for."""
    any_is_enough: bool = False


class LeafWaits:
    """Classifies waits."""

    def __init__(self, frames: Frames, folder: str) -> None:
        self.frames = frames
        self.objects = frames.objects
        self.image = frames.image
        self.folder = folder
        """The folder of the target's own asyncio package."""

    def wait_of(self, chain: Chain, waiter: int) -> Wait:
        """What the task with this chain and this `_fut_waiter` waits on."""
        if chain.executing or not waiter or self._done(waiter):
            # Nothing keeps it but its turn: it runs, was just made, or what it waited for has happened.
            return Wait("running")
        reference = self.object_ref(waiter)
        if reference is not None:
            return Wait("object_ref", reference) if reference else Wait("unknown")
        if chain.unreadable:
            return Wait("unknown")
        return self._by_frames(self._asyncio_links(chain.links)) or self._by_future(waiter)

    def pending(self, future: int) -> bool:
        """A future of asyncio's C code that is not done."""
        return self.objects.is_a(future, FUTURE) and not self._done(future)

    def object_ref(self, future: int) -> str | None:
        """The ObjectRef (hex) behind a future that Ray made for it; empty where it can't be read; None: another."""
        for held in self._closures(self._callbacks(future)):
            reference = self.objects.attribute(held, "object_ref")
            if reference and self.objects.type_of(reference).short == "ObjectRef":
                try:
                    return read_refs(self.image.pid, (reference,))[0]
                except RefsUnreadable:
                    return ""
        return None

    # -- by frames

    def _asyncio_links(self, links: list[Link]) -> list[tuple[str, Link]]:
        own: list[tuple[str, Link]] = []
        for link in reversed(links):
            head, name = os.path.split(link.file)
            if not self.folder or head != self.folder:
                break
            own.append((name[:-3], link))
        return own

    def _by_frames(self, own: list[tuple[str, Link]]) -> Wait | None:
        if not own:
            return None
        modules = [module for module, _ in own]
        if "subprocess" in modules or "base_subprocess" in modules:
            return Wait("subprocess")
        if any("_wait_for_one" in link.function for _, link in own):
            return Wait("task", any_is_enough=True)
        if "queues" in modules:
            return Wait("queue")
        module, link = own[0]
        owner, _, method = link.function.rpartition(".")
        if module == "locks":
            return Wait(_LOCK_KINDS.get(owner, "lock" if method == "acquire" else "condition"))
        if module == "taskgroups":
            group = self.frames.local(link.frame, "self")
            held = self.objects.attribute(group, "_tasks") if group else None
            return Wait("gather", tasks=self._tasks(self.objects.members(held) if held else ()))
        if module == "tasks":
            return self._by_tasks_function(link)
        return Wait("socket") if module in _SOCKET_FILES else None

    def _by_tasks_function(self, link: Link) -> Wait | None:
        if link.function == "sleep":
            return Wait("sleep")
        if link.function == "_wait":
            told = self.frames.local(link.frame, "return_when")
            every = bool(told) and self.objects.text(told) == "ALL_COMPLETED"
            waited = self.frames.local(link.frame, "fs")
            tasks = self._tasks(self._each(waited) if waited else ())
            return Wait("gather" if every else "task", None, tasks, not every)
        if link.function in ("wait_for", "_cancel_and_wait"):
            target = self.frames.local(link.frame, "fut")
            if target and self.pending(target):
                return self._by_future(target, itself=True)
        return None

    def _each(self, group: int) -> Iterable[int]:
        return self.objects.members(group) if self.objects.is_a(group, "set") else self.objects.items(group)

    # -- by the future

    def _by_future(self, future: int, *, itself: bool = False) -> Wait:
        if self.objects.is_a(future, TASK):
            return Wait("task", tasks=(future,))
        children = self.objects.attribute(future, "_children") if self.objects.is_a(future, FUTURE) else None
        if children:
            return Wait("gather", tasks=self._tasks(self.objects.items(children)))
        reference = self.object_ref(future) if itself else None
        if reference is not None:
            return Wait("object_ref", reference) if reference else Wait("unknown")
        for source in self._closures(self._callbacks(future)):
            if source == future:
                continue
            if self.objects.is_a(source, FUTURE):
                if self._done(source):
                    continue
                if self.objects.is_a(source, TASK):
                    return Wait("task", tasks=(source,))
            elif self.objects.is_a(source, CONCURRENT_FUTURE):
                behind = self._behind_concurrent(source)
                if behind:
                    return Wait("task", tasks=behind)
        return Wait("future")

    def _behind_concurrent(self, source: int) -> tuple[int, ...]:
        """Tasks of another loop behind a concurrent future that is not done."""
        state = self.objects.attribute(source, "_state")
        if not state or self.objects.text(state) in CONCURRENT_DONE:
            return ()
        callbacks = self.objects.attribute(source, "_done_callbacks")
        return self._tasks(self._closures(self.objects.items(callbacks, MOST_CALLBACKS) if callbacks else ()))

    def _done(self, future: int) -> bool:
        if not self.objects.is_a(future, FUTURE):
            return False
        return self.image.integer(future + self.frames.layout.at["future_state"]) != PENDING

    def _callbacks(self, future: int) -> list[int]:
        if not self.objects.is_a(future, FUTURE):
            return []
        at, word = self.frames.layout.at, self.image.word
        found = [word(future + at["future_callback"])]
        more = word(future + at["future_callbacks"])
        if more and self.objects.type_of(more).name == "list":
            found += [self.objects.items(entry, 1)[0] for entry in self.objects.items(more, MOST_CALLBACKS)]
        return [callback for callback in found if callback]

    def _closures(self, callbacks: Iterable[int]) -> list[int]:
        return [held for callback in callbacks for held in self.objects.closure(callback)]

    def _tasks(self, futures: Iterable[int]) -> tuple[int, ...]:
        return tuple(future for future in futures if self.objects.is_a(future, TASK) and not self._done(future))
