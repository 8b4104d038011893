"""Facts that a step's metrics hold: phases that ended with their seconds, validation scores, the step's end.

Console and file logger log the same metrics; both come here. Pure. The order is that of the trainer: phases, scores,
then the step.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.sources.trainer_profile import TrainerProfile

_NUMBER = re.compile(r"^(?:np\.\w+\()?([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|inf|nan))\)?$")


def number(value: Any) -> float | None:
    """A finite number, also out of `np.float64(0.5)`; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if math.isfinite(value) else None
    match = _NUMBER.match(str(value).strip())
    found = float(match.group(1)) if match else math.nan
    return found if math.isfinite(found) else None


def parse_line(text: str) -> dict[str, float]:
    """`a:1.0 - b/c:2` as {"a": 1.0, "b/c": 2.0}; what is no number is left out."""
    metrics = {}
    for part in text.split(" - "):
        name, separator, value = part.rpartition(":")
        found = number(value)
        if separator and name.strip() and found is not None:
            metrics[name.strip()] = found
    return metrics


def step_facts(
    step: int, metrics: Mapping[str, float], profile: TrainerProfile, source: str, at: float, evidence: Evidence
) -> list[Fact]:
    """All facts of one step's metrics."""
    facts = [
        Fact(FactKind.PHASE_END, source, at, step, phase, {"seconds": metrics[profile.timing_prefix + phase]}, evidence)
        for phase in profile.phases
        if profile.timing_prefix + phase in metrics
    ]
    facts += score_facts(step, metrics, profile, source, at, evidence)
    facts.append(Fact(FactKind.STEP_END, source, at, step, None, {"metrics": dict(metrics)}, evidence))
    return facts


def score_facts(
    step: int, metrics: Mapping[str, float], profile: TrainerProfile, source: str, at: float, evidence: Evidence
) -> list[Fact]:
    """One fact a validation score."""
    return [
        Fact(FactKind.SCORE, source, at, step, None, {"metric": name, "value": value}, evidence)
        for name, value in metrics.items()
        if profile.is_score(name)
    ]
