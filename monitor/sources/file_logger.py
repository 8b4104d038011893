"""The trainer's metrics file (`{"step": N, "data": {…}}` a line) as facts.

The trainer opens it anew at each start: what it held before the run began is another attempt's, and so is what is
written after an erasure when its steps begin again, if this run was seen to write the file before. Neither is told as
this run's, and the erasure is said. A file in which steps go back without an erasure was added to by another attempt:
of what is found at first, the last attempt is told; what begins again later is another run's, with all that follows.
"""

from __future__ import annotations

import json
from pathlib import Path

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.sources.console_writers import contradicts
from monitor.sources.log_tail import LogLine, LogTail
from monitor.sources.step_metrics import number, step_facts
from monitor.sources.step_sequence import Place, StepSequence
from monitor.sources.step_set import StepSet
from monitor.sources.trainer_profile import TrainerProfile

SOURCE = "file_logger"
MOST_COMPARED = 64
"""Steps of which the metrics are kept, to tell a step that is logged in parts from another run's."""


class FileLoggerSource:
    """Poller of a file logger's file. `not_before`: when the run began; an older file is left alone."""

    def __init__(self, path: Path, profile: TrainerProfile, not_before: float = 0.0) -> None:
        self._path = path
        self._profile = profile
        self._not_before = not_before
        self._tail = LogTail(path)
        self._told = StepSet()
        self._metrics: dict[int, dict[str, float]] = {}
        self._sequence = StepSequence()
        self._readings = 0
        self._grew = False
        """Seen to grow while it was watched: then it is this run that writes it."""
        self._other_attempt = False
        self._began_again = False
        """The line read last begins another attempt, which is this run's."""
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
            self._began_again = False
            found = self._line(line, at)
            # Of several attempts in a file that is read for the first time, the last one is this run's.
            facts = found if self._began_again else facts + found
        return facts

    def _restarts(self, now: float) -> list[Fact]:
        restarts, self._tail.restarts = self._tail.restarts, []
        if not restarts or not self._told:
            return []
        if not self._grew:
            # Nothing was added since it was first read: an earlier attempt's, erased when this run began.
            self._told.clear()
            self._metrics.clear()
            self._sequence = StepSequence()
            return []
        self._checking = True
        words = (
            f"the file log was erased and begun anew: its steps up to {self._told.highest()} stand only in the ledger "
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
        evidence = Evidence(f"metrics of step {step}", str(self._path), line.number, at)
        if self._checking:
            highest = self._told.highest()
            self._other_attempt = highest is not None and step <= highest
            self._checking = False
        if self._other_attempt:
            return []
        if step in self._told and not contradicts(self._metrics.get(step, {}), metrics):
            return []
        place = self._sequence.take(step)
        if place is not Place.ON:
            return self._another_attempt(place, step, at, evidence) + self._tell(step, metrics, at, evidence)
        return self._tell(step, metrics, at, evidence)

    def _tell(self, step: int, metrics: dict[str, float], at: float, evidence: Evidence) -> list[Fact]:
        if self._other_attempt or step in self._told:
            return []
        self._told.add(step)
        self._metrics[step] = metrics
        if len(self._metrics) > MOST_COMPARED:
            del self._metrics[next(iter(self._metrics))]
        return step_facts(step, metrics, self._profile, SOURCE, at, evidence)

    def _another_attempt(self, place: Place, step: int, at: float, evidence: Evidence) -> list[Fact]:
        """Steps begin again in the file, though nothing erased it."""
        newest = self._told.highest() or 0
        self._began_again = self._readings <= 1
        if place is Place.BETWEEN:
            self._other_attempt = True
            words = f"two runs write into the file log between each other (step {step} after {newest}): none is told"
        elif self._began_again:
            self._told.clear()
            self._metrics.clear()
            words = f"the file log holds an earlier attempt, up to step {newest}, above line {evidence.line}"
        else:
            self._other_attempt = True
            words = (
                f"the file log begins again with step {step} after step {newest}: another run writes it, and nothing "
                "that it holds from there on is told as this run's"
            )
        return [Fact(FactKind.NOTICE, SOURCE, at, data={"text": words}, evidence=evidence)]
