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
    """The quantization recipe in full (keys of configs/quant/*.yaml), None where training is not quantized or unknown."""
    hooks_dir: str | None = None
    driver_pid: int | None = None
    started_at: float | None = None
    validation_sha256: str | None = None
    """Hash of `validation_file`, taken by the watch while the run was live."""


@dataclass(frozen=True)
class PhaseSpan:
    """One phase of one step. `ended_at` None: under way."""

    step: int
    phase: str
    began_at: float | None
    ended_at: float | None = None
    seconds: float | None = None


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
    """True only on evidence of execution: a full dump, or the trainer's own metrics of that step."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder `global_step_N` on disk."""

    step: int
    path: str
    complete: bool
    """True where the marker names this step or a later one and all shards are there."""
    at: float | None = None


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

    @property
    def final_step(self) -> int | None:
        """The step whose validation is final, None where the total is not known."""
        return self.total_steps if self.total_steps is not None else self.config.total_steps

    def validation_at(self, step: int) -> Validation | None:
        """The validation of `step`, None where none was seen."""
        return next((validation for validation in self.validations if validation.step == step), None)


@dataclass(frozen=True)
class GpuReading:
    """One GPU at one moment. Utilization in percent, memory in bytes, power in watts, temperature in °C."""

    index: int
    name: str
    utilization: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    power: float | None = None
    temperature: float | None = None
    pids: tuple[int, ...] = ()
    errors: tuple[str, ...] = field(default=())
