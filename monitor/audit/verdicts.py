"""A run's facts as an `AuditedRun`: what is known of it, its standing, and what clears or suspects it. Pure.

`missing-final` only where no final validation shows; the other words are those of its final score, else of its latest.
A commit window adds suspicion to the reasons of a run that lacks its final validation, and is refuted by a log that
shows one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.audit import validations as val
from monitor.audit.judging import Family, judge_scores
from monitor.audit.merging import RunFacts, is_evaluation, stem_of
from monitor.audit.quantization import judge_validation, look_up, summarise
from monitor.audit.rules import AuditRules
from monitor.audit.zones import Zone
from monitor.model.audit import (
    AuditedRun,
    AuditedScore,
    AuditedValidation,
    AuditEvidence,
    RunEnd,
    RunKind,
    SkipWindow,
)
from monitor.model.score import Standing

__all__ = ["judge_run"]
MOST_EVIDENCE = 12


def judge_run(
    facts: RunFacts, family: Family, rules: AuditRules, zone: Zone, windows: Sequence[SkipWindow]
) -> AuditedRun:
    """The whole judgement of one run."""
    known = _known(facts, family, rules, zone)
    planned, at = known.planned_steps, known.started_at
    scores, notes = judge_scores(facts, family, rules)
    checked = val.validations_of(facts, planned, family.whole_rows, rules)
    standing, reasons = _standing(facts, family, planned, scores, checked, known.ended)
    inside = [window for window in windows if at is not None and window.holds(at)]
    missing = Standing.MISSING_FINAL in standing
    return replace(
        known,
        quantization=summarise(facts.trace, family.trained, sorted({score.step for score in scores})),
        validations=checked,
        scores=tuple(scores),
        standing=standing,
        reasons=(*reasons, *_suspicion(inside, known.fit, missing, known.started_as_written)),
        evidence=_evidence(facts, scores, checked, planned),
        windows=tuple(window.commit for window in inside),
        cleared=_cleared(facts, checked, inside, known.fit, at),
        notes=tuple([*notes, *_notes(facts, rules)]),
    )


def _known(facts: RunFacts, family: Family, rules: AuditRules, zone: Zone) -> AuditedRun:
    """What is known of the run before anything is judged."""
    trace = facts.trace
    planned = family.planned if facts.kind is RunKind.EVALUATION else val.planned_steps(trace)
    started_at, zone_words = zone.resolve(trace.started, trace.started_at)
    seconds, basis = _duration(facts)
    experiment, step = checkpoint_of(facts, rules)
    return AuditedRun(
        name=facts.name,
        label=rules.label_of(facts.name),
        kind=facts.kind,
        attempt=facts.attempt,
        superseded=facts.superseded,
        files=facts.files,
        planned_steps=planned,
        reached_step=val.reached_step(trace),
        ended=run_end(facts, planned),
        started_at=started_at,
        started_as_written=trace.started,
        zone=zone_words,
        duration_seconds=seconds,
        duration_basis=basis,
        step_seconds=tuple(trace.step_seconds),
        gpus=_gpus(facts, rules),
        test_freq=val.test_frequency(trace),
        save_freq=val.whole(trace.config.get("trainer.save_freq")),
        validate_before_train=val.validates_first(trace),
        trainer=trace.entry,
        fit=rules.fit_of(trace.entry, frozenset(trace.actors)),
        noise=look_up(trace.config, rules.config_keys["noise"]),
        data_file=trace.config.get("data.val_files"),
        checkpoint_of=experiment,
        checkpoint_step=step,
        checkpoints=tuple(sorted(step for step, complete in trace.checkpoints.items() if complete)),
    )


def run_end(facts: RunFacts, planned: int | None) -> RunEnd:
    """How the evidence of the run ends."""
    trace = facts.trace
    if facts.kind is RunKind.EVALUATION:
        return RunEnd.FINISHED if trace.scores else RunEnd.BROKEN_OFF
    if trace.final_seen is not None:
        return RunEnd.FINISHED
    if planned is not None and trace.last_step is not None and trace.last_step >= planned:
        return RunEnd.FINISHED
    if trace.failures:
        return RunEnd.FAILED
    if planned is None or trace.last_step is None:
        return RunEnd.BROKEN_OFF if "console" in facts.sources and planned is not None else RunEnd.UNKNOWN
    return RunEnd.BROKEN_OFF


def checkpoint_of(facts: RunFacts, rules: AuditRules) -> tuple[str | None, int | None]:
    """Experiment and step of the checkpoint that an evaluation scores."""
    if not is_evaluation(facts.trace, rules):
        return None, None
    path = look_up(facts.trace.config, rules.config_keys["resume_path"]) or ""
    parts = [part for part in path.split("/") if part]
    step = None
    if parts and parts[-1].startswith("global_step_"):
        step = val.whole(parts.pop().removeprefix("global_step_"))
    if facts.trace.resumed is not None:
        step = facts.trace.resumed.step
    return (parts[-1] if parts else None), step


def _standing(
    facts: RunFacts,
    family: Family,
    planned: int | None,
    scores: Sequence[AuditedScore],
    checked: Sequence[AuditedValidation],
    ended: RunEnd,
) -> tuple[tuple[Standing, ...], tuple[str, ...]]:
    primary = [score for score in scores if score.primary]
    final = next((score for score in primary if score.step == planned), None)
    if final is not None or facts.kind is RunKind.EVALUATION:
        latest = final or max(primary, key=lambda score: score.step, default=None)
        if latest is None:
            return (Standing.UNPROVEN,), ("unproven: the evaluation shows no score",)
        return latest.standing, latest.reasons
    words: list[Standing] = []
    reasons: list[str] = []
    last = next((item for item in checked if item.final), None)
    if planned is None:
        words.append(Standing.UNPROVEN)
        reasons.append("unproven: its last step is not known, so whether its final validation ran can't be told")
    elif last is None or not last.executed:
        words.append(Standing.MISSING_FINAL)
        reasons.append(f"missing-final: {_why_missing(facts, planned, last, ended)}; {_cure(facts, planned)}")
        if last is None or last.executed is None:
            words.append(Standing.UNPROVEN)
            reasons.append("unproven: what the run did after the end of this evidence is not known")
    else:
        words.append(Standing.UNPROVEN)
        reasons.append(f"unproven: its final validation ran, and its score was never logged; {_cure(facts, planned)}")
    step = max((score.step for score in primary), default=planned or 0)
    of_latest = [reason for score in primary if score.step == step for reason in score.reasons]
    latest_words = [word for score in primary if score.step == step for word in score.standing]
    if not primary:
        found = list(judge_validation(facts.trace, step, family.trained))
        latest_words = [word for word, _ in found]
        of_latest = [f"{word.value}: {sentence}" for word, sentence in found]
    words += [word for word in latest_words if word not in (Standing.NOT_FINAL, Standing.VALID)]
    reasons += [reason for reason in of_latest if not reason.startswith((Standing.NOT_FINAL.value, "valid:"))]
    return tuple(dict.fromkeys(words)), tuple(dict.fromkeys(reasons))


def _why_missing(facts: RunFacts, planned: int, last: AuditedValidation | None, ended: RunEnd) -> str:
    trace = facts.trace
    reached = val.reached_step(trace)
    where = "no step shows" if reached is None else f"the evidence reaches step {reached} of {planned}"
    frequency = val.test_frequency(trace)
    if last is not None and last.how == "skipped":
        return f"the trainer skipped the validation of step {planned} (line {last.evidence[0].line})"
    if frequency is not None and frequency <= 0:
        return f"test_freq is {frequency}, which turns validation off; {where}"
    if trace.final_seen is not None and trace.final_empty:
        return f"the run closed with no final metrics (line {trace.final_seen.line})"
    if ended is RunEnd.FAILED:
        return f"an error ended it (line {trace.failures[-1].seen.line}); {where}"
    if ended is RunEnd.BROKEN_OFF:
        cut = next((item for item in reversed(facts_validations(facts)) if item in trace.begun), None)
        inside = f", inside the validation of step {cut}" if cut is not None and cut == reached else ""
        return f"its log breaks off{inside}; {where}"
    if last is not None and last.how:
        return f"step {planned}: {last.how}"
    return where


def facts_validations(facts: RunFacts) -> list[int]:
    """Steps whose validation began, in order."""
    return sorted(facts.trace.begun)


def _cure(facts: RunFacts, planned: int) -> str:
    return f"a rerun of step {planned} from its checkpoint fills it"


def _suspicion(inside: Sequence[SkipWindow], fit: str | None, missing: bool, started: str | None) -> list[str]:
    if not missing:
        return []
    found = []
    for window in inside:
        other = window.fit is not None and fit is not None and window.fit != fit
        tail = f", which edits {window.fit} and not {fit}" if other else ""
        found.append(f'suspicion: it started ({started}) while "{window.subject}" ({window.commit[:9]}) was in{tail}')
    return found


def _cleared(
    facts: RunFacts,
    checked: Sequence[AuditedValidation],
    inside: Sequence[SkipWindow],
    fit: str | None,
    started_at: float | None,
) -> str | None:
    """Of a missing final validation; what the score may claim besides is its standing."""
    if facts.kind is RunKind.EVALUATION:
        return None
    final = next((item for item in checked if item.final and item.executed), None)
    if final is None:
        return None
    seen = final.evidence[0] if final.evidence else None
    where = f" ({stem_of(seen.file)}, line {seen.line})" if seen is not None and seen.file else ""
    shown = f"its final validation (step {final.step}) was executed{where}"
    if not inside:
        return shown if started_at is None else f"{shown}; it started outside every suspect window"
    commit = inside[0].commit[:9]
    other = inside[0].fit is not None and fit is not None and inside[0].fit != fit
    why = f", and it ran {fit}, which the commit does not touch" if other else ""
    return f"{shown}, though it started while {commit} was in{why}"


def _duration(facts: RunFacts) -> tuple[float | None, str | None]:
    trace = facts.trace
    if trace.seconds is not None:
        return trace.seconds, "timestamps in the log"
    if trace.step_seconds:
        return sum(trace.step_seconds), f"the steps' own seconds ({len(trace.step_seconds)} steps)"
    return None, None


def _gpus(facts: RunFacts, rules: AuditRules) -> int | None:
    each = val.whole(look_up(facts.trace.config, rules.config_keys["gpus_per_node"]))
    nodes = val.whole(look_up(facts.trace.config, rules.config_keys["nodes"]))
    return None if each is None else each * (nodes or 1)


def _evidence(
    facts: RunFacts, scores: Sequence[AuditedScore], checked: Sequence[AuditedValidation], planned: int | None
) -> tuple[AuditEvidence, ...]:
    """What the verdict rests on, the most telling first."""
    trace = facts.trace
    found: list[AuditEvidence] = []
    for item in checked:
        if item.final:
            found += item.evidence
    found += [score.evidence[0] for score in scores if score.primary and score.step == planned and score.evidence]
    found += [count.seen for count in trace.counts if count.step == planned]
    found += [mark.seen for mark in (*trace.engine_off[:1], *trace.loop_errors[:2], *trace.failures[-1:])]
    if trace.final_seen is not None:
        found.append(trace.final_seen)
    if trace.last_line and trace.final_seen is None:
        found.append(AuditEvidence("the last line of the log", trace.file, trace.last_line))
    latest = max((score for score in scores if score.primary), key=lambda score: score.step, default=None)
    if latest is not None:
        found += latest.evidence[:1]
    found += [item for item in (trace.started_seen, trace.config_seen) if item is not None]
    found += [mark.seen for mark in (*trace.asked[:1], *trace.intended[:1])]
    return tuple(dict.fromkeys(found))[:MOST_EVIDENCE]


def _notes(facts: RunFacts, rules: AuditRules) -> list[str]:
    trace = facts.trace
    notes = list(trace.notes)
    if trace.resumed is not None and facts.kind is RunKind.TRAINING:
        notes.append(f"resumed from step {trace.resumed.step} (line {trace.resumed.seen.line})")
    if facts.shared_files:
        notes.append(
            "several attempts of this name: metrics files and dumps may be another attempt's and prove nothing"
        )
    if trace.unprefixed:
        notes.append(f"{trace.unprefixed} lines that look like the trainer's came from no process of it: not counted")
    notes += [f"interrupted: {mark.seen.what[:80]} (line {mark.seen.line})" for mark in trace.failures[:3]]
    noise = look_up(trace.config, rules.config_keys["noise"])
    if noise is not None and noise != "none" and facts.kind is RunKind.TRAINING:
        notes.append(f"noise `{noise}` is asked for; that it was off in validation is not shown")
    return notes
