"""Which scores may be compared, which can't and why, and what the differences of those that may be say. Pure.

Two scores may be compared where they are of the same metric and data, of the same step standing (both final, or both of
one step), over the same number of samples, and each proved to be what it claims: its own weights, whole, with the
quantization its run was trained with. What a summary would set side by side is compared: the score that each run
reports (its latest), against the best one of the same step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from monitor.ledger.intervals import Difference, independent, paired
from monitor.model.audit import AuditedRun, AuditedScore, AuditEvidence, Comparison, RunKind
from monitor.model.run import RunState
from monitor.model.score import Score, Standing

NONE = "none"
NO_DIFFERENCE = "no difference can be told"
SAYS_NOTHING = "says nothing"
SAME = 1e-3
"""A score and the mean of its own samples differ by no more: the one is rounded."""
DIGITS = 10
"""Decimals of a difference: values are told with four, the rest is the arithmetic of floats."""

_PLAIN = {
    Standing.NOT_QUANTIZED: "was evaluated without its quantization",
    Standing.STALE_WEIGHTS: "is of other weights than its step's",
    Standing.PARTIAL: "is of a part of the validation set",
    Standing.UNPROVEN: "is not proved",
}
"""Standings that no comparison survives. `not-final` is judged with the other score's step."""


@dataclass(frozen=True)
class Comparable:
    """One score with all that decides with what it may be compared."""

    run: str
    step: int
    metric: str
    value: float
    standing: tuple[Standing, ...]
    reasons: tuple[str, ...] = ()
    final_step: int | None = None
    recipe: str | None = None
    """With which the run was trained, as far as its configuration says; `none`: without quantization."""
    noise: str | None = None
    data: str | None = None
    """What tells the validation set from another: a hash, else its path."""
    rows: int | None = None
    started_at: float | None = None
    label: str | None = None
    samples: Mapping[str, float] = field(default_factory=dict)
    """Score of each sample by a name that both runs share, where dumps have them."""
    evidence: tuple[AuditEvidence, ...] = ()

    @property
    def final(self) -> bool:
        """True where it is of its run's last step."""
        return self.final_step is not None and self.step == self.final_step

    @property
    def name(self) -> str:
        """As a person calls the run."""
        return self.label or self.run


def compared(left: Comparable, right: Comparable, baseline: Comparable | None = None) -> Comparison:
    """One comparison: left minus right, whether it holds, and what it says."""
    against = why_not(left, right)
    holds = not against
    difference = _difference(left, right) if holds else None
    notes = _what_is_alike(left, right, difference) if holds else tuple(against)
    return Comparison(
        left=left.run,
        right=right.run,
        left_step=left.step,
        right_step=right.step,
        metric=left.metric,
        difference=round(left.value - right.value, DIGITS),
        holds=holds,
        reasons=notes,
        low=round(difference.low, DIGITS) if difference else None,
        high=round(difference.high, DIGITS) if difference else None,
        samples=difference.samples if difference else None,
        meaning=_meaning(difference) if holds else SAYS_NOTHING,
        baseline=baseline.run if baseline is not None else None,
        evidence=(*left.evidence[:2], *right.evidence[:2]),
    )


def why_not(left: Comparable, right: Comparable) -> list[str]:
    """One sentence for each reason why the two can't be compared; empty: they may be."""
    against: list[str] = []
    if left.metric != right.metric:
        against.append(f"they are different metrics: {left.metric} and {right.metric}")
    if left.data is not None and right.data is not None and left.data != right.data:
        against.append(f"they are of different validation sets: {left.data} and {right.data}")
    if not (left.final and right.final) and left.step != right.step:
        against.append(f"{_of_step(left)}, {_of_step(right)}")
    for item in (left, right):
        against += [f"the score of {item.name} {_PLAIN[word]}{_because(item, word)}" for word in _flaws(item)]
        if not item.standing:
            against.append(f"the score of {item.name} was never judged")
    if left.rows is not None and right.rows is not None and left.rows != right.rows:
        against.append(f"{left.name} has {left.rows} samples, {right.name} {right.rows}")
    return against


def _flaws(item: Comparable) -> list[Standing]:
    return [word for word in item.standing if word in _PLAIN]


def _of_step(item: Comparable) -> str:
    last = "the last" if item.final else f"the last is {item.final_step if item.final_step is not None else '?'}"
    return f"{item.name} is of step {item.step} ({last})"


def _because(item: Comparable, word: Standing) -> str:
    told = [reason.split(": ", 1)[1] for reason in item.reasons if reason.startswith(f"{word.value}: ")]
    return f": {'; '.join(told)}" if told else ""


def _difference(left: Comparable, right: Comparable) -> Difference | None:
    if left.samples and right.samples:
        by_sample = paired(left.samples, right.samples)
        pairs = by_sample.samples if by_sample is not None else 0
        whole = len(left.samples) == len(right.samples) == pairs
        if whole and _are_its_samples(left) and _are_its_samples(right):
            return by_sample
    if left.rows and right.rows and _is_share_of_samples(left) and _is_share_of_samples(right):
        return independent(left.value, right.value, left.rows, right.rows)
    return None


def _are_its_samples(item: Comparable) -> bool:
    """The samples' mean is the score: a dump may hold a reward where the score is an accuracy."""
    return math.isclose(math.fsum(item.samples.values()) / len(item.samples), item.value, abs_tol=SAME)


