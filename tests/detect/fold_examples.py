"""A run and its facts in seconds since its begin, for the tests of the fold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.detect.fold import begin
from monitor.model.fact import Evidence, Fact, FactKind
from monitor.model.run import RunConfig, RunState

START = 1000.0
METRIC = "val-core/arithmetic/acc/mean@1"
CONFIG = RunConfig(experiment="grpo", total_steps=29, validation_rows=256)


def run(**changes: Any) -> RunState:
    """A run of 29 steps that has just begun."""
    return begin("grpo-20260101T000000Z", replace(CONFIG, **changes), START)


def fact(
    kind: str, at: float, source: str = "hook", step: int | None = None, phase: str | None = None, **data: Any
) -> Fact:
    """A fact `at` seconds into the run."""
    return Fact(FactKind(kind), source, START + at, step, phase, data, Evidence(kind, f"{source}.log", int(at)))


def moved_at(state: RunState) -> float:
    """Seconds into the run at which something last moved."""
    assert state.progress is not None
    return state.progress.last_moved_at - START
