"""The draft of a run's state while facts are folded in: what is known, keyed by what it is. Lives inside one fold."""

from __future__ import annotations

from dataclasses import replace

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.model.run import Checkpoint, PhaseSpan, RunState, Validation, WeightsUpdate

HOOK = "hook"
"""The only source that sees phases begin and end as they do; all others read of them afterwards."""
TESTING = "testing"
"""The phase that is a validation."""

SPANS_EACH = 50
"""Spans of one phase that a state keeps from fold to fold; the ledger keeps all."""
NOTICES = 50
CITED = 6
"""Pieces of evidence kept of one validation."""


def earliest(left: float | None, right: float | None) -> float | None:
    """The earlier of two times, of which either may be unknown."""
    known = [at for at in (left, right) if at is not None]
    return min(known, default=None)


class Draft:
    """What is known, in a form that handlers can change."""

    def __init__(self, state: RunState) -> None:
        self.base = state
        self.config = state.config
        self.total_steps = state.total_steps
        self._spans: dict[tuple[int, str], list[PhaseSpan]] = {}
        for span in state.spans:
            # Ends that were inferred are inferred anew from all that is known.
            told = replace(span, ended_at=None, inferred=False) if span.inferred else span
            self._spans.setdefault((span.step, span.phase), []).append(told)
        self._oldest = _oldest_steps(state.spans)
        self.validations: dict[int, Validation] = {item.step: item for item in state.validations}
        self.checkpoints: dict[int, Checkpoint] = {item.step: item for item in state.checkpoints}
        self.weights: dict[tuple[int, int | None], WeightsUpdate] = {
            (item.step, item.version): item for item in state.weights
        }
        self.step_ended, self.step_ended_at = state.step_ended, state.step_ended_at
        self.calls_moved_at = state.calls_moved_at
        self.ended_at, self.ended_how = state.ended_at, state.ended_how
        self.hooks_seen = state.hooks_seen
        self.guard = dict(state.guard)
        self.notices: list[Evidence] = list(state.notices)
        self._noticed = {item.what for item in state.notices}
        self.moved = 0
        """Facts that told something new and count as progress."""

    @property
    def spans(self) -> list[PhaseSpan]:
        """All spans, in the order in which they became known."""
        return [span for spans in self._spans.values() for span in spans]

    def spans_of(self, step: int, phase: str) -> list[PhaseSpan]:
        """The occurrences of a phase of a step, to be changed in place."""
        return self._spans.setdefault((step, phase), [])

    def forgot(self, step: int, phase: str) -> bool:
        """True for a phase so old that its span is no longer kept: a fact of it is a repetition."""
        return step < self._oldest.get(phase, step)

    def validation(self, step: int) -> Validation:
        """The validation of `step`, begun here where it is not known."""
        return self.validations.setdefault(step, Validation(step, False))

    def grew(self, fact: Fact, sentence: str) -> bool:
        """The validation of the fact's step moved; the newest sentence is kept. Always True."""
        known = self.validations[fact.step or 0]
        if known.moved_at is None or fact.at >= known.moved_at:
            self.validations[known.step] = replace(known, moved_at=fact.at, moved=sentence)
        return True

    def grew_earlier(self, fact: Fact, words: str) -> bool:
        """What moved the validation last is told again with an earlier time: that is when it happened. Always False."""
        known = self.validations[fact.step or 0]
        if known.moved.startswith(words):
            at = min(known.moved_at if known.moved_at is not None else fact.at, fact.at)
            self.validations[known.step] = replace(known, moved_at=at)
        return False

    def cite(self, fact: Fact) -> None:
        """Keep where a validation's score, dump or attestation was seen; of a dump that grows, its newest row."""
        seen = fact.evidence
        if seen is None:
            return
        known = self.validations[fact.step or 0]
        growing = fact.kind is FactKind.DUMP and fact.data.get("path") == seen.file
        others = tuple(item for item in known.evidence if not (growing and item.file == seen.file))
        places = {(item.file, item.line) for item in others}
        if (seen.file, seen.line) not in places and len(others) < CITED:
            self.validations[known.step] = replace(known, evidence=(*others, seen))

    def notice(self, text: str, evidence: Evidence | None) -> None:
        """Tell a person once; the first of equal notices stands, and the oldest are dropped."""
        if text in self._noticed:
            return
        self._noticed.add(text)
        seen = evidence or Evidence(text)
        self.notices.append(Evidence(text, seen.file, seen.line, seen.at))
        del self.notices[:-NOTICES]


def _oldest_steps(spans: tuple[PhaseSpan, ...]) -> dict[str, int]:
    """Phase → oldest step kept, for phases of which some were dropped."""
    steps: dict[str, list[int]] = {}
    for span in spans:
        steps.setdefault(span.phase, []).append(span.step)
    return {phase: min(found) for phase, found in steps.items() if len(found) >= SPANS_EACH}
