"""What the runs whose final score is missing or wrong cost, in GPU-hours; and guesses, on request, at what they missed.

A duration is, in this order: given by the caller; the time between the log's own first and last timestamps; the steps'
own seconds, those that the log lacks at the mean of the others, with an assumed time for start and end. Each number
says which it is. A guess is no score: it has a type of its own, is never recorded, and names the runs that it rests on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from monitor.model.audit import AuditCost, AuditedRun, AuditedScore, RunEnd, RunKind
from monitor.model.score import Standing
from monitor.settings import build, config_directory, load_yaml

WASTED = frozenset({Standing.MISSING_FINAL, Standing.NOT_QUANTIZED, Standing.STALE_WEIGHTS, Standing.PARTIAL})
"""A run of one of these has to be evaluated or trained again. `unproven` alone is no waste: its score may be right."""
WRONG = frozenset({Standing.NOT_QUANTIZED, Standing.STALE_WEIGHTS, Standing.PARTIAL})
"""Nothing is guessed from a score of one of these."""
TIMESTAMPS = "timestamps"


@dataclass(frozen=True)
class CostRules:
    """The keys of `configs/audit/cost.yaml`."""

    start_and_end_minutes: float
    round_minutes: float


@dataclass(frozen=True)
class Duration:
    """How long a run took, and how that is known."""

    minutes: float
    basis: str


@dataclass(frozen=True)
class Guess:
    """What a run's final score might have been. No score, and never stored as one."""

    run: str
    metric: str
    from_step: int
    final_step: int
    value: float
    low: float
    high: float
    basis: str


@cache
def cost_rules() -> CostRules:
    """The rules that ship."""
    path = config_directory() / "audit" / "cost.yaml"
    return build(CostRules, load_yaml(path), str(path))


def wasted(runs: Sequence[AuditedRun]) -> list[AuditedRun]:
    """The training runs whose final score is missing or wrong."""
    return [run for run in runs if run.kind is RunKind.TRAINING and not run.final_stands and WASTED & set(run.standing)]


def cost_of(
    runs: Sequence[AuditedRun],
    minutes_per_run: float | None = None,
    gpus: int | None = None,
    rules: CostRules | None = None,
) -> AuditCost:
    """GPU-hours of the wasted among `runs`; `minutes_per_run`, `gpus`: what the caller says where the logs don't."""
    rules = rules or cost_rules()
    rows: list[tuple[str, ...]] = []
    counted: list[tuple[Duration, int]] = []
    unknown = []
    for run in wasted(runs):
        duration = duration_of(run, minutes_per_run, rules)
        cards, told = (run.gpus, "its configuration") if run.gpus is not None else (gpus, "given")
        if duration is None or cards is None:
            missing = "how long it ran" if duration is None else "its number of GPUs"
            unknown.append(run.label or run.name)
            rows.append((run.name, "unknown", f"{missing} is not known"))
            continue
        counted.append((duration, cards))
        basis = f"{duration.minutes:.0f} min ({duration.basis}) × {cards} GPUs ({told})"
        rows.append((run.name, f"{duration.minutes * cards / 60:.2f}", basis))
    if not rows:
        return AuditCost(0.0, "no run has to be made up for")
    basis = _summary(counted)
    if unknown:
        basis += f"; at least: nothing is counted for {', '.join(unknown)} (say --gpus or --minutes-per-run)"
    hours = math.fsum(duration.minutes * cards for duration, cards in counted) / 60
    return AuditCost(round(hours, 2) if counted else None, basis, tuple(rows))


def _summary(counted: Sequence[tuple[Duration, int]]) -> str:
    """`6 runs × 80 min × 8 GPUs; minutes: …`."""
    if not counted:
        return "no run's time and GPUs are both known"
    minutes = sorted(duration.minutes for duration, _ in counted)
    span = "–".join(dict.fromkeys(f"{value:.0f}" for value in (minutes[0], minutes[-1])))
    cards = "/".join(str(number) for number in sorted({number for _, number in counted}))
    bases = ", or ".join(dict.fromkeys(duration.basis for duration, _ in counted))
    return f"{len(counted)} runs × {span} min × {cards} GPUs; minutes: {bases}"


def duration_of(run: AuditedRun, minutes_per_run: float | None, rules: CostRules) -> Duration | None:
    """How long one run took; None where nothing tells it."""
    if minutes_per_run is not None:
        return Duration(minutes_per_run, "given")
    whole = run.ended is RunEnd.FINISHED or run.ended is RunEnd.FAILED
    if run.duration_seconds is not None and TIMESTAMPS in (run.duration_basis or "") and whole:
        return Duration(run.duration_seconds / 60, "the log's own times")
    if not run.step_seconds:
        return None
    counted = len(run.step_seconds)
    seconds = math.fsum(run.step_seconds)
    basis = f"{counted} steps' own seconds"
    missing = (run.planned_steps or counted) - counted
    if missing > 0 and not whole:
        seconds += missing * seconds / counted
        basis += f", {missing} more at their mean"
    minutes = seconds / 60 + rules.start_and_end_minutes
    rounded = max(round(minutes / rules.round_minutes), 1) * rules.round_minutes
    assumed = f"{rules.start_and_end_minutes:.0f} min assumed for start and end, rounded to {rules.round_minutes:.0f}"
    return Duration(rounded, f"{basis}, {assumed}")


def guesses(runs: Sequence[AuditedRun]) -> tuple[Guess, ...]:
    """For each run without its final score: its latest one, and what the family's valid runs gained from there."""
    found = []
    for run in wasted(runs):
        score = run.reported_score
        if score is None or run.planned_steps is None or not 0 < score.step < run.planned_steps:
            continue
        gains = _gains(runs, score, run.planned_steps)
        if not gains or WRONG & set(score.standing):
            continue
        told = ", ".join(f"{name} {100 * gain:+.2f}" for name, gain in gains.items())
        values = list(gains.values())
        found.append(
            Guess(
                run.name,
                score.metric,
                score.step,
                run.planned_steps,
                round(score.value + math.fsum(values) / len(values), 4),
                round(score.value + min(values), 4),
                round(score.value + max(values), 4),
                f"a guess: step {score.step} plus what others gained from there to step {run.planned_steps} ({told})",
            )
        )
    return tuple(found)


def _gains(runs: Sequence[AuditedRun], score: AuditedScore, final_step: int) -> dict[str, float]:
    """Gain from the score's step to the last one, in runs of that length whose final score is valid."""
    gains = {}
    for run in runs:
        final = run.final_score
        if not run.final_stands or final is None or final.step != final_step or final.metric != score.metric:
            continue
        for early in run.scores:
            if (early.step, early.metric) == (score.step, score.metric) and not WRONG & set(early.standing):
                gains[run.label or run.name] = round(final.value - early.value, 10)
    return gains
