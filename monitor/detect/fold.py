"""The fold: facts in, the run's state out. Pure and idempotent; this file says what each kind of fact changes.

The same thing seen by hook, console, dump and file logger is one thing: what is known is keyed by what it is (a phase
of a step, a validation's count, a checkpoint), never by who said it. Facts may come out of order and late: each thing
keeps the earliest time it is said to have happened, so one that was read late from a log is mended by a source that
knows better, and progress is never dated later than its facts say.

What was written before the run began belongs to an earlier attempt under the same name, and is left alone.
What follows from all facts together (current phase, progress, which validation is final) is `fold_outcome`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from monitor.detect.fold_draft import HOOK, TESTING, Draft, earliest
from monitor.detect.fold_outcome import concluded, trimmed
from monitor.detect.fold_values import count, finer, fits_config, number, same
from monitor.model.fact import Evidence, Fact, FactKind
from monitor.model.run import Checkpoint, PhaseSpan, RunConfig, RunState, WeightsUpdate

EARLIER_SECONDS = 5.0
"""A fact so much older than the run is an earlier attempt's. Less may be clocks that differ."""

_TIMELESS = frozenset({FactKind.RUN_CONFIG, FactKind.NOTICE})
_ENDS = ("gone", "finished", "killed", "failed")
"""Words of a run's end, from the least to the most telling."""


def begin(name: str, config: RunConfig, started_at: float) -> RunState:
    """The state of a run of which nothing was seen yet."""
    return RunState(name, config, started_at, trainer=config.trainer or "unknown", total_steps=config.total_steps)


def fold(state: RunState, facts: Iterable[Fact]) -> RunState:
    """`state` with all that `facts` tell. Folding the same facts again changes nothing."""
    draft = Draft(trimmed(state))
    for fact in facts:
        draft.hooks_seen = draft.hooks_seen or fact.source == HOOK
        if fact.at < state.started_at - EARLIER_SECONDS and fact.kind not in _TIMELESS:
            draft.notice(
                f"{fact.source}: what an earlier attempt under the same name left is not counted", fact.evidence
            )
            continue
        if _HANDLERS[fact.kind](draft, fact) and fact.moves:
            draft.moved += 1
    return concluded(draft)


def _run_config(draft: Draft, fact: Fact) -> bool:
    """Fields that are said, of the right kind; the newest word counts (a total is first planned, then computed)."""
    said = {name: value for name, value in fact.data.items() if fits_config(name, value)}
    draft.config = replace(draft.config, **said)
    if isinstance(said.get("total_steps"), int):
        draft.total_steps = said["total_steps"]
    return bool(said)


def _phase_begin(draft: Draft, fact: Fact) -> bool:
    if fact.step is None or not fact.phase or draft.forgot(fact.step, fact.phase):
        return False
    if fact.phase == TESTING:
        known = draft.validation(fact.step)
        total = count(fact.data.get("total"))
        began = fact.at if known.began_at is None or fact.source == HOOK else min(known.began_at, fact.at)
        draft.validations[fact.step] = replace(known, began_at=began, total=known.total if total is None else total)
    spans = draft.spans_of(fact.step, fact.phase)
    exact = fact.source == HOOK
    if not spans:
        spans.append(PhaseSpan(fact.step, fact.phase, fact.at, exact=exact))
        return True
    last = spans[-1]
    if exact and not last.exact:
        spans[-1] = replace(last, began_at=fact.at, exact=True)
    elif exact and all(span.began_at != fact.at for span in spans):
        if last.began_at is None and last.ended_at is not None and fact.at <= last.ended_at:
            spans[-1] = replace(last, began_at=fact.at)
            return False
        spans.append(PhaseSpan(fact.step, fact.phase, fact.at, occurrence=last.occurrence + 1, exact=True))
        return True
    elif not last.exact and last.began_at != fact.at:
        spans[-1] = replace(last, began_at=earliest(last.began_at, fact.at))
    return False


