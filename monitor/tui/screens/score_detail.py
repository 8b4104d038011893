"""What is behind a selected score: all that is known of it with its evidence, or what it may be compared with.

Pure. Comparisons are made by `monitor.ledger.comparisons`, against the score that each other run reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from monitor.ledger.comparisons import Baselines, Comparable, compared, of_record, reported_of
from monitor.model.audit import Comparison
from monitor.model.score import Score
from monitor.report.clean_text import clean
from monitor.report.comparisons import difference_text
from monitor.tui import wording
from monitor.tui.cells import Line, Span, line, rule, span, wrap
from monitor.tui.screen_data import RunRow, ScreenData
from monitor.tui.screens.common import Room, empty, sentence, standing_spans

NO_SCORE = "Select a score, not a run: ↑ and ↓ move, Esc goes back."
ATTESTED = ("recipe", "scheme", "active_layers", "expected_layers", "calls", "versions", "sha256")
"""Keys of an attestation that are told, where it has them."""


def lines(data: ScreenData, room: Room, detail: str, score: Score | None) -> list[Line]:
    """The detail that is open, of the selected score."""
    if score is None:
        return empty(NO_SCORE, room.width)
    block: list[Line] = [_head(score), ()]
    if detail == "compare":
        return [*block, *_comparisons(data, score, room.width)]
    return [*block, *_evidence(score, data, room.width)]


def _head(score: Score) -> Line:
    parts = [span(f" {clean(score.run)}", "name"), span(f"  step {score.step}  ", "strong")]
    parts += [span(f"{wording.score(score.value)}  ", "number"), *standing_spans(score.standing)]
    return line(*parts, span(f"  {clean(score.metric)}", "dim"))


def _evidence(score: Score, data: ScreenData, width: int) -> list[Line]:
    block = [rule("what it may claim, and why", width)]
    for reason in score.reasons or ("nothing is known against it, and nothing for it",):
        block += sentence("info", clean(reason), width)
    block.append(rule("how it was made", width))
    for name, told in _facts(score, data.now):
        block += wrap(told, width - 2, first=(span(f"   {name:<14} ", "dim"),), indent=" " * 18)
    block.append(rule("evidence", width))
    shown = score.provenance.evidence
    for item in shown:
        place = f" ({item.file}:{item.line})" if item.line is not None else (f" ({item.file})" if item.file else "")
        when = f", {wording.clock(item.at, data.now)}" if item.at is not None else ""
        block += sentence("info", clean(f"{item.what}{place}{when}"), width)
    if not shown:
        block += wrap("no line or file was recorded for it", width - 4, "dim", first=(Span("   "),))
    return block


def _facts(score: Score, now: float) -> Iterator[tuple[str, str]]:
    known = score.provenance
    rerun = f", rerun {clean(known.rerun_id)}" if known.rerun_id else ""
    yield "source", f"{known.source}{rerun}, recorded {wording.ago(now - score.recorded_at)}"
    if score.revision:
        yield "correction", f"{score.revision}: {clean(score.correction)} (laststep scores --history has them all)"
    yield "samples", f"{_or_unknown(known.rows)} of {_or_unknown(known.rows_expected)}"
    yield "trained with", clean(known.recipe_declared or "unknown")
    yield "evaluated with", clean(known.recipe_attested or "unknown")
    yield "weights", f"of step {_or_unknown(known.weights_step)}, fingerprint {clean(known.weights_fingerprint or '?')}"
    yield "checkpoint", clean(known.checkpoint_fingerprint or "unknown")
    yield "start model", clean(known.start_fingerprint or "unknown")
    yield "data", clean(f"sha256 {known.data_sha256}" if known.data_sha256 else "unknown")
    yield "dump", clean(known.dump_path or "none is known")
    told = [f"{key} {_short(known.attestation[key])}" for key in ATTESTED if key in known.attestation]
    yield "attestation", clean("; ".join(told) if told else "none")


def _short(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("name") or ", ".join(f"{key} {item}" for key, item in list(value.items())[:4]))
    return str(value)[:40]


def _or_unknown(value: object) -> str:
    return "?" if value is None else str(value)


def _comparisons(data: ScreenData, score: Score, width: int) -> list[Line]:
    items = _reported(data)
    this = _comparable({row.name: row for row in data.runs}, score)
    others = [item for item in items if item.run != score.run and item.metric == score.metric]
    if not others:
        return [*wrap("No other run has a score of this metric.", width - 4, "dim", first=(Span("  "),))]
    baseline = Baselines(items).of(this)
    made = sorted((compared(this, other, baseline) for other in others), key=lambda item: not item.holds)
    block = [rule("which comparisons hold", width, f"{sum(item.holds for item in made)} of {len(made)}")]
    told = (
        f"the baseline to hold it against: {baseline.run}"
        if baseline
        else "no valid score of its recipe to hold it against"
    )
    block += wrap(clean(told), width - 4, "strong", first=(Span("   "),), indent="   ")
    for item in made:
        block += _one(item, width)
    return block


def _one(item: Comparison, width: int) -> list[Line]:
    state = "ok" if item.holds else "bad"
    word = item.meaning if item.holds else "does not hold"
    told = clean(f"against {item.right} step {item.right_step}: {difference_text(item)}: {word}")
    block = sentence(state, told, width)
    for reason in item.reasons:
        block += wrap(clean(reason), width - 6, "dim", first=(Span("     "),), indent="     ")
    return block


def _reported(data: ScreenData) -> list[Comparable]:
    by_run: dict[str, list[Score]] = {}
    for score in data.scores:
        by_run.setdefault(score.run, []).append(score)
    rows = {row.name: row for row in data.runs}
    return [_comparable(rows, score) for own in by_run.values() for score in reported_of(own)]


def _comparable(rows: Mapping[str, RunRow], score: Score) -> Comparable:
    row = rows.get(score.run)
    return of_record(score, row.total_steps if row else None, row.started_at if row else None)
