"""The real `LedgerReader`: what the screens show, taken from the ledger's tables and the live document.

Opened read-only and used by one thread. Standings of runs that are not shown are judged anew only when something about
them changed. Names and sentences of the live document are cleaned here, once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.model.errors import LaststepError
from monitor.model.score import Score
from monitor.report.clean_text import clean
from monitor.tui.feed import OpenReader
from monitor.tui.live import Live, LiveUnreadable, parse
from monitor.tui.screen_data import RunRow, ScreenData

if TYPE_CHECKING:
    from monitor.ledger.rows import RunSummary
    from monitor.ledger.store import Ledger

RUNS_SHOWN = 200
"""Newest runs of the list; a longer one is for `laststep scores`."""


def ledger_opener(path: Path | str | None) -> OpenReader:
    """Opens the ledger at `path` (None: the user's own) each time it is called."""

    def open_reader() -> LedgerFileReader:
        from monitor.ledger.store import Ledger

        return LedgerFileReader(Ledger.open(Path(path) if path is not None else None, read_only=True))

    return open_reader


class LedgerFileReader:
    """Reads through one open ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rows: dict[str, tuple[object, RunRow]] = {}
        self._live: tuple[float | None, Live | None] = (None, None)

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def read(self, run: str | None, now: float) -> ScreenData:
        """See `LedgerReader`."""
        summaries = self._ledger.runs()[:RUNS_SHOWN]
        scores = tuple(self._ledger.scores())
        live, problem = self._read_live(run)
        name = live.run.name if live else (run or (summaries[0].name if summaries else None))
        return ScreenData(
            now=now,
            run=name,
            live=live,
            live_problem=problem,
            watch_alive=self._watched(name),
            runs=tuple(self._row(summary, scores, shown=summary.name == name) for summary in summaries),
            scores=scores,
            findings=tuple(self._ledger.findings(name)) if name else (),
            reruns=tuple(self._ledger.reruns(name)) if name else (),
        )

    def _read_live(self, run: str | None) -> tuple[Live | None, str]:
        document = self._ledger.live(run)
        if document is None:
            return None, ""
        if document.get("at") == self._live[0] and self._live[1] is not None:
            return self._live[1], ""
        try:
            live = parse(clean_tree(document))
        except LiveUnreadable as error:
            return None, f"{error} — {error.HELP_TEXT}"
        self._live = (live.at, live)
        return live, ""

    def _watched(self, run: str | None) -> bool:
        return self._ledger.watch_alive() is not None

    def _row(self, summary: RunSummary, scores: tuple[Score, ...], *, shown: bool) -> RunRow:
        own = tuple(score for score in scores if score.run == summary.name)
        state = (summary, len(own))
        known = self._rows.get(summary.name)
        if known is not None and known[0] == state and not shown:
            return known[1]
        row = self._judged(summary, own)
        self._rows[summary.name] = (state, row)
        return row

    def _judged(self, summary: RunSummary, scores: tuple[Score, ...]) -> RunRow:
        from monitor.ledger.standings import judge_run

        try:
            standing, reasons = judge_run(self._ledger.run(summary.name), scores)
        except LaststepError as error:
            standing, reasons = (), (str(error),)
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
        )


def clean_tree(value: Any) -> Any:
    """A JSON document with every string in it safe for the screen."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: clean_tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_tree(item) for item in value]
    return value
