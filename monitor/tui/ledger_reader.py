"""The real `LedgerReader`: what the screens show, taken from the ledger's tables and the live document.

Opened read-only and used by one thread. The live document is read at each call; the list of runs and scores when the
run that is shown takes a turn, and every few seconds. Standings of runs that are not shown are judged anew only when
something about them changed. Names and sentences of the live document are cleaned here, once.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.model.score import Score
from monitor.report.clean_text import clean
from monitor.tui.feed import OpenReader
from monitor.tui.live import Live, LiveUnreadable, parse
from monitor.tui.screen_data import RunRow, ScreenData

if TYPE_CHECKING:
    from monitor.ledger.rows import RerunRow, RunSummary
    from monitor.ledger.store import Ledger
    from monitor.model.run import RunState

ANEW_SECONDS = 5.0
"""The ledger is read at least this often: what its rows say depends also on whether processes live."""

LIST_SECONDS = 5.0
"""The list of runs and scores is read at least this often, and at once where the run that is shown takes a turn: the
ledger changes every second beside a live run, the list hardly ever."""

RUNS_SHOWN = 200
"""Newest runs of the list; a longer one is for `laststep scores`."""


def ledger_opener(path: Path | str | None) -> OpenReader:
    """Opens the ledger at `path` (None: the user's own) each time it is called."""

    def open_reader() -> LedgerFileReader:
        from monitor.ledger.store import Ledger

        return LedgerFileReader(Ledger.open(Path(path) if path is not None else None, read_only=True, say=unsaid))

    return open_reader


def file_state(path: Path) -> tuple[tuple[int, int, int], ...]:
    """Identity, size and time of the ledger's file and of its write-ahead log: equal while nothing was written."""
    state = []
    for name in (path, path.with_name(path.name + "-wal")):
        try:
            found = os.stat(name)
            state.append((found.st_ino, found.st_size, found.st_mtime_ns))
        except FileNotFoundError:
            state.append((0, 0, 0))
    return tuple(state)


def unsaid(sentence: str) -> None:
    """Nothing is printed under a dashboard: what a ledger says is in its `notices`, which the Run screen shows."""
    del sentence


class LedgerFileReader:
    """Reads through one open ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rows: dict[str, RunRow] = {}
        self._told: dict[str, tuple[RunSummary, tuple[Score, ...]]] = {}
        self._live: tuple[dict[str, Any], dict[str, Any], Live] | None = None
        self._listed: tuple[RunRow, ...] = ()
        self._scores: tuple[Score, ...] = ()
        self._situation: object = None
        self._listed_at = 0.0
        self._last: ScreenData | None = None
        self._last_state: object = None
        self._read_at = 0.0

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def read(self, run: str | None, now: float) -> ScreenData:
        """See `LedgerReader`. Where no byte of the ledger's files changed, the last reading stands for some seconds."""
        state = (run, file_state(self._ledger.path))
        if self._last is not None and state == self._last_state and 0 <= now - self._read_at < ANEW_SECONDS:
            return replace(self._last, now=now)
        self._last, self._last_state, self._read_at = self._read_all(run, now), state, now
        return self._last

    def _read_all(self, run: str | None, now: float) -> ScreenData:
        live, problem = self._read_live(run)
        name = live.run.name if live else (run or next((row.name for row in self._ledger.runs(limit=1)), None))
        findings = tuple(reversed(self._ledger.findings(name))) if name else ()
        reruns = tuple(with_its_end(row) for row in reversed(self._ledger.reruns(name))) if name else ()
        situation = (name, _turns(live), findings, reruns, self._ledger.generation)
        if situation != self._situation or not 0 <= now - self._listed_at < LIST_SECONDS:
            self._read_list(name)
            self._situation, self._listed_at = situation, now
        return ScreenData(
            now=now,
            run=name,
            live=live,
            live_problem=problem,
            watch_alive=self._ledger.watch_alive(name) if name else None,
            runs=self._listed,
            scores=self._scores,
            findings=findings,
            reruns=reruns,
            notices=tuple(clean(notice) for notice in self._ledger.notices),
        )

    def _read_list(self, name: str | None) -> None:
        """Every run with its standing, and every score."""
        summaries = self._ledger.runs(limit=RUNS_SHOWN)
        names = dict.fromkeys([*(summary.name for summary in summaries), *([name] if name else [])])
        self._scores = tuple(self._ledger.scores_of(list(names)))
        self._listed = self._judged_rows(summaries, self._scores, name)

    def _read_live(self, run: str | None) -> tuple[Live | None, str]:
        document = self._ledger.live(run)
        if document is None:
            return None, ""
        before, cleaned_before, last = self._live or (None, None, None)
        if document == before:
            return last, ""
        cleaned = clean_tree(document, before, cleaned_before)
        try:
            live = parse(cleaned, (cleaned_before, last) if cleaned_before and last else None)
        except LiveUnreadable as error:
            return None, f"{error} — {error.HELP_TEXT}"
        self._live = (document, cleaned, live)
        return live, ""

    def _judged_rows(
        self, summaries: list[RunSummary], scores: tuple[Score, ...], shown: str | None
    ) -> tuple[RunRow, ...]:
        """A row a run; judged anew are the run that is shown and those about which something changed."""
        own: dict[str, list[Score]] = {summary.name: [] for summary in summaries}
        for score in scores:
            if score.run in own:
                own[score.run].append(score)
        told = {summary.name: (summary, tuple(own[summary.name])) for summary in summaries}
        anew = [name for name, state in told.items() if name == shown or self._told.get(name) != state]
        states = {state.name: state for state, _ in self._ledger.runs_with_scores(anew)}
        for name in anew:
            self._rows[name] = _judged(told[name][0], states.get(name), told[name][1])
        self._told = told
        return tuple(self._rows[summary.name] for summary in summaries)


def _judged(summary: RunSummary, state: RunState | None, scores: tuple[Score, ...]) -> RunRow:
    from monitor.ledger.standings import judge_run

    unread: tuple[str, ...] = (f"the record of {summary.name} can't be read by this version",)
    standing, reasons = judge_run(state, scores) if state is not None else ((), unread)
    return RunRow(
        summary.name,
        summary.started_at,
        summary.trainer,
        summary.step,
        summary.total_steps,
        summary.ended_at,
        summary.ended_how,
        tuple(standing),
        tuple(clean(reason) for reason in reasons),
        clean(state.config.host) if state is not None and state.config.host else None,
        summary.hung_since,
    )


def _turns(live: Live | None) -> object:
    """What of a live run changes when it takes a turn: a step, a phase, a validation's end, a verdict, its end."""
    if live is None:
        return None
    run = live.run
    validations = tuple((item.step, item.ended_at, item.scored_at, item.attested_at) for item in run.validations)
    return live.verdict.word, run.step, run.phase, validations, run.ended_at, run.ended_how, run.hung_since


def with_its_end(row: RerunRow) -> RerunRow:
    """A rerun as it is: one whose process is gone has failed, whether or not its row says so yet."""
    from monitor.ledger.process_identity import alive

    if row.over or alive(row.pid, row.start_ticks):
        return row
    return replace(row, status="failed", error=row.error or f"its process (pid {row.pid}) is gone and left no word")


def clean_tree(value: Any, before: Any = None, cleaned: Any = None) -> Any:
    """A JSON document with every string in it safe for the screen.

    `before` and `cleaned`: the document before it, and what became of that; what did not change is not cleaned again.
    """
    if value == before and type(value) is type(before):
        return cleaned
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        known = before if isinstance(before, dict) else {}
        return {
            key: clean_tree(item, known.get(key), cleaned[key] if key in known else None) for key, item in value.items()
        }
    if isinstance(value, list):
        count = min(len(before), len(value)) if isinstance(before, list) else 0
        same_places = map(clean_tree, value[:count], before[:count], cleaned[:count]) if count else ()
        return [*same_places, *map(clean_tree, value[count:])]
    return value
