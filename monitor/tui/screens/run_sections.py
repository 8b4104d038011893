"""Sections of the Run screen about the run itself: validations, the score's curve, phases, findings, the log's end."""

from __future__ import annotations

import itertools

from monitor.model.run import PhaseSpan, Validation
from monitor.model.score import Score
from monitor.tui import charts, summary, wording
from monitor.tui.cells import Line, Span, line, padded, span, width_of
from monitor.tui.live import Live
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens.common import sentence, standing_spans
from monitor.tui.screens.kept import kept_while_same
from monitor.tui.sections import Section
from monitor.tui.theme import SIGNS

HISTORY = 12
"""Earlier durations of a phase that are drawn."""

MARGIN = Span(" ")

WITH_LIMIT = 76
"""Width from which a phase's row has room for its learned limit."""


def validation(data: ScreenData, width: int, rank: int) -> Section:
    """The validation under way with its bar, then the scores of earlier ones, newest first."""
    live = data.live
    rows: list[Line] = []
    current = live.validation_under_way if live and live.run.ended_at is None else None
    if live and current:
        rows += _under_way(live, current, data.now, width)
    for score in reversed(data.own_scores):
        rows.append(_score_row(score, data.now, width))
    if live:
        scored = {score.step for score in data.own_scores}
        silent = [item for item in live.run.validations if item.step not in scored and item is not current]
        rows += [_unscored_row(item) for item in reversed(silent)]
    if not rows:
        rows = [line(span("   none has begun yet", "dim"))]
    return Section("validation", tuple(rows), least=min(3, len(rows)), rank=rank, note=_metric(data))


def _metric(data: ScreenData) -> str:
    return data.own_scores[-1].metric if data.own_scores else ""


def _under_way(live: Live, item: Validation, now: float, width: int) -> list[Line]:
    name = f" step {item.step}{' final' if item.final else ''} "
    if item.done is None or not item.total:
        why = "samples can't be seen without the hooks" if not live.run.hooks_seen else "no sample seen yet"
        return [
            line(span(name, "strong"), span("? ", "unknown"), span(f"of {item.total or '?'} samples; {why}", "dim"))
        ]
    share = item.done / item.total
    bar_width = max(8, min(30, width - 58))
    filled, rest = charts.bar(share, bar_width)
    numbers = f" {item.done}/{item.total} samples" + (f"  {share * 100:.0f} %" if width >= 76 else "")
    rate = _rate(live, item, now)
    parts = [span(name, "strong"), span(filled, "bar"), span(rest, "bar-back"), span(numbers, "number")]
    if rate:
        parts.append(span(f"  {rate}", "dim"))
    return [line(*parts)]


def _rate(live: Live, item: Validation, now: float) -> str:
    """Samples a second over the validation, and the time left; while nothing moves, for how long it has not."""
    progress = live.run.progress
    if item.began_at is None or not item.done or not item.total or progress is None:
        return ""
    if now - progress.last_moved_at > wording.FRESH_SECONDS:
        return f"none for {wording.duration(now - progress.last_moved_at)}"
    if progress.last_moved_at <= item.began_at:
        return ""
    rate = item.done / (progress.last_moved_at - item.began_at)
    left = (item.total - item.done) / rate
    return f"{rate:.0f}/s, ≈ {wording.duration(left)} left" if rate >= 1 else f"≈ {wording.duration(left)} left"


def _score_row(score: Score, now: float, width: int) -> Line:
    provenance = score.provenance
    parts = [span(f" step {score.step:<5}", "dim"), span(f"{wording.score(score.value)}  ", "number")]
    parts += standing_spans(score.standing)
    if provenance.rows:
        parts.append(span(f"  {provenance.rows}/{provenance.rows_expected or '?'} rows", "dim"))
    if width >= 70:
        if provenance.recipe_attested:
            parts.append(span(f"  {provenance.recipe_attested}", "dim"))
        if provenance.source == "rerun":
            parts.append(span("  by a rerun", "dim"))
    age = f"  {wording.ago(now - score.recorded_at)}"
    if width_of(tuple(parts)) + len(age) < width:
        parts.append(span(age, "dim"))
    return line(*parts)


def _unscored_row(item: Validation) -> Line:
    state, what = ("unknown", "ended without a score") if item.ended_at else ("bad", "never ended")
    done = f"  {'?' if item.done is None else item.done}/{item.total or '?'} samples"
    return line(span(f" step {item.step:<5}", "dim"), span(f"{SIGNS[state]} {what}", state), span(done, "dim"))


@kept_while_same(lambda data: (data.scores, data.run, summary.final_step(data)))
def curve(data: ScreenData, width: int, rows: int, rank: int) -> Section:
    """The score over the steps of the whole run, from 0 to its greatest value."""
    points = [(float(score.step), score.value) for score in data.own_scores if score.provenance.source == "training"]
    points += [
        (float(s.step), s.value)
        for s in data.own_scores
        if s.provenance.source == "rerun" and s.step not in dict(points)
    ]
    points.sort()
    if len(points) < 2:
        return Section("score over steps", ())
    last = float(summary.final_step(data) or points[-1][0])
    axis = 8
    drawn = charts.curve(points, (0.0, max(last, points[-1][0])), width - axis - 2, rows)
    top, low = wording.score(max(value for _, value in points)), wording.score(0.0)
    lines: list[Line] = []
    for index, text in enumerate(drawn):
        label = top if index == 0 else low if index == len(drawn) - 1 else ""
        lines.append(line(span(f" {label:>{axis - 2}} ", "dim"), span(text, "info")))
    first, end = "step 0", f"step {last:.0f}"
    lines.append(line(span(" " * axis + first + " " * max(width - axis - 2 - len(first) - len(end), 1) + end, "dim")))
    return Section("score over steps", tuple(lines), least=len(lines), rank=rank)


