"""Await chains read from inside: what a suspended coroutine stands on, frame by frame, down to the leaf.

Covers coroutines, generators, asynchronous generators, Cython coroutines and the opaque wrappers between them (reached
through the garbage collector's referents). Only reads; a coroutine that executes at this moment is never looked into.
What the leaf waits for is told by `waits.py`, tasks and loops by `event_loops.py`.
"""

from __future__ import annotations

import gc
import types
from dataclasses import dataclass, field
from typing import Any

MOST_FRAMES = 64

_OPAQUE = frozenset(
    {"coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable", "_asyncgen_asend"}
)
"""Types that hold the next awaitable where only the garbage collector sees it."""


@dataclass
class Link:
    """One frame of an await chain."""

    function: str
    file: str
    line: int
    frame: types.FrameType | None = None
    """None for compiled code, which has no frame."""

    def as_list(self) -> list[Any]:
        """[function, file, line]."""
        return [self.function, self.file, self.line]

    def local(self, name: str) -> Any:
        """A local variable of this frame, None where there is none. Only for frames of asyncio itself."""
        return self.frame.f_locals.get(name) if self.frame is not None else None


@dataclass
class Chain:
    """The links of one coroutine, outermost first."""

    links: list[Link] = field(default_factory=list)
    leaf: Any = None
    """What the innermost frame awaits, None where it awaits nothing (it has not begun, or it executes)."""
    executing: bool = False
    compiled_root: bool = False
    """The outermost coroutine is compiled code: in a Ray worker, the one that executes a Ray task."""


def walk(coroutine: Any) -> Chain:
    """The await chain of `coroutine`."""
    chain = Chain(compiled_root=_is_compiled(coroutine))
    current = coroutine
    while current is not None and len(chain.links) < MOST_FRAMES:
        if type(current).__name__ in _OPAQUE:
            current = _inside(current)
            continue
        link = _link(current)
        if link is None:
            chain.leaf = current
            break
        chain.links.append(link)
        if getattr(current, "cr_running", False) or getattr(current, "gi_running", False):
            chain.executing = True
            break
        current = _awaited(current)
    return chain


def _is_compiled(awaitable: Any) -> bool:
    known = (types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType)
    return not isinstance(awaitable, known) and hasattr(awaitable, "cr_await")


def _link(awaitable: Any) -> Link | None:
    """The frame of one awaitable, None where it has none: the leaf."""
    frame: types.FrameType | None
    if isinstance(awaitable, types.CoroutineType):
        frame, code = awaitable.cr_frame, awaitable.cr_code
    elif isinstance(awaitable, types.GeneratorType):
        frame, code = awaitable.gi_frame, awaitable.gi_code
    elif isinstance(awaitable, types.AsyncGeneratorType):
        frame, code = awaitable.ag_frame, awaitable.ag_code
    elif hasattr(awaitable, "cr_await") or hasattr(awaitable, "gi_yieldfrom"):
        name = getattr(awaitable, "__qualname__", None) or type(awaitable).__name__
        return Link(str(name), f"<{type(awaitable).__module__}.{type(awaitable).__name__}>", 0)
    else:
        return None
    line = frame.f_lineno if frame is not None else code.co_firstlineno
    return Link(awaitable.__qualname__, code.co_filename, line or 0, frame)


def _awaited(awaitable: Any) -> Any:
    for name in ("cr_await", "gi_yieldfrom", "ag_await"):
        if hasattr(awaitable, name):
            return getattr(awaitable, name)
    return None


def _inside(opaque: Any) -> Any:
    """The awaitable that an opaque wrapper holds, None where it can't be told."""
    for held in gc.get_referents(opaque):
        if hasattr(held, "cr_await") or hasattr(held, "ag_await") or hasattr(held, "gi_yieldfrom"):
            return held
    return None


def stack_of(frame: types.FrameType | None, most: int = 200) -> list[Link]:
    """A thread's frames, innermost first."""
    links: list[Link] = []
    while frame is not None and len(links) < most:
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        links.append(Link(name, code.co_filename, frame.f_lineno or 0, frame))
        frame = frame.f_back
    return links