def _phase_end(draft: Draft, fact: Fact) -> bool:
    if fact.step is None or not fact.phase or draft.forgot(fact.step, fact.phase):
        return False
    spans = draft.spans_of(fact.step, fact.phase)
    # A phase that ended with an exception has a duration that teaches nothing.
    seconds = None if fact.data.get("error") else number(fact.data.get("seconds"))
    exact = fact.source == HOOK
    if not spans:
        spans.append(PhaseSpan(fact.step, fact.phase, None, fact.at, seconds, exact=exact))
        return True
    if not exact:
        return _reported_end(spans, fact.at, seconds)
    if any(span.exact and span.ended_at == fact.at for span in spans):
        return False
    begun = [place for place, span in enumerate(spans) if span.began_at is None or span.began_at <= fact.at]
    if not begun:
        return False
    index = begun[-1]
    known = spans[index]
    kept = known.seconds if seconds is None and not fact.data.get("error") else seconds
    spans[index] = replace(known, ended_at=fact.at, seconds=kept, exact=True)
    return known.ended_at is None


def _reported_end(spans: list[PhaseSpan], at: float, seconds: float | None) -> bool:
    """An end that a log tells afterwards, at the end of the step: its seconds are of all occurrences together."""
    known = spans[-1]
    only = seconds if len(spans) == 1 else None
    if known.ended_at is None:
        spans[-1] = replace(known, ended_at=at, seconds=only)
        return True
    ended = known.ended_at if known.exact else min(known.ended_at, at)
    spans[-1] = replace(known, ended_at=ended, seconds=only if known.seconds is None else known.seconds)
    return False


def _step_end(draft: Draft, fact: Fact) -> bool:
    if fact.step is None or (draft.step_ended is not None and fact.step < draft.step_ended):
        return False
    new = fact.step != draft.step_ended
    draft.step_ended_at = fact.at if new else earliest(draft.step_ended_at, fact.at)
    draft.step_ended = fact.step
    return new


def _samples(draft: Draft, fact: Fact) -> bool:
    done, total = count(fact.data.get("done")), count(fact.data.get("total"))
    if fact.step is None or not fact.phase or done is None or draft.forgot(fact.step, fact.phase):
        return False
    spans = draft.spans_of(fact.step, fact.phase)
    if done > 0 and not spans:
        spans.append(PhaseSpan(fact.step, fact.phase, fact.at))
    if fact.phase == TESTING:
        known = draft.validation(fact.step)
        began = earliest(known.began_at, fact.at) if done > 0 and known.began_at is None else known.began_at
        total = known.total if total is None else total
        draft.validations[fact.step] = replace(known, began_at=began, total=total)
        if done > (known.done or 0):
            draft.validations[fact.step] = replace(draft.validations[fact.step], done=done)
            whole = total or draft.config.validation_rows
            of = f" of {whole}" if whole else ""
            return draft.grew(fact, f"sample {done}{of} of the validation at step {fact.step}")
        return done == known.done and draft.grew_earlier(fact, f"sample {done} ")
    if not spans or done <= (spans[-1].done or 0):
        return False
    spans[-1] = replace(spans[-1], done=done, total=total, done_at=fact.at)
    return True


def _score(draft: Draft, fact: Fact) -> bool:
    metric, value = fact.data.get("metric"), number(fact.data.get("value"))
    if fact.step is None or not isinstance(metric, str) or value is None:
        return False
    known = draft.validation(fact.step)
    before = known.scores.get(metric)
    scores = {**known.scores, metric: value if before is None else finer(before, value)}
    draft.validations[fact.step] = replace(known, scores=scores, scored_at=earliest(known.scored_at, fact.at))
    draft.cite(fact)
    if before is None:
        return draft.grew(fact, f"{metric} of the validation at step {fact.step} was logged")
    if not same(before, value):
        draft.notice(f"{metric} of step {fact.step} is told as {before} and as {value}", fact.evidence)
    return False


def _dump(draft: Draft, fact: Fact) -> bool:
    rows, path, mean = count(fact.data.get("rows")), fact.data.get("path"), number(fact.data.get("mean_score"))
    if fact.step is None or rows is None:
        return False
    known = draft.validation(fact.step)
    path = path if isinstance(path, str) else known.dump_path
    if rows <= (known.dump_rows or 0):
        same = rows == known.dump_rows
        mean = known.dump_mean if known.dump_mean is not None or not same else mean
        draft.validations[fact.step] = replace(known, dump_path=known.dump_path or path, dump_mean=mean)
        return False
    draft.validations[fact.step] = replace(known, dump_rows=rows, dump_path=path, dump_mean=mean)
    draft.cite(fact)
    return draft.grew(fact, f"{rows} rows in the dump of the validation at step {fact.step}")


