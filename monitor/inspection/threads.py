"""Threads by py-spy."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model.snapshot import ThreadState


@dataclass(frozen=True)
class ThreadReading:
    """Threads of one process, or why not."""

    threads: tuple[ThreadState, ...] = ()
    unknown: str = ""


def read_threads(pid: int, *, timeout: float = 5.0) -> ThreadReading:
    """Threads of `pid`."""
    raise NotImplementedError
