"""What another machine's watch says of its live runs, as far as a list of runs needs it."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model.finding import VerdictWord
from monitor.model.reading import Reading


@dataclass(frozen=True)
class HostRun:
    """One live run there."""

    name: str
    word: VerdictWord
    step: int | None = None
    total_steps: int | None = None
    hang_class: str = ""
    """Of its first finding; empty where it has none."""


@dataclass(frozen=True)
class OtherHost:
    """One machine: its runs, or since when and why they can't be told."""

    name: str
    reading: Reading[tuple[HostRun, ...]]
