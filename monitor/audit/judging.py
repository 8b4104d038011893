"""One run judged: its validations, its scores, what it lacks. Pure; every word comes with its reason and its cure.

The run's own evidence decides. Of the family it takes the base model's level (step 0 of the others) and, for an
evaluation, what the checkpoint was trained with. Commit windows are looked at elsewhere: they suspect and never judge.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.audit.merging import RunFacts, attributed_scores
from monitor.audit.quantization import judge_validation, look_up, proved_recipe
from monitor.audit.rules import AuditRules
from monitor.audit.trace import SeenScore
from monitor.audit.validations import planned_steps, validations_of
from monitor.model.audit import AuditedScore, AuditedValidation, AuditEvidence, RunKind
from monitor.model.score import Standing

Reason = tuple[Standing, str]
MOST_EVIDENCE = 4


@dataclass(frozen=True)
class Family:
    """What the other runs tell of this one."""

    base_levels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Metric → scores of step 0, of every run."""
    whole_rows: int | None = None
    """Rows of the largest dump over the same validation set."""
    trained: str | None = None
    """Recipe of training: of the run itself, or of the run whose checkpoint an evaluation scores."""
    planned: int | None = None
    """Last step of that run."""


def judge_scores(facts: RunFacts, family: Family, rules: AuditRules) -> tuple[list[AuditedScore], list[str]]:
    """Every score with its standing, and what is worth saying about scores that do not count."""
    planned = family.planned if facts.kind is RunKind.EVALUATION else planned_steps(facts.trace)
    seen, notes = attributed_scores(facts.trace, planned)
    validations = {item.step: item for item in validations_of(facts, planned, family.whole_rows, rules)}
    groups: dict[tuple[int, str], list[SeenScore]] = {}
    for score in seen:
        groups.setdefault((score.step, score.metric), []).append(score)
    for step, dump in facts.trace.dumps.items():
        if dump.mean_score is not None and not any(key[0] == step for key in groups):
            groups[(step, "dump/score/mean")] = [SeenScore(step, "dump/score/mean", dump.mean_score, dump.seen)]
    primary = _primary(groups, rules)
    scores = []
    for (step, metric), readings in sorted(groups.items()):
        reasons = [*_reasons(facts, family, rules, planned, validations.get(step), readings)]
        scores.append(_score(facts, family, readings, reasons, validations.get(step), metric == primary.get(step)))
    return scores, notes


def _primary(groups: Mapping[tuple[int, str], object], rules: AuditRules) -> dict[int, str]:
    """Of each step the metric that people call the score."""
    chosen: dict[int, str] = {}
    for step, metric in sorted(groups):
        if step not in chosen or rules.rank(metric) < rules.rank(chosen[step]):
            chosen[step] = metric
    return chosen


def _score(
    facts: RunFacts,
    family: Family,
    readings: Sequence[SeenScore],
    reasons: Sequence[Reason],
    validation: AuditedValidation | None,
    primary: bool,
) -> AuditedScore:
    first = readings[0]
    words = tuple(dict.fromkeys(word for word, _ in reasons))
    if Standing.STALE_WEIGHTS in words:
        # Of weights that are proved wrong it is idle to ask what else is unproven; the reasons keep it.
        words = tuple(word for word in words if word is not Standing.UNPROVEN)
    evidence = [reading.seen for reading in readings[:2]]
    evidence += [count.seen for count in facts.trace.counts if count.step == first.step][:1]
    if validation is not None:
        evidence += [item for item in validation.evidence if item not in evidence]
    why = tuple(f"{word.value}: {sentence}" for word, sentence in reasons)
    return AuditedScore(
        step=first.step,
        metric=first.metric,
        value=first.value,
        standing=words or (Standing.VALID,),
        reasons=why or (_why_valid(facts, family, first, validation),),
        evidence=tuple(evidence[:MOST_EVIDENCE]),
        produced_by="val_only" if facts.kind is RunKind.EVALUATION else "training",
        rows=validation.rows if validation else None,
        rows_expected=validation.rows_expected if validation else None,
        quantization=proved_recipe(facts.trace, first.step, family.trained),
        primary=primary,
    )


def _reasons(
    facts: RunFacts,
    family: Family,
    rules: AuditRules,
    planned: int | None,
    validation: AuditedValidation | None,
    readings: Sequence[SeenScore],
) -> Iterator[Reason]:
    first = readings[0]
    yield from _finality(first.step, planned, facts)
    yield from _value(readings, rules)
    yield from _weights(facts, family, rules, first)
    yield from judge_validation(facts.trace, first.step, family.trained)
    yield from _completeness(facts, validation, rules)


def _finality(step: int, planned: int | None, facts: RunFacts) -> Iterator[Reason]:
    if planned is None:
        whose = "the run whose checkpoint it scores" if facts.kind is RunKind.EVALUATION else "the run"
        yield Standing.UNPROVEN, f"the last step of {whose} is not known; its configuration or its log would tell it"
    elif step < planned:
        yield Standing.NOT_FINAL, f"it is of step {step}, the run's last is {planned}; only step {planned} is final"
    elif step > planned:
        yield Standing.UNPROVEN, f"it is of step {step}, past the run's last step {planned}: one of them is wrong"