def phases(data: ScreenData, width: int, rank: int) -> Section:
    """Each phase: its last duration, a column a step, the usual time and the learned limit. The present one first."""
    live = data.live
    if live is None:
        return Section("phases", ())
    ended: dict[str, list[PhaseSpan]] = {}
    for item in live.run.spans:
        if item.seconds is not None:
            ended.setdefault(item.phase, []).append(item)
    names = sorted(ended, key=lambda name: -_mean(ended[name]))
    if live.run.phase and live.run.ended_at is None:
        names = [live.run.phase, *[name for name in names if name != live.run.phase]]
    rows = [_phase_row(live, name, ended.get(name, []), data.now, width) for name in names]
    if not rows:
        rows = [line(span("   none seen yet", "dim"))]
    note = "last, steps before, usual, limit" if width >= WITH_LIMIT else "last, steps before, usual"
    return Section("phases", tuple(rows), least=min(2, len(rows)), rank=rank, note=note)


def _mean(items: list[PhaseSpan]) -> float:
    return sum(item.seconds or 0.0 for item in items) / len(items)


def _phase_row(live: Live, name: str, items: list[PhaseSpan], now: float, width: int) -> Line:
    here = name == live.run.phase and live.run.ended_at is None
    if here and live.run.phase_since is not None:
        last = f"{wording.age(now - live.run.phase_since)} so far"
    else:
        last = wording.exact(items[-1].seconds) if items else "?"
    drawn = charts.columns([item.seconds or 0.0 for item in items[-HISTORY:]])
    usual = wording.exact(_median(items)) if items else "?"
    limit = live.phase_limits.get(name)
    label = f" {SIGNS['info'] if here else ' '} {name}"
    parts = [
        span(f"{padded(label, 19)} ", "strong" if here else "text"),
        span(f"{last:>13}  ", "number"),
        span(f"{drawn:>{HISTORY}}  ", "bar"),
        span(f"{usual:>8}", "dim"),
    ]
    if width >= WITH_LIMIT and limit:
        parts.append(span(f"  limit {wording.duration(limit)}", "dim"))
    return line(*parts)


def _median(items: list[PhaseSpan]) -> float:
    ordered = sorted(item.seconds or 0.0 for item in items)
    return ordered[len(ordered) // 2]


def checkpoints(data: ScreenData, rank: int) -> Section:
    """What weights lie on disk: what a rerun could start from. Newest first."""
    live = data.live
    rows: list[Line] = []
    for item in sorted(live.run.checkpoints if live else (), key=lambda item: -item.step):
        state, word = ("ok", "complete") if item.complete else ("warn", "incomplete")
        when = f"  {wording.ago(data.now - item.at)}" if item.at else ""
        rows.append(
            line(span(f" step {item.step:<5}", "dim"), span(f"{SIGNS[state]} {word}", state), span(when, "dim"))
        )
    return Section("checkpoints", tuple(rows), least=1, rank=rank)


def notices(data: ScreenData, width: int, rank: int) -> Section:
    """What the run's own sources told a person, newest first: a warning, a restart, an erased file."""
    rows: list[Line] = []
    for item in reversed(data.live.run.notices if data.live else ()):
        when = f" ({wording.ago(data.now - item.at)})" if item.at else ""
        rows += sentence("warn", f"{item.what}{when}", width, rows=2)
    return Section("notices", tuple(rows), least=1, rank=rank)


def findings(data: ScreenData, width: int, rank: int, *, sentence_rows: int = 3) -> Section:
    """What holds now and since when, then what was found and withdrawn."""
    rows: list[Line] = []
    now = data.findings_now
    for finding in now:
        state = "bad" if finding.proved else "warn"
        found = data.found_at(finding)
        when = f" {wording.ago(data.now - found)}" if found is not None else ""
        head = f"{finding.hang_class} ({'proved' if finding.proved else 'suspected'}{when})"
        rows += sentence(state, finding.sentence, width, head=head, rows=sentence_rows)
    shown = {finding.identity for finding in now}
    for row in data.findings:
        if row.withdrawn_at is not None or row.finding.identity not in shown:
            over = f", withdrawn {wording.ago(data.now - row.withdrawn_at)}" if row.withdrawn_at else ""
            parts = (
                span(f" {SIGNS['info']} {row.finding.hang_class} ", "dim"),
                f"{wording.ago(data.now - row.found_at)}{over}",
            )
            rows.append(line(*parts))
    note = "2 shows all of it" if now else ""
    return Section("findings", tuple(rows), least=min(3, len(rows)), rank=rank, note=note)


def log(data: ScreenData, most: int, rank: int) -> Section:
    """The end of the run's log, at most `most` lines of it."""
    tail = data.live.log.tail if data.live else ()
    newest = itertools.islice((text for text in reversed(tail) if text.strip()), max(most, 0))
    rows = tuple((MARGIN, Span(text, "dim")) for text in reversed(list(newest)))
    return Section("log", rows, least=2, rank=rank, grows=True, note="5 filters it")
