"""The first glance, pure: is it alive, how far is it, can the score be trusted. A state, a word, a sentence each.

A silent watch makes every answer that depends on it unknown: an old "healthy" is no news of now.
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.ledger.rows import RerunRow
from monitor.model.finding import Verdict, VerdictWord
from monitor.model.run import PhaseSpan
from monitor.model.score import Score, Standing
from monitor.tui import wording
from monitor.tui.live import Live
from monitor.tui.screen_data import ScreenData

SILENT_SECONDS = 10.0
"""A watch writes once a second; a tick may last some seconds while it takes snapshots."""

START_A_WATCH = "start one: laststep watch"


class Answer(NamedTuple):
    """`state`: `ok`, `warn`, `bad`, `unknown` or `info`. `word` is said first, and alone where there is no room."""

    state: str
    word: str
    sentence: str


def watch(data: ScreenData) -> Answer:
    """Is anyone watching?"""
    if data.live is None:
        return Answer("unknown", "no watch", data.live_problem or f"nothing was watched yet; {START_A_WATCH}")
    silent = data.now - data.live.at
    if data.live.verdict.word is VerdictWord.ENDED:
        return Answer("info", "run over", "the run has ended, so nothing is watched")
    if data.watch_alive is False:
        return Answer("bad", "watch dead", f"no watch is running since {wording.age(silent)}; {START_A_WATCH}")
    if silent > SILENT_SECONDS:
        return Answer("unknown", "watch silent", f"the watch wrote nothing since {wording.age(silent)}")
    return Answer("ok", "watching", f"pid {data.live.watch.pid}")


def alive(data: ScreenData) -> Answer:
    """Is the run alive?"""
    watching = watch(data)
    live = data.live
    if live is None:
        return Answer("unknown", "unknown", watching.sentence)
    if watching.state not in ("ok", "info"):
        return Answer("unknown", "unknown", f"{watching.sentence}; last known: {live.verdict.word.value}")
    verdict = live.verdict
    reason = verdict.reasons[0] if verdict.reasons else ""
    if verdict.word is VerdictWord.HANG:
        return Answer("bad", "HANG", f"nothing moved for {_silence(data)}; {_cause(verdict) or reason}")
    if verdict.word is VerdictWord.ENDED:
        return _ended(data, live)
    if verdict.word is VerdictWord.STALL:
        return Answer("warn", "STALL", reason or f"nothing moved for {_silence(data)}")
    if verdict.word is VerdictWord.UNKNOWN:
        return Answer("unknown", "unknown", reason or f"nothing moved for {_silence(data)}")
    return Answer("ok", "healthy", f"last progress {_last_progress(data, live)}")


def _cause(verdict: Verdict) -> str:
    """The finding in a few words; its sentence stands in the findings."""
    if not verdict.findings:
        return ""
    finding = verdict.findings[0]
    who = finding.culprit.process or finding.culprit.actor
    return f"{finding.hang_class}{', proved' if finding.proved else ''}{f', in {who}' if who else ''}"


def _ended(data: ScreenData, live: Live) -> Answer:
    how = live.run.ended_how or "ended"
    state = "info" if how in ("finished", "ended") else "warn"
    when = f" {wording.ago(data.now - live.run.ended_at)}" if live.run.ended_at else ""
    cause = _cause(live.verdict)
    if cause:
        return Answer("bad", "ended", f"{how}{when}; it hung before: {cause}")
    return Answer(state, "ended", f"{how}{when}")


def _silence(data: ScreenData) -> str:
    progress = data.live.run.progress if data.live else None
    return wording.duration(data.now - progress.last_moved_at) if progress else "an unknown time"


def _last_progress(data: ScreenData, live: Live) -> str:
    progress = live.run.progress
    if progress is None:
        return "not seen yet"
    return f"{wording.ago(data.now - progress.last_moved_at)}: {progress.last_fact}"


def far(data: ScreenData) -> Answer:
    """How far is it?"""
    live = data.live
    if live is None:
        row = data.row
        if row is None or row.step is None:
            return Answer("unknown", "step ?", "no run is known")
        return Answer("info", wording.steps(row.step, row.total_steps), "as last recorded")
    run = live.run
    if run.ended_at is not None:
        return Answer(
            "info", wording.steps(run.step, run.final_step), f"ran {wording.duration(run.ended_at - run.started_at)}"
        )
    parts = []
    if run.phase:
        since = f" {wording.so_far(data.now - run.phase_since)}" if run.phase_since else ""
        limit = live.phase_limits.get(run.phase)
        usual = f" (limit {wording.duration(limit)})" if limit else " (no limit learned yet)"
        parts.append(f"{run.phase}{since}{usual}")
    left = time_left(live, data.now)
    if left is not None:
        parts.append(f"≈ {wording.duration(left)} left")
    return Answer("info", wording.steps(run.step, run.final_step), ", ".join(parts) or "no phase seen yet")


def time_left(live: Live, now: float) -> float | None:
    """An estimate from the mean time of the steps so far, in coarse steps; None where there is too little to go by."""
    run = live.run
    if run.step is None or run.final_step is None or run.step < 2 or run.step >= run.final_step:
        return None
    if live.verdict.word is not VerdictWord.HEALTHY:
        return None
    began = _training_began(run.spans) or run.started_at
    seconds = (run.final_step - run.step) * (now - began) / run.step
    grain = 5.0 if seconds < 60 else 10.0 if seconds < 300 else 60.0
    return max(grain, round(seconds / grain) * grain)


def _training_began(spans: tuple[PhaseSpan, ...]) -> float | None:
    return next((item.began_at for item in spans if item.step == 1 and item.began_at), None)


def final_step(data: ScreenData) -> int | None:
    """The run's last step, from the live document or the ledger's row."""
    if data.live is not None:
        return data.live.run.final_step
    return data.row.total_steps if data.row else None


def trust(data: ScreenData) -> Answer:
    """Can the score be trusted?"""
    final = final_step(data)
    scores = data.own_scores
    finals = [score for score in scores if final is not None and score.step == final]
    valid = next((score for score in finals if score.standing == (Standing.VALID,)), None)
    if valid is not None:
        return Answer("ok", "valid", _valid(valid))
    under_way = next((row for row in data.reruns if not row.over), None)
    if under_way is not None:
        return Answer("info", "rerun", _rerun(under_way))
    if finals:
        best = finals[-1]
        words = ", ".join(word.value for word in best.standing) or "unproven"
        reason = best.reasons[0] if best.reasons else ""
        return Answer("warn", words, f"final score {wording.score(best.value)}: {reason}")
    newest = scores[-1] if scores else None
    known = f"newest is {wording.score(newest.value)} of step {newest.step}, not-final" if newest else "no score yet"
    row = data.row
    if row is not None and Standing.MISSING_FINAL in row.standing:
        return Answer("bad", "missing-final", f"no score of step {final}; {known}; r plans its rerun")
    return Answer("info", "not yet", f"{known}; final is step {'?' if final is None else final}")


def _valid(score: Score) -> str:
    provenance = score.provenance
    rows = f"{provenance.rows}/{provenance.rows_expected} samples" if provenance.rows else ""
    parts = [provenance.recipe_attested or "", rows, "by a rerun" if provenance.source == "rerun" else ""]
    details = ", ".join(part for part in parts if part)
    return f"{wording.score(score.value)} at step {score.step} (final){': ' if details else ''}{details}"


def _rerun(row: RerunRow) -> str:
    share = f"{row.done or 0}/{row.total} samples" if row.total else row.status
    return f"a rerun of step {row.step} is under way: {share}"
