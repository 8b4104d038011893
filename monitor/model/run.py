"""A run as it is known: its configuration, where it stands, its phases, validations, checkpoints, and its progress."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from monitor.model.fact import Evidence
from monitor.model.reading import Unknown


@dataclass(frozen=True)
class RunConfig:
    """What the run's resolved configuration says. None: not known. Intention, never proof of what ran."""

    experiment: str | None = None
    project: str | None = None
    trainer: str | None = None
    """Name of the trainer's profile: `demo`, `verl`."""
    total_steps: int | None = None
    test_freq: int | None = None
    save_freq: int | None = None
    validate_before_train: bool | None = None
    save_order: str | None = None
    """`save-first` or `validate-first`: whether the last checkpoint is written before the final validation."""
    checkpoint_dir: str | None = None
    validation_data_dir: str | None = None
    validation_file: str | None = None
    model_path: str | None = None
    """The start model: what the weights were before training."""
    file_log: str | None = None
    console_log: str | None = None
    validation_rows: int | None = None
    """Rows a full validation has: prompts × n."""
    recipe: dict[str, Any] | None = None
    """The quantization recipe in full (keys of configs/quant/*.yaml); None: not quantized, or not known."""
    hooks_dir: str | None = None
    driver_pid: int | None = None
    driver_mark: str | None = None
    """What tells the driver's process from any other later (`sources/process_mark.py`)."""
    started_at: float | None = None
    validation_sha256: str | None = None
    """Hash of `validation_file`, taken by the watch while the run was live."""
    host: str | None = None
    """Name of the machine the driver runs on, where its process was found."""
    quantized: bool | None = None
    """Whether training quantizes, by its configuration. False: it says it does not. None: it says nothing of it."""


@dataclass(frozen=True)
class PhaseSpan:
    """One phase of one step. `ended_at` None: under way."""

    step: int
    phase: str
    began_at: float | None
    ended_at: float | None = None
    seconds: float | None = None
    occurrence: int = 0
    """A phase may run several times in one step (a trainer that samples until a batch is full): 0, 1, …"""
    done: int | None = None
    """Samples finished in it, where they are counted."""
    total: int | None = None
    done_at: float | None = None
    """When `done` was reached."""
    exact: bool = False
    """Begin and end were seen by the hooks."""
    inferred: bool = False
    """Nobody told its end: `ended_at` is when the trainer went on."""


@dataclass(frozen=True)
class WeightsUpdate:
    """The rollout engine took the weights of `step`."""

    step: int
    at: float
    version: int | None = None
    fingerprint: str | None = None


@dataclass(frozen=True)
class Validation:
    """A pass over the validation set at one step, as far as it is known."""

    step: int
    final: bool
    began_at: float | None = None
    ended_at: float | None = None
    done: int | None = None
    total: int | None = None
    dump_rows: int | None = None
    dump_path: str | None = None
    value: float | None = None
    metric: str | None = None
    executed: bool = False
    """True only on evidence of execution: a full dump, the trainer's own metrics of that step, or the hooks' count."""
    scores: dict[str, float] = field(default_factory=dict)
    """Every validation metric of this step; `metric` and `value` are the first of them."""
    dump_mean: float | None = None
    """Mean of the dump's scores: what is left of a validation whose metrics were never logged."""
    moved_at: float | None = None
    """When its count, dump, score or attestation last grew."""
    moved: str = ""
    """What that was, as a sentence."""
    attested_at: float | None = None
    scored_at: float | None = None
    evidence: tuple[Evidence, ...] = ()
    """Where its scores, its dump and its attestation were seen."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder on disk (verl's `global_step_N`, TRL's `checkpoint-N`)."""

    step: int
    path: str
    complete: bool
    """True where the marker names this step or a later one and all shards are there; in a layout without one, where
    the file that is written last is there."""
    at: float | None = None
    """When it last grew or turned complete."""
    bytes: int = 0
    """Most bytes seen in it."""


@dataclass(frozen=True)
class Progress:
    """When something last truly moved, and what."""

    last_moved_at: float
    last_fact: str
    """A short sentence: `sample 131 of 256 of the validation at step 29`."""
    facts: int
    """Moving facts so far."""


@dataclass(frozen=True)
class RunState:
    """All that is known of a run now. The engine folds facts into it; the ledger keeps it."""

    name: str
    config: RunConfig
    started_at: float
    trainer: str = "unknown"
    step: int | None = None
    """The step under way or last ended; 0 before training."""
    total_steps: int | None = None
    phase: str | None = None
    phase_since: float | None = None
    spans: tuple[PhaseSpan, ...] = ()
    """Phases that ended and the one under way, oldest first; bounded (the ledger keeps all)."""
    validations: tuple[Validation, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    progress: Progress | None = None
    ended_at: float | None = None
    ended_how: str | None = None
    hooks_seen: bool = False
    notices: tuple[Evidence, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    weights: tuple[WeightsUpdate, ...] = ()
    """Weight updates of the rollout engine, oldest first; bounded."""
    step_ended: int | None = None
    """The last step whose metrics were logged."""
    step_ended_at: float | None = None
    calls_moved_at: float | None = None
    guard: dict[str, Any] = field(default_factory=dict)
    """What the final-validation guard said at the end of training: `final_validation`, `reason`."""
    hung_since: float | None = None
    """When a proved finding that still stands was found; filled in by the ledger, never by the fold."""

    @property
    def final_step(self) -> int | None:
        """The step whose validation is final, None where the total is not known."""
        return self.total_steps if self.total_steps is not None else self.config.total_steps

    def validation_at(self, step: int) -> Validation | None:
        """The validation of `step`, None where none was seen."""
        return next((validation for validation in self.validations if validation.step == step), None)


@dataclass(frozen=True)
class GpuReading:
    """One GPU, or one MIG device of it, at one moment. Utilization in percent, memory in bytes, power in watts,
    temperature in °C."""

    index: int
    name: str
    utilization: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    power: float | None = None
    temperature: float | None = None
    pids: tuple[int, ...] = ()
    """The processes on it; of one that is lost, those that were last seen on it."""
    errors: tuple[str, ...] = field(default=())
    unknown: Unknown | None = None
    """It is lost: since when and why. Its figures are None then."""
    mig: int | None = None
    """Which MIG device of the GPU; None: the GPU as a whole. NVML tells no utilization of a MIG device."""
    uuid: str = ""
    """NVML's own name of it, which stays where the others of a machine move up; empty: not known."""


@dataclass(frozen=True)
class EngineRequests:
    """Requests of one rollout engine at one moment, by the engine's own count."""

    engine: str
    """Where it answers, and its number there: `127.0.0.1:8000 engine 0`."""
    running: int
    waiting: int
