"""The ledger as its users see it: one object, one method a question. What the methods do is in the tables' modules.

Every write is one transaction with keys of its own: killed at any moment, and begun anew, nothing is lost and nothing
doubled. Readers (`read_only=True`) take no lock that a writer waits for, and see an empty ledger where none was begun.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from monitor.ledger import claims, records, reruns, runs
from monitor.ledger.database import Database, Say, say_on_stderr
from monitor.ledger.errors import LedgerError, WatchUnderWay
from monitor.ledger.rows import FindingRow, Holder, ManifestRow, RerunRow, RunSummary
from monitor.model.finding import Finding
from monitor.model.run import PhaseSpan, RunState
from monitor.model.score import Score

__all__ = ["FindingRow", "Holder", "Ledger", "ManifestRow", "RerunRow", "RunSummary"]

REMEMBERED = 5000
"""Scores, and runs, that a reader keeps in memory: a screen asks for the same ones each second."""


class Ledger:
    """The ledger. Methods raise `LedgerError` and its kin; may be used from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._saved_spans: dict[tuple[str, int, str, int], PhaseSpan] = {}
        self._saved_generation = -1
        self._saved_runs: dict[str, runs.SavedRun] = {}
        self._scores_read: dict[int, Score] = {}
        self._scores_generation = -1
        self._states_read: dict[str, tuple[str, RunState]] = {}

    @classmethod
    def open(cls, path: Path | None = None, *, read_only: bool = False, say: Say = say_on_stderr) -> Ledger:
        """The ledger at `path`, by default the state directory's; begun where there is none, unless `read_only`.

        A damaged file is set aside, `say` says so, and a new one is begun. What a newer laststep wrote is only read.
        """
        if path is None:
            from monitor.paths import ledger_path

            path = ledger_path()
        ledger = cls(Database(Path(path), read_only=read_only, say=say))
        ledger._database.open()
        return ledger

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self._database.path

    @property
    def writable(self) -> bool:
        """False where it is only read: asked for, or written by a newer laststep."""
        return self._database.writable

    @property
    def notices(self) -> tuple[str, ...]:
        """What was said since it was opened: a damaged file set aside, a newer version."""
        return tuple(self._database.notices)

    @property
    def generation(self) -> int:
        """Changes whenever another file is opened in the ledger's place: what was kept in the last one isn't in it."""
        return self._database.generation

    def _runs_read(self) -> dict[str, tuple[str, RunState]]:
        """Runs that were read before, with the document they were read from."""
        if len(self._states_read) > REMEMBERED:
            self._states_read.clear()
        return self._states_read

    def _records_read(self) -> dict[int, Score]:
        """Scores of this file that were read before, by their record; to be asked for inside a reading."""
        if self._scores_generation != self._database.generation or len(self._scores_read) > REMEMBERED:
            self._scores_read.clear()
            self._scores_generation = self._database.generation
        return self._scores_read

    # Runs and their phases

    def save_run(self, state: RunState) -> None:
        """Keep what is known of a run, joined with what was known before."""
        with self._database.write() as connection:
            saved = runs.save_run(connection, state, self._saved_runs.get(state.name))
        self._saved_runs = {state.name: saved}

    def run(self, prefix: str) -> RunState:
        """The run of this name or unique prefix. Raises `NoSuchRun`, `AmbiguousRun`."""
        with self._database.read() as connection:
            return runs.run(connection, prefix)

    def runs(self, limit: int | None = None, offset: int = 0) -> list[RunSummary]:
        """Every run, newest first; or `limit` of them after the first `offset`."""
        with self._database.read() as connection:
            return runs.runs(connection, self._runs_read(), limit, offset)

    def runs_with_scores(self, names: Sequence[str]) -> list[tuple[RunState, list[Score]]]:
        """These runs, by their whole names, each with its scores, all of one moment; unknown names are left out."""
        with self._database.read() as connection:
            known = runs.states(connection, names, self._runs_read())
            own: dict[str, list[Score]] = {name: [] for name in known}
            for score in records.scores(connection, list(known), self._records_read()):
                own[score.run].append(score)
            return [(state, own[name]) for name, state in known.items()]

    def save_spans(self, run: str, spans: Iterable[PhaseSpan]) -> None:
        """Keep phases; those that were saved as they are cost nothing."""
        if self._saved_generation != self._database.generation:
            self._saved_spans.clear()
        keyed = {(run, span.step, span.phase, span.occurrence): span for span in spans}
        new = {key: span for key, span in keyed.items() if self._saved_spans.get(key) != span}
        if not new:
            return
        with self._database.write() as connection:
            runs.save_spans(connection, run, new.values())
        self._saved_spans = keyed
        self._saved_generation = self._database.generation

    def spans(self, run: str) -> list[PhaseSpan]:
        """Every phase of a run, oldest first."""
        with self._database.read() as connection:
            return runs.spans(connection, run)

    def phase_history(self, run: RunState) -> dict[str, list[float]]:
        """Seconds of every phase in earlier runs that compare with `run`; its own are not among them."""
        with self._database.read() as connection:
            return runs.phase_history(connection, run)

    # Scores, findings, checkpoints

    def add_score(self, score: Score) -> bool:
        """Keep a score; False where that of the same run, step, metric, source and rerun is kept already."""
        with self._database.write() as connection:
            return records.add_score(connection, score)

    def correct_score(self, score: Score, why: str) -> Score | None:
        """Keep a new record over the last one of the same key, which stays; None where that one says the same."""
        with self._database.write() as connection:
            return records.correct_score(connection, score, why)

    def scores(self, run: str | None = None) -> list[Score]:
        """What holds now: the last record of each score of one run, or of all, by step."""
        return self.scores_of(None if run is None else [run])

    def scores_of(self, names: Sequence[str] | None) -> list[Score]:
        """The same of several runs, by run and step."""
        with self._database.read() as connection:
            return records.scores(connection, names, self._records_read())

    def score_history(self, run: str | None = None) -> list[Score]:
        """Every record ever kept, corrected ones too, by step, metric, and then as they came."""
        with self._database.read() as connection:
            return records.score_history(connection, None if run is None else [run])

    def save_finding(self, run: str, finding: Finding, bundle: str | None, at: float) -> bool:
        """Keep a finding once while it stands; True where it is new."""
        with self._database.write() as connection:
            return records.save_finding(connection, run, finding, bundle, at)

    def withdraw_finding(self, run: str, finding: Finding, at: float) -> bool:
        """The run moved again; False where the finding did not stand."""
        with self._database.write() as connection:
            return records.withdraw_finding(connection, run, finding, at)

    def withdraw_older_findings(self, run: str, moved_at: float, at: float) -> int:
        """Withdraw what was found before the run's last progress: for a watch that begins anew. How many."""
        with self._database.write() as connection:
            return records.withdraw_older(connection, run, moved_at, at)

    def findings(self, run: str) -> list[FindingRow]:
        """Every finding of a run, oldest first, withdrawn ones too."""
        with self._database.read() as connection:
            return records.findings(connection, run)

    def save_checkpoint_manifest(
        self, run: str, step: int, manifest: Mapping[str, Sequence[Any]], fingerprint: str | None = None
    ) -> bool:
        """Keep how a checkpoint lay on disk when it was complete; the first record stands."""
        with self._database.write() as connection:
            return records.save_manifest(connection, run, step, manifest, fingerprint, time.time())

    def checkpoint_manifest(self, run: str, step: int) -> ManifestRow | None:
        """What was recorded of a checkpoint, None where nothing was."""
        with self._database.read() as connection:
            return records.manifest(connection, run, step)

    # The live document

    def write_live(self, run: str, document: Mapping[str, Any]) -> None:
        """The run's live document (needs `at`), in place of the last one."""
        with self._database.write(durable=False) as connection:
            records.write_live(connection, run, document)

    def live(self, run: str | None = None) -> dict[str, Any] | None:
        """The live document of `run`, or of the run written last; None where there is none."""
        with self._database.read() as connection:
            return records.live(connection, run)

    def live_rows(self) -> list[dict[str, Any]]:
        """The live documents of the newest runs, the one written last first."""
        with self._database.read() as connection:
            return records.live_rows(connection)

    # Claims and reruns

    @contextlib.contextmanager
    def claim_watch(self, run: str) -> Iterator[None]:
        """Hold the watch of `run` while inside. Raises `WatchUnderWay` where another process that lives holds it."""
        with self._database.write() as connection:
            other = claims.take(connection, claims.WATCH + run, os.getpid(), time.time())
        if other is not None:
            raise WatchUnderWay(f"{run} is being watched already, by pid {other.pid}")
        try:
            yield
        finally:
            # A claim that can't be given back (full disk) dies with its process.
            with contextlib.suppress(LedgerError), self._database.write() as connection:
                claims.release(connection, claims.WATCH + run, os.getpid())

    def watch_holder(self, run: str) -> Holder | None:
        """The live process that watches `run`, None where none does."""
        with self._database.read() as connection:
            return claims.held_by(connection, claims.WATCH + run)

    def watch_alive(self, run: str | None = None) -> bool:
        """True where a live process watches `run`, or any run."""
        with self._database.read() as connection:
            named = claims.names(connection) if run is None else [claims.WATCH + run]
            return any(claims.held_by(connection, name) for name in named if name.startswith(claims.WATCH))

    def claim_rerun(self, run: str, step: int, recipe: str, pid: int, start: float | None = None) -> str:
        """The id of a new rerun, its lock taken for `pid`. Raises `RerunUnderWay`; a dead holder is taken over."""
        with self._database.write() as connection:
            return reruns.claim(connection, run, step, recipe, pid, start, time.time())

    def update_rerun(self, identity: str, **changes: Any) -> None:
        """Change `status`, `directory`, `done`, `total`, `error`. An end is final. Raises `NoSuchRerun`."""
        with self._database.write() as connection:
            reruns.update(connection, identity, time.time(), **changes)

    def rerun(self, identity: str) -> RerunRow:
        """One rerun. Raises `NoSuchRerun`."""
        with self._database.read() as connection:
            return reruns.rerun(connection, identity)

    def reruns(self, run: str | None = None) -> list[RerunRow]:
        """Reruns of one run, or of all, oldest first."""
        with self._database.read() as connection:
            return reruns.reruns(connection, run)
