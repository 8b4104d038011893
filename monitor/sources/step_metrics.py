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

SAME = 1e-6
_SUCCESS_ONLY = re.compile(r"^val-aux/(?P<source>.+)/acc_success_only/(?P<how>.+)$")
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
    """One fact a validation score, and a notice where samples without a result count as 0 in it."""
    scores = [
        Fact(FactKind.SCORE, source, at, step, None, {"metric": name, "value": value}, evidence)
        for name, value in metrics.items()
        if profile.is_score(name)
    ]
    return scores + [
        Fact(FactKind.NOTICE, source, at, step, None, {"text": text}, evidence)
        for text in failed_samples(step, metrics)
    ]


def failed_samples(step: int, metrics: Mapping[str, float]) -> list[str]:
    """A sentence for each score that failed samples pull down.

    verl's V1 counts them as 0 and logs, beside the score (`val-core/SOURCE/acc/…`), the one over the samples that
    succeeded (`val-aux/SOURCE/acc_success_only/…`).
    """
    said = []
    for name, value in metrics.items():
        match = _SUCCESS_ONLY.match(name)
        if match is None:
            continue
        score = metrics.get(f"val-core/{match['source']}/acc/{match['how']}")
        if score is not None and abs(score - value) > SAME:
            said.append(
                f"step {step}: samples of the validation of {match['source']} failed and count as 0: {score:g}, and "
                f"{value:g} over those that succeeded"
            )
    return said
