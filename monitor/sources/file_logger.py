"""The trainer's metrics file (`{"step": N, "data": {…}}` a line) as facts.

The trainer opens it anew at each start: what it held before the run began is another attempt's, and so is what is
written after an erasure when its steps begin again, if this run was seen to write the file before. Neither is told as
this run's, and the erasure is said.
"""

from __future__ import annotations

import json
from pathlib import Path

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.sources.log_tail import LogLine, LogTail
from monitor.sources.step_metrics import number, step_facts
from monitor.sources.trainer_profile import TrainerProfile

SOURCE = "file_logger"


class FileLoggerSource:
    """Poller of a file logger's file. `not_before`: when the run began; an older file is left alone."""

    def __init__(self, path: Path, profile: TrainerProfile, not_before: float = 0.0) -> None:
        self._path = path
        self._profile = profile
        self._not_before = not_before
        self._tail = LogTail(path)
        self._told: set[int] = set()
        self._readings = 0
        self._grew = False
        """Seen to grow while it was watched: then it is this run that writes it."""
        self._other_attempt = False
        self._checking = False

    def poll(self, now: float) -> list[Fact]:
        """Facts of the lines written since the last call."""
        try:
            if self._path.stat().st_mtime < self._not_before:
                return []
        except OSError:
            if not self._told:
                return []
        lines = self._tail.lines()
        facts = self._restarts(now)
        self._grew = self._grew or (bool(lines) and self._readings > 0)
        self._readings += 1
        at = min(now, self._tail.modified_at or now)
        for line in lines:
            facts += self._line(line, at)
        return facts

    def _restarts(self, now: float) -> list[Fact]:
        restarts, self._tail.restarts = self._tail.restarts, []
        if not restarts or not self._told:
            return []
        if not self._grew:
            # Nothing was added since it was first read: an earlier attempt's, erased when this run began.
            self._told.clear()
            return []
        self._checking = True
        words = (
            f"the file log was erased and begun anew: its steps up to {max(self._told)} stand only in the ledger "
            "(a restart under the same experiment name erases it)"
        )
        evidence = Evidence(words, str(self._path), None, now)
        return [Fact(FactKind.NOTICE, SOURCE, now, data={"text": words}, evidence=evidence)]

    def _line(self, line: LogLine, at: float) -> list[Fact]:
        try:
            record = json.loads(line.text)
            step, data = int(record["step"]), record["data"]
            metrics = {str(name): found for name, value in data.items() if (found := number(value)) is not None}
        except (ValueError, KeyError, TypeError, AttributeError):
            return []
        if self._checking:
            self._other_attempt = step <= max(self._told)
            self._checking = False
        if self._other_attempt or step in self._told:
            return []
        self._told.add(step)
        evidence = Evidence(f"metrics of step {step}", str(self._path), line.number, at)
        return step_facts(step, metrics, self._profile, SOURCE, at, evidence)
