"""All that the screens show, read from the ledger at one moment: one frozen value from thread to screen.

Covers the shapes only; reading is `ledger_reader.py`, drawing is `screens/`. Text in it is already clean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from monitor.ledger.rows import FindingRow, RerunRow
from monitor.model.finding import Finding
from monitor.model.other_host import OtherHost
from monitor.model.score import Score, Standing
from monitor.tui.live import Live
from monitor.tui.log_search import LogPage


@dataclass(frozen=True)
class RunRow:
    """A run as the ledger knows it, with its own standing."""

    name: str
    started_at: float
    trainer: str = "unknown"
    step: int | None = None
    total_steps: int | None = None
    ended_at: float | None = None
    ended_how: str | None = None
    standing: tuple[Standing, ...] = ()
    reasons: tuple[str, ...] = ()
    host: str | None = None
    """Name of the driver's machine; None: not known."""
    hung_since: float | None = None
    """When a proved finding that still stands was found."""


@dataclass(frozen=True)
class ScreenData:
    """One reading of the ledger."""

    now: float
    """Wall clock of the reading, in steps where nothing moves; every age on the screen counts from it."""
    run: str | None = None
    """The run that is shown; None where the ledger has none."""
    live: Live | None = None
    live_problem: str = ""
    """Why there is no live document where one was expected."""
    watch_alive: bool | None = None
    """Whether a watch process holds its claim; None: not known."""
    runs: tuple[RunRow, ...] = ()
    """Newest first."""
    scores: tuple[Score, ...] = ()
    """Of all runs."""
    findings: tuple[FindingRow, ...] = ()
    """Of the run that is shown, newest first."""
    reruns: tuple[RerunRow, ...] = ()
    """Of the run that is shown, newest first."""
    ledger_problem: str = ""
    """Why the ledger can't be read now; the rest is then of the last reading that worked."""
    notices: tuple[str, ...] = ()
    """What the ledger said when it was opened: a damaged file set aside, a newer version."""
    log: LogPage | None = None
    """The page of the log that the Log screen asked for."""
    others: tuple[OtherHost, ...] = ()
    """Other machines that are asked for their live runs."""

    @property
    def row(self) -> RunRow | None:
        """The ledger's row of the run that is shown."""
        return next((row for row in self.runs if row.name == self.run), None)

    @cached_property
    def own_scores(self) -> tuple[Score, ...]:
        """Scores of the run that is shown, by step."""
        return tuple(sorted((score for score in self.scores if score.run == self.run), key=lambda score: score.step))

    def found_at(self, finding: Finding) -> float | None:
        """When this finding, that still stands, was found; None where the ledger does not hold it yet."""
        standing = (row for row in self.findings if row.withdrawn_at is None)
        return next((row.found_at for row in standing if row.finding.identity == finding.identity), None)

    @property
    def moved_at(self) -> float:
        """When anything moved last, as far as is known: the run's progress, its phase, its end, a rerun."""
        times = [row.ended_at or row.started_at for row in self.reruns[:1]]
        if self.live is not None:
            run = self.live.run
            times += [run.phase_since or 0.0, run.ended_at or 0.0, run.progress.last_moved_at if run.progress else 0.0]
        return max(times, default=0.0)

    @property
    def findings_now(self) -> tuple[Finding, ...]:
        """What holds now, as the watch says."""
        return self.live.verdict.findings if self.live else ()
