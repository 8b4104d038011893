"""The run's console log as facts: tails the file, gives each thing once, and keeps an earlier attempt apart.

Ray keeps a worker's stdout and stderr in two files (`….out`, `….err`): both are read, as one console.

Lines have no times: a fact's `at` is the file's last change, as the latest moment it can have happened. Where the log
holds an earlier attempt (appended to by a restart), only what stands after the last printed configuration is told.
"""

from __future__ import annotations

from pathlib import Path

from monitor.model.fact import Evidence, Fact, FactKind
from monitor.sources.console_lines import ConsoleLines
from monitor.sources.console_validations import SOURCE
from monitor.sources.console_writers import OwnRun
from monitor.sources.log_tail import LogTail
from monitor.sources.trainer_profile import TrainerProfile

MOST_READINGS = 64
"""Readings of `READ_AT_ONCE` bytes in the first poll: a log is caught up with up to 1 GiB before anything is told."""


class ConsoleSource:
    """Poller of a console log. `own`: what is known of the run, where other runs may write into the same log."""

    def __init__(
        self, path: Path, profile: TrainerProfile, base: Path | None = None, own: OwnRun | None = None
    ) -> None:
        self._path = path
        self._tail = LogTail(path)
        errors = path.with_suffix(".err")
        self._errors = LogTail(errors) if path.suffix == ".out" and errors.is_file() else None
        self._lines = ConsoleLines(profile, str(path), base, own)
        self._caught_up = False

    @property
    def printed_config(self) -> dict[str, object] | None:
        """The configuration as printed, None until it was."""
        return self._lines.printed_config

    def poll(self, now: float) -> list[Fact]:
        """Facts of the lines written since the last call. Raises `LogGone`."""
        facts: list[Fact] = []
        for _ in range(1 if self._caught_up else MOST_READINGS):
            facts = self._read(facts, now)
            if not self._tail.behind:
                self._caught_up = True
                break
        return facts + self._read_errors(now)

    def _read_errors(self, now: float) -> list[Fact]:
        """What stands in the file of stderr; how it lies among the lines of stdout can't be told."""
        if self._errors is None:
            return []
        facts: list[Fact] = []
        errors = self._errors
        with self._lines.reading(str(self._path.with_suffix(".err"))):
            for line in errors.lines():
                facts += self._lines.read(line, min(now, errors.modified_at or now))
        return facts

    def close(self) -> None:
        """Let go of the files."""
        self._tail.close()
        if self._errors is not None:
            self._errors.close()

    def _read(self, facts: list[Fact], now: float) -> list[Fact]:
        lines = self._tail.lines()
        at = min(now, self._tail.modified_at or now)
        facts = facts + self._restarts(now)
        for line in lines:
            attempts = self._lines.attempts
            new = self._lines.read(line, at)
            if attempts and self._lines.attempts > attempts:
                words = f"the log holds an earlier attempt, above line {line.number}"
                evidence = Evidence(words, str(self._path), line.number, at)
                told = [Fact(FactKind.NOTICE, SOURCE, at, data={"text": words}, evidence=evidence)]
                facts = told if not self._caught_up else facts + told
            facts = facts + new
        return facts

    def _restarts(self, now: float) -> list[Fact]:
        restarts, self._tail.restarts = self._tail.restarts, []
        words = {"rotated": "the console log was rotated", "truncated": "the console log was truncated"}
        return [
            Fact(
                FactKind.NOTICE,
                SOURCE,
                now,
                data={"text": words[how]},
                evidence=Evidence(words[how], str(self._path), None, now),
            )
            for how in restarts
        ]
