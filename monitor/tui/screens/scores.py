"""The Scores screen: every run with its scores, what each may claim in words and signs, and why, for the selected row.

Runs come in the order that was chosen; what is behind a row, and what it may be compared with, is `score_detail.py`.

Values of another standing than `valid` are never set beside valid ones without their word. The table is own lines, not
a DataTable: a key then costs two rows of output.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from monitor.model.score import Score, Standing
from monitor.tui import wording
from monitor.tui.cells import Line, Span, ending, fit, line, plain, rule, span, width_of, wrap
from monitor.tui.screen_data import RunRow, ScreenData
from monitor.tui.screens import score_detail
from monitor.tui.screens.common import Room, empty, standing_spans
from monitor.tui.screens.kept import kept_while_same
from monitor.tui.theme import SIGNS

ORDERS = ("newest", "name", "best score", "worst standing")
"""How runs may be ordered, the first one at the start."""

BAD_FIRST = (
    Standing.STALE_WEIGHTS,
    Standing.NOT_QUANTIZED,
    Standing.MISSING_FINAL,
    Standing.PARTIAL,
    Standing.UNPROVEN,
    Standing.NOT_FINAL,
)


WITH_SOURCE = 90
"""Width from which a score's row has room for what made it; narrower, `e` tells."""

USUAL_DETAIL = 4
"""Rows that a score's reason and proofs take at 80 columns."""

WIDE = 150
TALL = 40
"""From this width and height, what `e` would open of the selected score stands below the table."""


class Row(NamedTuple):
    """A selectable row: a run (score None) or one of its scores."""

    run: str
    score: Score | None
    of: RunRow

    def content(self, data: ScreenData, width: int) -> Line:
        """What it says."""
        return _run_row(self.of, data, width) if self.score is None else _score_row(self.score, data.now, width)


@kept_while_same(lambda data: (data.runs, data.scores, data.run))
def rows(data: ScreenData, width: int, pattern: re.Pattern[str] | None = None, order: str = ORDERS[0]) -> list[Row]:
    """All rows that match, runs in `order`, scores by step."""
    known = {row.name for row in data.runs}
    lost = [RunRow(name, 0.0) for name in dict.fromkeys(score.run for score in data.scores) if name not in known]
    by_run: dict[str, list[Score]] = {}
    for score in sorted(data.scores, key=lambda score: score.step):
        by_run.setdefault(score.run, []).append(score)
    table: list[Row] = []
    for run in ordered([*data.runs, *lost], by_run, order):
        block = [Row(run.name, None, run), *(Row(run.name, score, run) for score in by_run.get(run.name, []))]
        table += [row for row in block if pattern is None or _matches(row, pattern, data, width)]
    return table


def _matches(row: Row, pattern: re.Pattern[str], data: ScreenData, width: int) -> bool:
    """By its run's name, by what it says, and by its standing in full, which a narrow row cuts."""
    standing = row.of.standing if row.score is None else row.score.standing
    texts = (row.run, plain(row.content(data, width)), plain(tuple(standing_spans(standing))))
    return any(pattern.search(text) for text in texts)


def ordered(runs: list[RunRow], scores: dict[str, list[Score]], order: str) -> list[RunRow]:
    """The runs in an order of `ORDERS`; what has no score, or no flaw, comes last, and equals stay as they were."""
    if order == "name":
        return sorted(runs, key=lambda run: run.name)
    if order == "best score":
        latest = {name: own[-1].value for name, own in scores.items()}
        return sorted(runs, key=lambda run: -latest[run.name] if run.name in latest else math.inf)
    if order == "worst standing":
        return sorted(runs, key=lambda run: _worst(run, scores.get(run.name, [])))
    return runs


def _worst(run: RunRow, scores: list[Score]) -> int:
    """Place in `BAD_FIRST` of the worst that is said of the run and of its latest score."""
    words = {*run.standing, *(scores[-1].standing if scores else ())}
    return min((BAD_FIRST.index(word) for word in words if word in BAD_FIRST), default=len(BAD_FIRST))


def _run_row(run: RunRow, data: ScreenData, width: int) -> Line:
    here = SIGNS["info"] if run.name == data.run else " "
    steps = wording.steps(run.step, run.total_steps)
    ended = "running" if run.ended_at is None else (run.ended_how or "ended")
    parts = [span(f" {here} {run.name}", "strong"), span(f"  {steps}, {ended}", "dim"), Span("  ")]
    parts += standing_spans(run.standing) if run.standing else []
    if width >= 110 and run.host:
        parts.append(span(f"  on {run.host}", "dim"))
    return line(*parts)


