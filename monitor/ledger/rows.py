"""What the ledger's tables give back, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from monitor.model.finding import Finding

ENDED = ("done", "failed", "cancelled")
"""The words a rerun ends with. Anything else is under way."""


@dataclass(frozen=True)
class RunSummary:
    """One run in a list of runs, without reading all that is known of it."""

    name: str
    experiment: str | None
    trainer: str
    started_at: float
    step: int | None
    total_steps: int | None
    ended_at: float | None
    ended_how: str | None
    hung_since: float | None
    """When a proved finding that still stands was found, None where none stands."""


@dataclass(frozen=True)
class FindingRow:
    """A finding as it was kept. `withdrawn_at` None: it stands."""

    finding: Finding
    found_at: float
    withdrawn_at: float | None
    bundle: str | None


@dataclass(frozen=True)
class ManifestRow:
    """A checkpoint as it lay on disk when it was complete."""

    step: int
    manifest: dict[str, list[Any]]
    """Path inside the folder → [size, sha256 or None]."""
    fingerprint: str | None
    recorded_at: float


@dataclass(frozen=True)
class RerunRow:
    """A rerun. While `status` is under way the row is the lock of its score, held by `pid`."""

    id: str
    run: str
    step: int
    recipe: str
    status: str
    pid: int
    pid_start: float
    """When the process began, as the claimer said: wall clock."""
    start_ticks: int
    """When the process began, in clock ticks since boot: does not move with the wall clock. 0: not known."""
    done: int | None
    total: int | None
    error: str
    directory: str | None
    started_at: float
    ended_at: float | None

    @property
    def over(self) -> bool:
        """True where it has ended, one way or the other."""
        return self.status in ENDED


@dataclass(frozen=True)
class Holder:
    """The process that holds a claim."""

    pid: int
    start_ticks: int
    since: float
