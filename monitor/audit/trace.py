"""What one file shows of one run: marks with their places, before anything is judged. Every reader yields these.

Mutable while a file is read, then only looked at. Bounded: a run of any length keeps its validations, its marks and
one number a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.model.audit import AuditEvidence

MOST_MARKS = 200
"""Marks of one kind that are kept of one run."""


@dataclass(frozen=True)
class SeenScore:
    """A validation metric as it was written."""

    step: int
    metric: str
    value: float
    seen: AuditEvidence
    closed: bool = False
    """Printed as the closing "final metrics": what step it is of follows from the validations, not from the line."""


@dataclass(frozen=True)
class EngineCount:
    """The engine's own count of quantized layers over one validation."""

    step: int
    format: str | None
    scheme: str
    active: int
    expected: int
    calls: int
    fingerprint: str | None
    seen: AuditEvidence


@dataclass(frozen=True)
class QuantizationMark:
    """Hooks registered, a first module quantized: what was meant."""

    format: str | None
    scheme: str | None
    seen: AuditEvidence


@dataclass(frozen=True)
class StepMark:
    """A mark and the step that was under way when it was printed (0: before the first)."""

    step: int
    seen: AuditEvidence


@dataclass(frozen=True)
class DumpSeen:
    """A validation dump of one step."""

    rows: int
    bad_rows: int
    mean_score: float | None
    seen: AuditEvidence


@dataclass
class Trace:
    """One run in one file, or in one folder of dumps or checkpoints."""

    source: str
    """`console`, `file_logger`, `tensorboard`, `wandb`, `dump`, `checkpoint`, `config`, `script`."""
    file: str
    name: str | None = None
    """Experiment by the file's own words; the path gives it where they don't."""
    config: dict[str, str] = field(default_factory=dict)
    """Dotted key → value as text, of printed configuration and overrides."""
    whole_config: bool = False
    """The configuration was printed whole: what isn't in it wasn't set."""
    config_seen: AuditEvidence | None = None
    entry: str | None = None
    started: str | None = None
    """As written, `2026-01-16 11:23:58`, with its zone where it has one."""
    started_at: float | None = None
    """UTC, where the file itself tells it so."""
    started_seen: AuditEvidence | None = None
    seconds: float | None = None
    """Between the file's first and last timestamps."""
    actors: set[str] = field(default_factory=set)
    total_steps: int | None = None
    resumed: StepMark | None = None
    batches_expected: int | None = None
    last_step: int | None = None
    """Of the last step whose metrics were logged."""
    first_step: int | None = None
    step_seconds: list[float] = field(default_factory=list)
    scores: list[SeenScore] = field(default_factory=list)
    begun: dict[int, AuditEvidence] = field(default_factory=dict)
    """Step → first line of its validation."""
    batches: dict[int, int] = field(default_factory=dict)
    """Step → batches of its validation that ended."""
    ended: dict[int, AuditEvidence] = field(default_factory=dict)
    """Step → last line that says a batch ended."""
    skipped: list[StepMark] = field(default_factory=list)
    counts: list[EngineCount] = field(default_factory=list)
    engine_off: list[StepMark] = field(default_factory=list)
    asked: list[QuantizationMark] = field(default_factory=list)
    intended: list[QuantizationMark] = field(default_factory=list)
    loop_errors: list[StepMark] = field(default_factory=list)
    failures: list[StepMark] = field(default_factory=list)
    saved: list[int] = field(default_factory=list)
    final_seen: AuditEvidence | None = None
    """The line of the closing "final metrics"."""
    final_empty: bool = False
    initial_empty: bool = False
    dumps: dict[int, DumpSeen] = field(default_factory=dict)
    checkpoints: dict[int, bool] = field(default_factory=dict)
    """Step → complete."""
    unprefixed: int = 0
    """Lines that would have told something and came from no Ray process, beside others that did."""
    last_line: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def tells(self) -> bool:
        """True where a run shows in it, not only a configuration."""
        return bool(
            self.last_step is not None or self.begun or self.scores or self.counts or self.dumps or self.skipped
            or self.total_steps or self.final_seen or self.checkpoints
        )  # fmt: skip