def _is_share_of_samples(item: Comparable) -> bool:
    """An accuracy over single answers; of a mean over several answers each, the answers are not independent."""
    return "/acc" in item.metric and item.metric.endswith("mean@1") and 0.0 <= item.value <= 1.0


def _meaning(difference: Difference | None) -> str:
    if difference is None:
        return SAYS_NOTHING
    if not difference.told:
        return NO_DIFFERENCE
    return "higher" if difference.value > 0 else "lower"


def _what_is_alike(left: Comparable, right: Comparable, difference: Difference | None) -> tuple[str, ...]:
    both = "both are final" if left.final and right.final else f"both are of step {left.step}, and neither is a result"
    notes = [both]
    if left.data is None or right.data is None:
        notes.append("that the validation set is the same is told by the metric's name alone")
    if left.recipe != right.recipe:
        notes.append(f"it compares {left.recipe or 'an unknown recipe'} with {right.recipe or 'an unknown recipe'}")
    if difference is None:
        notes.append("without the number of samples, or their own scores, nothing tells a difference from chance")
    else:
        p = f", McNemar's exact p = {difference.p:.3g}" if difference.p is not None else ""
        notes.append(f"{difference.how}, {difference.samples} samples{p}")
    return tuple(notes)


class Baselines:
    """The scores that others should be held against: valid and final ones, by recipe and metric.

    Among several, one without noise comes first, then the one that was begun first.
    """

    def __init__(self, items: Iterable[Comparable]) -> None:
        self._known: dict[tuple[str | None, str], list[Comparable]] = {}
        for item in items:
            if item.standing == (Standing.VALID,) and item.final and item.recipe is not None:
                self._known.setdefault((item.recipe, item.metric), []).append(item)
        for known in self._known.values():
            known.sort(key=lambda item: (item.noise not in (None, NONE), item.started_at or 0.0, item.run))

    def of(self, item: Comparable) -> Comparable | None:
        """The baseline of the same recipe, metric and data as `item`; None where there is none but itself."""
        for other in self._known.get((item.recipe, item.metric), []):
            if other.run != item.run and (other.data is None or item.data is None or other.data == item.data):
                return other
        return None


def reported_comparisons(items: Sequence[Comparable]) -> tuple[Comparison, ...]:
    """Each reported score against the best of the same metric and step standing, in the order given."""
    groups: dict[tuple[str, object], list[Comparable]] = {}
    for item in _numbers(items):
        groups.setdefault((item.metric, "final" if item.final else item.step), []).append(item)
    baselines = Baselines(items)
    found = []
    for group in groups.values():
        best = max(group, key=lambda item: item.value)
        found += [compared(item, best, baselines.of(item)) for item in group if item is not best]
    return tuple(found)


def all_comparisons(items: Sequence[Comparable]) -> tuple[Comparison, ...]:
    """Every pair of one metric; the later one is held against the earlier one."""
    baselines = Baselines(items)
    pairs = combinations(_numbers(items), 2)
    return tuple(compared(right, left, baselines.of(right)) for left, right in pairs if left.metric == right.metric)


def _numbers(items: Sequence[Comparable]) -> list[Comparable]:
    return [item for item in items if math.isfinite(item.value)]


def of_audited(
    run: AuditedRun, score: AuditedScore | None = None, samples: Mapping[str, float] | None = None
) -> Comparable | None:
    """The score that an audited run reports (or `score`); None where it has none, or is an evaluation alone."""
    reported = score or run.reported_score
    if reported is None or run.kind is RunKind.EVALUATION:
        return None
    return Comparable(
        run=run.name,
        step=reported.step,
        metric=reported.metric,
        value=reported.value,
        standing=reported.standing,
        reasons=reported.reasons,
        final_step=run.planned_steps,
        recipe=run.quantization.asked,
        noise=run.noise,
        data=run.data_file,
        rows=reported.rows,
        started_at=run.started_at,
        label=run.label,
        samples=samples or {},
        evidence=reported.evidence,
    )


def of_score(run: RunState, score: Score, samples: Mapping[str, float] | None = None) -> Comparable:
    """A score of the ledger."""
    item = of_record(score, run.final_step, run.started_at)
    declared = item.recipe
    if declared is None and run.config.recipe is not None:
        declared = str(run.config.recipe.get("name"))
    return replace(item, recipe=declared, data=item.data or run.config.validation_sha256, samples=samples or {})


def of_record(score: Score, final_step: int | None, started_at: float | None) -> Comparable:
    """A score of the ledger by its own record and two facts of its run."""
    known = score.provenance
    return Comparable(
        run=score.run,
        step=score.step,
        metric=score.metric,
        value=score.value,
        standing=score.standing,
        reasons=score.reasons,
        final_step=final_step,
        recipe=known.recipe_declared,
        data=known.data_sha256,
        rows=known.rows,
        started_at=started_at,
        evidence=tuple(AuditEvidence(item.what, item.file, item.line) for item in known.evidence),
    )


def reported_of(scores: Sequence[Score]) -> tuple[Score, ...]:
    """The score of each metric that a run reports: of its latest step, there a valid one first, then the newest."""
    best: dict[str, Score] = {}
    for score in scores:
        known = best.get(score.metric)
        if known is None or _rank(score) > _rank(known):
            best[score.metric] = score
    return tuple(best.values())


def _rank(score: Score) -> tuple[int, bool, float]:
    return score.step, score.standing == (Standing.VALID,), score.recorded_at