def _checkpoint(draft: Draft, fact: Fact) -> bool:
    """Progress only where bytes grow or it turns complete. Complete once is complete: later damage is a notice."""
    path, complete = fact.data.get("path"), fact.data.get("complete") is True
    if fact.step is None or not isinstance(path, str):
        return False
    known = draft.checkpoints.get(fact.step) or Checkpoint(fact.step, path, False)
    size = max(count(fact.data.get("bytes")) or 0, known.bytes)
    moved = size > known.bytes or (complete and not known.complete)
    same = complete == known.complete and size == count(fact.data.get("bytes"))
    at = fact.at if moved else earliest(known.at, fact.at) if same else known.at
    draft.checkpoints[fact.step] = replace(known, complete=known.complete or complete, at=at, bytes=size)
    missing = fact.data.get("missing")
    if known.complete and not complete and missing and known.at is not None and fact.at >= known.at:
        draft.notice(f"the checkpoint of step {fact.step} was complete and now lacks {missing[0]}", fact.evidence)
    return moved


def _weights_updated(draft: Draft, fact: Fact) -> bool:
    version, print_ = count(fact.data.get("version")), fact.data.get("fingerprint")
    step = fact.step if fact.step is not None else version
    if step is None:
        return False
    known = draft.weights.get((step, version))
    fingerprint = print_ if isinstance(print_, str) else None
    if known is None:
        draft.weights[(step, version)] = WeightsUpdate(step, fact.at, version, fingerprint)
        return True
    draft.weights[(step, version)] = replace(
        known, at=min(known.at, fact.at), fingerprint=known.fingerprint or fingerprint
    )
    return False


def _calls_moved(draft: Draft, fact: Fact) -> bool:
    if draft.calls_moved_at is not None and fact.at <= draft.calls_moved_at:
        return False
    draft.calls_moved_at = fact.at
    return True


def _attested(draft: Draft, fact: Fact) -> bool:
    if fact.step is None:
        return False
    known = draft.validation(fact.step)
    draft.validations[fact.step] = replace(known, attested_at=earliest(known.attested_at, fact.at))
    draft.cite(fact)
    return known.attested_at is None and draft.grew(fact, f"attestation of the validation at step {fact.step}")


def _guard(draft: Draft, fact: Fact) -> bool:
    draft.guard = {name: fact.data.get(name) for name in ("final_validation", "reason")}
    draft.notice(f"the guard: {fact.data.get('reason') or fact.data.get('final_validation')}", fact.evidence)
    return True


def _run_end(draft: Draft, fact: Fact) -> bool:
    new = draft.ended_at is None
    told = str(fact.data.get("exit") or _ENDS[0])
    words = [word for word in (draft.ended_how, told) if word]
    draft.ended_how = max(words, key=lambda word: _ENDS.index(word) if word in _ENDS else 0)
    draft.ended_at = earliest(draft.ended_at, fact.at)
    return new


def _notice(draft: Draft, fact: Fact) -> bool:
    text = fact.data.get("text") or (fact.evidence.what if fact.evidence else "")
    if text:
        draft.notice(str(text), fact.evidence or Evidence(str(text), at=fact.at))
    return False


_HANDLERS: dict[FactKind, Callable[[Draft, Fact], bool]] = {
    FactKind.RUN_CONFIG: _run_config,
    FactKind.PHASE_BEGIN: _phase_begin,
    FactKind.PHASE_END: _phase_end,
    FactKind.STEP_END: _step_end,
    FactKind.SAMPLES: _samples,
    FactKind.SCORE: _score,
    FactKind.DUMP: _dump,
    FactKind.CHECKPOINT: _checkpoint,
    FactKind.WEIGHTS_UPDATED: _weights_updated,
    FactKind.CALLS_MOVED: _calls_moved,
    FactKind.ATTESTED: _attested,
    FactKind.GUARD: _guard,
    FactKind.RUN_END: _run_end,
    FactKind.NOTICE: _notice,
}
"""What each kind changes; True where it told something new."""
