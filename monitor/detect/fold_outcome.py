"""What follows from all that is known of a run together: ends nobody told, the current phase, finality, progress. Pure.

Derived anew at each fold, so it does not depend on the order in which facts came. Progress is the latest of the times
at which known things happened, whoever told of them first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from monitor.detect.fold_draft import SPANS_EACH, TESTING, Draft, earliest
from monitor.model.run import PhaseSpan, Progress, RunState, Validation

WEIGHTS = 64
"""Weight updates that a state keeps from fold to fold: the newest, and those of validated steps."""


def trimmed(state: RunState) -> RunState:
    """`state` with the newest spans of each phase: a fold begins with it, so that its outcome has all it added."""
    left: dict[str, int] = {}
    for span in state.spans:
        left[span.phase] = left.get(span.phase, 0) + 1
    kept = []
    for span in state.spans:
        left[span.phase] -= 1
        if left[span.phase] < SPANS_EACH:
            kept.append(span)
    validated = {item.step for item in state.validations}
    newest = {(item.step, item.version) for item in state.weights[-WEIGHTS:]}
    weights = tuple(item for item in state.weights if item.step in validated or (item.step, item.version) in newest)
    return replace(state, spans=tuple(kept), weights=weights)


def concluded(draft: Draft) -> RunState:
    """The state that the draft amounts to."""
    spans = _ended(draft)
    base, current = draft.base, _current(spans)
    known_steps = [step for step in (base.step, draft.step_ended, *(span.step for span in spans)) if step is not None]
    state = replace(
        base,
        config=draft.config,
        trainer=draft.config.trainer or base.trainer if base.trainer == "unknown" else base.trainer,
        step=max(known_steps, default=None),
        total_steps=draft.total_steps,
        phase=current.phase if current else None,
        phase_since=current.began_at if current else None,
        spans=tuple(spans),
        validations=_validations(draft, spans),
        checkpoints=tuple(draft.checkpoints[step] for step in sorted(draft.checkpoints)),
        weights=tuple(sorted(draft.weights.values(), key=lambda item: (item.step, item.at, item.version or 0))),
        step_ended=draft.step_ended,
        step_ended_at=draft.step_ended_at,
        calls_moved_at=draft.calls_moved_at,
        ended_at=draft.ended_at,
        ended_how=draft.ended_how,
        hooks_seen=draft.hooks_seen,
        guard=draft.guard,
        notices=tuple(draft.notices),
    )
    return replace(state, progress=_progress(state, draft.moved))


def _ended(draft: Draft) -> list[PhaseSpan]:
    """All spans, oldest first. One whose end nobody sees (no hooks) ended at the latest when the trainer went on."""
    spans = sorted(draft.spans, key=lambda span: (_time(span), span.step))
    closed = []
    for index, span in enumerate(spans):
        if not span.exact and span.began_at is not None:
            after = (other.began_at for other in islice(spans, index + 1, None) if other.step >= span.step)
            later = [at for at in islice((at for at in after if at is not None), 1)]
            if draft.step_ended is not None and draft.step_ended >= span.step and draft.step_ended_at is not None:
                later.append(max(draft.step_ended_at, span.began_at))
            if draft.ended_how == "finished" and draft.ended_at is not None:
                later.append(max(draft.ended_at, span.began_at))
            end = min(later, default=None)
            if end is not None and (span.ended_at is None or end < span.ended_at):
                span = replace(span, ended_at=end, inferred=span.ended_at is None)
        closed.append(span)
    return closed


def _current(spans: list[PhaseSpan]) -> PhaseSpan | None:
    """The phase under way: the last to begin. Phases read in one go all have one time: then the one told last."""
    begun = [span for span in spans if span.ended_at is None and span.began_at is not None]
    return max(enumerate(begun), key=lambda item: (item[1].began_at, item[0]), default=(0, None))[1]


def _validations(draft: Draft, spans: list[PhaseSpan]) -> tuple[Validation, ...]:
    final = draft.total_steps if draft.total_steps is not None else draft.config.total_steps
    testing: dict[int, list[PhaseSpan]] = {}
    for span in spans:
        if span.phase == TESTING:
            testing.setdefault(span.step, []).append(span)
    known = draft.validations
    return tuple(_validation(draft, known[step], testing.get(step, []), final) for step in sorted(known))


def _time(span: PhaseSpan) -> float:
    known = [at for at in (span.began_at, span.ended_at) if at is not None]
    return min(known, default=0.0)


def _validation(draft: Draft, known: Validation, testing: list[PhaseSpan], final: int | None) -> Validation:
    """`testing`: its spans."""
    expected = max((count for count in (draft.config.validation_rows, known.total) if count), default=None)
    full_dump = expected is not None and (known.dump_rows or 0) >= expected
    counted = expected is not None and (known.done or 0) >= expected
    ended_cleanly = any(span.exact and span.ended_at is not None and span.seconds is not None for span in testing)
    metric = min(known.scores, key=lambda name: ("/acc/" not in name, name), default=None)
    return replace(
        known,
        final=final is not None and known.step == final,
        ended_at=earliest(known.scored_at, testing[-1].ended_at if testing else None),
        total=known.total if known.total is not None else draft.config.validation_rows,
        metric=metric,
        value=known.scores[metric] if metric is not None else None,
        executed=known.executed or bool(known.scores) or full_dump or (counted and ended_cleanly),
    )


def _progress(state: RunState, moved: int) -> Progress | None:
    """The latest thing that happened; where several have one time, the one named last below."""
    before = state.progress
    facts = (before.facts if before else 0) + moved
    latest = max(enumerate(_happened(state)), key=lambda item: (item[1][0], item[0]), default=None)
    if latest is None or facts == 0:
        return before
    return Progress(latest[1][0], latest[1][1], facts)


def _happened(state: RunState) -> Iterator[tuple[float, str]]:
    # Calls that vanish with their actors once the run has ended are no progress of it.
    if state.calls_moved_at is not None and (state.ended_at is None or state.calls_moved_at < state.ended_at):
        yield state.calls_moved_at, "Ray calls of the trainer began or ended"
    for update in state.weights:
        yield update.at, f"the engine took the weights of step {update.step}"
    yield from _happened_in_phases(state.spans)
    for checkpoint in state.checkpoints:
        if checkpoint.at is not None:
            how = "is complete" if checkpoint.complete else f"grew to {checkpoint.bytes} bytes"
            yield checkpoint.at, f"the checkpoint of step {checkpoint.step} {how}"
    for validation in state.validations:
        if validation.moved_at is not None:
            yield validation.moved_at, validation.moved
    if state.step_ended_at is not None:
        yield state.step_ended_at, f"step {state.step_ended} ended"
    if state.ended_at is not None:
        yield state.ended_at, "the run ended"


def _happened_in_phases(spans: Iterable[PhaseSpan]) -> Iterator[tuple[float, str]]:
    for span in spans:
        if span.began_at is not None:
            yield span.began_at, f"phase {span.phase} of step {span.step} began"
        if span.done_at is not None:
            of = f" of {span.total}" if span.total else ""
            yield span.done_at, f"sample {span.done}{of} in phase {span.phase} of step {span.step}"
        if span.ended_at is not None:
            yield span.ended_at, f"phase {span.phase} of step {span.step} ended"
