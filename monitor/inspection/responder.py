"""The hooks' responder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from monitor.model.snapshot import AsyncioTask, EventLoopState


@dataclass(frozen=True)
class ResponderAnswer:
    """What the responder said."""

    tasks: tuple[AsyncioTask, ...] | None = None
    loops: tuple[EventLoopState, ...] = ()
    threads: tuple[dict[str, Any], ...] = ()
    max_concurrency: int | None = None
    status: str = "absent"
    """`answered`, `silent` or `absent`."""
    because: str = ""
    counters: dict[str, int] = field(default_factory=dict)


def ask(pid: int, *, timeout: float = 1.0) -> ResponderAnswer:
    """Ask the responder of `pid`."""
    raise NotImplementedError
