"""Facts: what the sources saw of a run, one record each, whatever they were read from.

Every source (console log, file logger, dumps, checkpoints, hooks, Ray's State API) yields the same `Fact`; the engine
folds facts into a `RunState`. `MOVING` is the stated list of kinds that count as progress: a repeated log line, a
redrawn bar, a heartbeat or a busy GPU never becomes a fact of one of these kinds.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


class FactKind(str, enum.Enum):
    """What was seen. The value stands in JSON and in the ledger."""

    RUN_CONFIG = "run_config"
    """Resolved configuration. data: any fields of `RunConfig`."""
    PHASE_BEGIN = "phase_begin"
    """A phase of a step began (hooks, or a line the trainer prints at its start). needs step, phase."""
    PHASE_END = "phase_end"
    """A phase ended. needs step, phase; data: `seconds` (float)."""
    STEP_END = "step_end"
    """All of a step's metrics were logged. needs step; data: `metrics` (dict of floats)."""
    SAMPLES = "samples"
    """Samples finished in the present phase. needs phase, step; data: `done` (int), `total` (int or None)."""
    SCORE = "score"
    """A validation metric. needs step; data: `metric` (str), `value` (float)."""
    DUMP = "dump"
    """A validation dump file. needs step; data: `path`, `rows` (int), `mean_score` (float or None)."""
    CHECKPOINT = "checkpoint"
    """A checkpoint folder. needs step; data: `path`, `complete` (bool), `bytes` (int). Growing bytes are progress."""
    WEIGHTS_UPDATED = "weights_updated"
    """The rollout engine took new weights. needs step; data: `version` (int), `fingerprint` (str or None)."""
    CALLS_MOVED = "calls_moved"
    """Ray calls that make samples or move a phase (its profile names them) began or ended. data: `finished`."""
    ATTESTED = "attested"
    """Proof made inside the engine that quantization was active in a validation. needs step; data: the attestation."""
    GUARD = "guard"
    """The final-validation guard spoke at the end of training. data: `final_validation` (str), `reason`."""
    RUN_END = "run_end"
    """The driver ended. data: `exit` ("finished", "failed", "killed" or "gone")."""
    NOTICE = "notice"
    """Something worth telling a person, no progress: a warning line, a restart, an erased file. data: `text`."""


MOVING = frozenset(
    {
        FactKind.PHASE_BEGIN,
        FactKind.PHASE_END,
        FactKind.STEP_END,
        FactKind.SAMPLES,
        FactKind.SCORE,
        FactKind.DUMP,
        FactKind.CHECKPOINT,
        FactKind.WEIGHTS_UPDATED,
        FactKind.CALLS_MOVED,
        FactKind.ATTESTED,
        FactKind.RUN_END,
    }
)


@dataclass(frozen=True)
class Evidence:
    """Where something was seen: a file and line, a State API record, a stack, a counter."""

    what: str
    file: str | None = None
    line: int | None = None
    at: float | None = None
    """Wall clock, seconds since the epoch, UTC."""


@dataclass(frozen=True)
class Fact:
    """One thing seen of a run, once. Two facts with the same `key` are the same thing seen twice."""

    kind: FactKind
    source: str
    """`console`, `file_logger`, `dump`, `checkpoint`, `hook`, `ray`, `processes`, `rerun`."""
    at: float
    """When it happened, as well as the source can tell: wall clock, seconds since the epoch, UTC."""
    step: int | None = None
    phase: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    evidence: Evidence | None = None

    @property
    def moves(self) -> bool:
        """True where this fact is progress."""
        return self.kind in MOVING
