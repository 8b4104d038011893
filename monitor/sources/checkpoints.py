"""CheckpointSource."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from monitor.model.fact import Fact


class CheckpointSource:
    """Poller."""

    def __init__(self, directory: Path) -> None:
        self._arguments = locals()

    def poll(self, now: float) -> list[Fact]:
        """New facts."""
        raise NotImplementedError


@dataclass(frozen=True)
class CheckpointState:
    """State of one checkpoint folder."""

    step: int
    complete: bool
    shards: tuple[str, ...]
    missing: tuple[str, ...]
    bytes: int
    marker_step: int | None


def inspect(path: Path) -> CheckpointState:
    """State of `global_step_N`."""
    raise NotImplementedError


def manifest(path: Path, hash_limit: int | None = None) -> dict[str, list[object]]:
    """Relative path → [size, sha256]."""
    raise NotImplementedError