def _value(readings: Sequence[SeenScore], rules: AuditRules) -> Iterator[Reason]:
    first = readings[0]
    if not math.isfinite(first.value) or (rules.is_share(first.metric) and not 0.0 <= first.value <= 1.0):
        yield Standing.UNPROVEN, f"{first.value:g} is no share of 0 to 1"
    other = next((item for item in readings[1:] if abs(item.value - first.value) > rules.same_score), None)
    if other is not None:
        yield (
            Standing.UNPROVEN,
            f"two readings contradict each other: {first.value:.4f} ({_place(first.seen)}) and {other.value:.4f} "
            f"({_place(other.seen)})",
        )


def _weights(facts: RunFacts, family: Family, rules: AuditRules, score: SeenScore) -> Iterator[Reason]:
    """Whether the engine held trained weights, as far as the score itself and the log can show it."""
    if score.step == 0:
        return
    told = _fingerprints(facts, score.step)
    if told is not None:
        yield from told
        return
    own = [item.value for item in facts.trace.scores if item.step == 0 and item.metric == score.metric]
    levels = own or list(family.base_levels.get(score.metric, ()))
    errors = [mark for mark in facts.trace.loop_errors if mark.step <= score.step]
    margin = rules.base_level_margin
    cure = "an evaluation that attests the weights in its engine settles it: `laststep rerun`"
    if not levels:
        if not _moved(facts, score, margin):
            yield Standing.UNPROVEN, f"nothing shows that the engine held trained weights; {cure}"
    elif min(levels) - margin <= score.value <= max(levels) + margin:
        base = f"{min(levels):.4f} to {max(levels):.4f}"
        at_base = f"{score.value:.4f} is the base model's level (step 0: {base})"
        if errors:
            yield (
                Standing.STALE_WEIGHTS,
                f"{at_base}, and the weight sync failed before it (line {errors[0].seen.line}: event loop already "
                f"running); {cure}",
            )
            return
        yield Standing.UNPROVEN, f"{at_base}: the trained weights may never have reached the engine; {cure}"
    if errors:
        line = errors[0].seen.line
        yield Standing.UNPROVEN, f"an event-loop error before it (line {line}) can have left older weights; {cure}"


def _fingerprints(facts: RunFacts, step: int) -> list[Reason] | None:
    """What the engine's own fingerprints of its weights tell; None where it printed none to compare."""
    mine = {count.fingerprint for count in facts.trace.counts if count.step == step and count.fingerprint}
    earlier = {count.fingerprint: count for count in facts.trace.counts if count.step < step and count.fingerprint}
    if not mine or not earlier:
        return None
    same = next((earlier[fingerprint] for fingerprint in mine if fingerprint in earlier), None)
    if same is None:
        return []
    words = f"the engine held the weights of step {same.step} (line {same.seen.line}, the same fingerprint)"
    return [(Standing.STALE_WEIGHTS, f"{words}; a rerun from the checkpoint evaluates the right weights")]


def _moved(facts: RunFacts, score: SeenScore, margin: float) -> bool:
    """True where the metric moved between validations: the engine did take new weights."""
    others = [item.value for item in facts.trace.scores if item.metric == score.metric and item.step < score.step]
    return any(abs(score.value - value) > margin for value in others)


def _completeness(facts: RunFacts, validation: AuditedValidation | None, rules: AuditRules) -> Iterator[Reason]:
    cure = "a rerun over all rows would be whole"
    most = look_up(facts.trace.config, rules.config_keys["most_samples"])
    if most is not None and most.lstrip("-").isdigit() and int(most) > 0:
        yield Standing.PARTIAL, f"the configuration limits validation to {most} samples; {cure}"
    if validation is None:
        yield Standing.UNPROVEN, "no line or file shows that its validation ran over all rows; a dump would"
        return
    rows, expected = validation.rows, validation.rows_expected
    if rows is not None and expected is not None and rows < expected:
        yield Standing.PARTIAL, f"{rows} of {expected} rows stand in its dump; {cure}"
        return
    ended, batches = validation.batches, validation.batches_expected
    if ended is not None and batches is not None and ended < batches:
        yield Standing.PARTIAL, f"{ended} of {batches} batches of its validation ended; {cure}"
    elif ended is not None and batches is not None and ended > batches:
        yield Standing.UNPROVEN, f"{ended} batches ended, a validation has {batches}: rows doubled or the set changed"
    elif (ended is None or batches is None) and (rows is None or expected is None):
        yield Standing.UNPROVEN, "how many rows were evaluated is not known; a dump (`validation_data_dir`) shows it"


def _why_valid(facts: RunFacts, family: Family, score: SeenScore, validation: AuditedValidation | None) -> str:
    parts = [f"step {score.step} is the run's last"]
    if validation is not None and validation.batches_expected is not None:
        parts.append(f"{validation.batches} of {validation.batches_expected} batches of its validation ended")
    elif validation is not None:
        parts.append(f"{validation.rows} of {validation.rows_expected} rows")
    count = next((item for item in facts.trace.counts if item.step == score.step), None)
    if count is not None:
        parts.append(
            f"the engine counted {count.scheme} in {count.active}/{count.expected} layers, {count.calls} calls "
            f"(line {count.seen.line})"
        )
    else:
        parts.append("training was not quantized, and neither was this")
    seen = _fingerprints(facts, score.step) is not None
    parts.append("its weights are no earlier step's" if seen else "the score stands clear of the base model's")
    return "valid: " + ", ".join(parts)


def _place(seen: AuditEvidence) -> str:
    return f"{seen.file}:{seen.line}" if seen.line is not None else str(seen.file)
