"""What a pending asyncio task waits on: the word of `records` for it, the ObjectRef, and the tasks it waits for.

Derived from execution, not from names that people give: asyncio's own innermost frames (their file and qualified name),
the type of the future the task waits for, and the closures of that future's callbacks, where Ray's and asyncio's
bridges keep their sources. What can't be told is `unknown`, or `future` for a bare future that anything may resolve.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trainer_hooks.await_chain import Chain, Link

_SOCKET_FILES = frozenset(
    {"streams", "selector_events", "sslproto", "base_events", "unix_events", "proactor_events", "transports"}
)
_LOCK_KINDS = {"Event": "event", "Lock": "lock", "Semaphore": "lock", "BoundedSemaphore": "lock"}


@dataclass(frozen=True)
class Wait:
    """What one task waits on."""

    kind: str
    object_ref: str | None = None
    tasks: tuple[Any, ...] = ()
    """Pending tasks that it waits for."""
    any_is_enough: bool = False


def wait_of(chain: Chain, waiter: Any) -> Wait:
    """What the task with this await chain and this future (its `_fut_waiter`) waits on."""
    if chain.executing or waiter is None or waiter.done():
        # Nothing keeps it but its turn: it runs, was just made, or what it waited for has happened.
        return Wait("running")
    reference = object_ref(waiter)
    if reference is not None:
        return Wait("object_ref", reference)
    own = _asyncio_links(chain.links)
    return _by_frames(own) or _by_future(waiter)


def object_ref(future: Any) -> str | None:
    """The ObjectRef (hex) behind a future that Ray made for it, None where it is another future."""
    for held in _closure_values(getattr(future, "_callbacks", None)):
        if hasattr(held, "object_ref"):
            return str(held.object_ref.hex())
    return None


def _asyncio_links(links: list[Link]) -> list[tuple[str, Link]]:
    """The innermost frames that belong to asyncio, innermost first, with their module's short name."""
    module = sys.modules.get("asyncio")
    folder = os.path.dirname(getattr(module, "__file__", None) or "") if module else ""
    own: list[tuple[str, Link]] = []
    for link in reversed(links):
        head, name = os.path.split(link.file)
        if not folder or head != folder:
            break
        own.append((name[:-3], link))
    return own


def _by_frames(own: list[tuple[str, Link]]) -> Wait | None:
    if not own:
        return None
    modules = [module for module, _ in own]
    if "subprocess" in modules or "base_subprocess" in modules:
        return Wait("subprocess")
    if any("_wait_for_one" in link.function for _, link in own):
        # as_completed: some of its futures, known only to its queue.
        return Wait("task", any_is_enough=True)
    if "queues" in modules:
        return Wait("queue")
    module, link = own[0]
    owner, _, method = link.function.rpartition(".")
    if module == "locks":
        return Wait(_LOCK_KINDS.get(owner, "lock" if method == "acquire" else "condition"))
    if module == "taskgroups":
        group = link.local("self")
        return Wait("gather", tasks=_pending_tasks(getattr(group, "_tasks", ())))
    if module == "tasks":
        return _by_tasks_function(link)
    return Wait("socket") if module in _SOCKET_FILES else None


def _by_tasks_function(link: Link) -> Wait | None:
    if link.function == "sleep":
        return Wait("sleep")
    if link.function == "_wait":
        every = link.local("return_when") == "ALL_COMPLETED"
        return Wait("gather" if every else "task", None, _pending_tasks(link.local("fs") or ()), not every)
    if link.function in ("wait_for", "_cancel_and_wait"):
        target = link.local("fut")
        if target is not None and not target.done():
            return _by_future(target, itself=True)
    return None


def _by_future(future: Any, *, itself: bool = False) -> Wait:
    """By the future's own type and by what its callbacks bridge to."""
    if hasattr(future, "get_coro"):
        return Wait("task", tasks=(future,))
    children = getattr(future, "_children", None)
    if children is not None:
        return Wait("gather", tasks=_pending_tasks(children))
    reference = object_ref(future) if itself else None
    if reference is not None:
        return Wait("object_ref", reference)
    for source in _closure_values(getattr(future, "_callbacks", None)):
        if source is future or not hasattr(source, "done") or source.done():
            continue
        if hasattr(source, "get_coro"):
            return Wait("task", tasks=(source,))
        # A concurrent future: another loop's task may stand behind it.
        behind = _pending_tasks(_closure_values((callback, None) for callback in _done_callbacks(source)))
        if behind:
            return Wait("task", tasks=behind)
    return Wait("future")


def _done_callbacks(future: Any) -> list[Any]:
    return list(getattr(future, "_done_callbacks", None) or ())


def _closure_values(callbacks: Iterable[Any] | None) -> list[Any]:
    """What the closures of a future's callbacks hold. Cells not yet filled are passed over."""
    values = []
    for entry in callbacks or ():
        callback = entry[0] if isinstance(entry, tuple) else entry
        for cell in getattr(callback, "__closure__", None) or ():
            try:
                values.append(cell.cell_contents)
            except ValueError:
                continue
    return values


def _pending_tasks(futures: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(future for future in list(futures) if hasattr(future, "get_coro") and not future.done())