def _score_row(score: Score, now: float, width: int) -> Line:
    provenance = score.provenance
    standing = fit(tuple(standing_spans(score.standing)), _standing_width(width))
    counted = f"{provenance.rows}/{provenance.rows_expected or '?'}" if provenance.rows is not None else "? rows"
    parts: list[Span | str] = [
        span(f"   {score.step:>6}  ", "dim"),
        span(f"{wording.score(score.value)}  ", "number"),
        *standing,
        span(f" {f'{provenance.source:<9} ' if width >= WITH_SOURCE else ''}{counted:>9}  ", "dim"),
        span(f"{provenance.recipe_attested or '? quant':<12} ", "text" if provenance.recipe_attested else "unknown"),
        span(f"{wording.ago(now - score.recorded_at):>11}", "dim"),
    ]
    if width >= 110:
        room = width - width_of(line(*parts)) - 2
        parts.append(span(f"  {score.metric if width >= WIDE else ending(score.metric, room)}", "dim"))
    if width >= WIDE:
        of_step = "?" if provenance.weights_step is None else provenance.weights_step
        known = provenance.weights_fingerprint
        parts.append(span(f"  weights of step {of_step}{f', {known[:12]}' if known else ''}", "dim"))
    return line(*parts)


def _standing_width(width: int) -> int:
    return 23 if width < WITH_SOURCE else 24 if width < 110 else 30


def lines(
    data: ScreenData, room: Room, cursor: int, pattern: re.Pattern[str] | None, order: str = ORDERS[0]
) -> list[Line]:
    """The table around the cursor, and below it why the selected row stands or does not."""
    table = rows(data, room.width, pattern, order)
    if not table:
        return empty("No score matches." if pattern else "The ledger holds no score yet.", room.width)
    cursor = min(max(cursor, 0), len(table) - 1)
    most = max(room.height // 2 - 1, 3)
    detail = _detail(table[cursor], data, room)[:most]
    # A run has less to say than a score: with rows kept for both, the table stays as it is when the cursor passes one.
    detail += [()] * (min(USUAL_DETAIL, most) - len(detail))
    words = f"{'standing':<{_standing_width(room.width)}}"
    head = line(span(f"   {'step':>6}  {'value':<6}  {words} ", "dim"))
    source = f"{'source':<9} " if room.width >= WITH_SOURCE else ""
    head = (*head, span(f"{source}{'samples':>9}  {'quantization':<12} {'recorded':>11}", "dim"))
    space = room.height - len(detail) - 1
    # A page at a time, of the rows that are there beside the longest detail: a key then moves two rows, not all.
    page = max(room.height - most - 1, 1)
    first = min(cursor // page * page, max(len(table) - space, 0))
    block: list[Line] = [head]
    for index in range(first, min(first + space, len(table))):
        content = table[index].content(data, room.width)
        block.append(_selected(content, room.width) if index == cursor else content)
    block += [()] * (space + 1 - len(block))
    return [*block, *detail]


def _selected(content: Line, width: int) -> Line:
    cells = fit((span("›", "selected"), *_without_first_cell(content)), width)
    return tuple(part._replace(style="selected") for part in cells)


def _without_first_cell(content: Line) -> Line:
    first, *rest = content
    return (first._replace(text=first.text[1:]), *rest)


def _detail(row: Row, data: ScreenData, room: Room) -> list[Line]:
    width = room.width
    whole = width >= WIDE and room.height >= TALL
    if row.score is None:
        run = next((item for item in data.runs if item.name == row.run), None)
        reasons = run.reasons if run and run.reasons else ("open the run with Enter",)
        newest = max((item for item in data.scores if item.run == row.run), key=lambda item: item.step, default=None)
        more = [(), *score_detail.lines(data, room, "evidence", newest)] if whole and newest else []
        return [rule("the run", width), *_reasons(reasons, width), *more]
    score = row.score
    if whole:
        return [rule("why", width, _offer(score)), *score_detail.lines(data, room, "evidence", score)]
    block = [rule("why", width, _offer(score))]
    block += _reasons(score.reasons or ("nothing is known against it",), width)
    block += _proofs(score, width)
    return block


def _offer(score: Score) -> str:
    if score.standing == (Standing.VALID,):
        return ""
    return "r plans the final one" if Standing.NOT_FINAL in score.standing else "r plans its rerun"


def _reasons(reasons: tuple[str, ...], width: int) -> list[Line]:
    block: list[Line] = []
    for reason in reasons:
        block += wrap(reason, width - 4, first=(span(f" {SIGNS['info']} ", "info"),), indent="   ")
    return block


def _proofs(score: Score, width: int) -> list[Line]:
    provenance = score.provenance
    facts = [f"metric {score.metric}"]
    facts.append(
        f"trained with {provenance.recipe_declared or '?'}, active in the engine: {provenance.recipe_attested or '?'}"
    )
    if provenance.weights_step is not None:
        facts.append(f"weights of step {provenance.weights_step}")
    if provenance.weights_fingerprint:
        same = provenance.weights_fingerprint == provenance.checkpoint_fingerprint
        facts.append(f"fingerprint {provenance.weights_fingerprint[:12]}{' = checkpoint' if same else ''}")
    if provenance.dump_path:
        facts.append(f"samples in {provenance.dump_path}")
    text = "; ".join(facts)
    block = wrap(text, width - 4, "dim", first=(Span("   "),), indent="   ")
    return [content for content in block if width_of(content) > 0]
