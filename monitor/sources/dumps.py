"""Validation dumps, `{step}.jsonl` with one sample a line: the best proof that a validation ran, and how far.

Rows are counted as they are written, once each. A dump older than the run is another attempt's and is left alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.sources.log_tail import LogTail
from monitor.sources.step_metrics import number

SOURCE = "dump"


@dataclass
class _Dump:
    tail: LogTail
    rows: int = 0
    bad_rows: int = 0
    scored: int = 0
    score_sum: float = 0.0

    @property
    def mean_score(self) -> float | None:
        return self.score_sum / self.scored if self.scored else None


class DumpSource:
    """Poller of a validation dump folder. `not_before`: when the run began."""

    def __init__(self, directory: Path, not_before: float = 0.0) -> None:
        self._directory = directory
        self._not_before = not_before
        self._dumps: dict[int, _Dump] = {}

    def poll(self, now: float) -> list[Fact]:
        """One fact for each dump whose rows changed since the last call."""
        facts = []
        for step, path, modified_at in self._files():
            dump = self._dumps.setdefault(step, _Dump(LogTail(path)))
            before = (dump.rows, dump.bad_rows)
            self._count(dump)
            if (dump.rows, dump.bad_rows) != before:
                facts.append(self._fact(step, path, dump, min(now, modified_at)))
        return facts

    def _files(self) -> list[tuple[int, Path, float]]:
        found = []
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    stem, ending = os.path.splitext(entry.name)
                    if ending == ".jsonl" and stem.isdigit() and entry.is_file():
                        modified_at = entry.stat().st_mtime
                        if modified_at >= self._not_before:
                            found.append((int(stem), Path(entry.path), modified_at))
        except FileNotFoundError:
            return []
        return sorted(found)

    def _count(self, dump: _Dump) -> None:
        while True:
            lines = dump.tail.lines()
            if dump.tail.restarts:
                dump.tail.restarts = []
                dump.rows = dump.bad_rows = dump.scored = 0
                dump.score_sum = 0.0
            for line in lines:
                self._row(dump, line.text, line.cut)
            if not dump.tail.behind:
                return

    def _row(self, dump: _Dump, text: str, cut: bool) -> None:
        if cut:
            # A row longer than a line may be: it is there, its score isn't known.
            dump.rows += 1
            return
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            dump.bad_rows += 1
            return
        dump.rows += 1
        score = number(row.get("score"))
        if score is not None:
            dump.scored += 1
            dump.score_sum += score

    def _fact(self, step: int, path: Path, dump: _Dump, at: float) -> Fact:
        data = {"path": str(path), "rows": dump.rows, "mean_score": dump.mean_score, "bad_rows": dump.bad_rows}
        what = f"{dump.rows} rows" + (f", {dump.bad_rows} unreadable" if dump.bad_rows else "")
        return Fact(FactKind.DUMP, SOURCE, at, step, None, data, Evidence(what, str(path), dump.rows, at))
