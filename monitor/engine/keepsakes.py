"""What a run leaves in the ledger beside its live row: itself, its phases, checkpoint manifests, and its scores.

Covers when each is kept. A score is kept only once its validation is settled, since scores never change in place: the
trainer has gone on to something else, or the run has ended. What is learned of it later is a new record. Hashing
checkpoints goes on in a thread of its own, so a slow disk never holds up the watch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from monitor.ledger.corrections import why_corrected
from monitor.ledger.provenance import scores_of
from monitor.ledger.store import Ledger
from monitor.model.errors import LaststepError
from monitor.model.fact import Fact, FactKind
from monitor.model.finding import Finding, Verdict
from monitor.model.run import Checkpoint, RunState, Validation
from monitor.model.score import Score
from monitor.sources import checkpoints

T = TypeVar("T")

SETTLE_SECONDS = 5.0
"""A validation that ended is settled after so long: its dump, metrics and attestation have been written by then."""


def attempt(call: Callable[[], T]) -> T | None:
    """The call's value, or None where it fails in a way a person can mend; the caller goes on without it."""
    try:
        return call()
    except (LaststepError, OSError):
        return None


class Keepsakes:
    """Keeps one run's facts that outlive it."""

    def __init__(self, ledger: Ledger, hash_limit_bytes: int) -> None:
        self._ledger = ledger
        self._hash_limit = hash_limit_bytes
        self._attestations: dict[int, dict[str, Any]] = {}
        self._kept_scores: dict[tuple[int, str], Score] = {}
        self._saved: RunState | None = None
        self._history: dict[str, list[float]] | None = None
        self._manifests: dict[int, dict[str, list[object]]] = {}
        self._hashing: set[int] = set()
        self._lock = threading.Lock()
        self._generation = ledger.generation
        self._kept_findings: dict[str, Finding] = {}

    def history(self, state: RunState) -> dict[str, list[float]]:
        """Seconds of every phase, from this run and from earlier runs of the same trainer in the ledger."""
        if self._history is None:
            self._history = attempt(lambda: self._ledger.phase_history(state)) or {}
        merged = {phase: list(seconds) for phase, seconds in self._history.items()}
        for span in state.spans:
            if span.seconds is not None:
                merged.setdefault(span.phase, []).append(span.seconds)
        return merged

    def keep(self, state: RunState, facts: Iterable[Fact], now: float) -> None:
        """Store what is new. Raises the ledger's errors: the caller tries again at the next tick."""
        for fact in facts:
            if fact.kind is FactKind.ATTESTED and fact.step is not None:
                self._keep_attestation(fact.step, fact.data)
        self._forget_what_another_file_holds()
        if state != self._saved:
            self._ledger.save_run(state)
            self._ledger.save_spans(state.name, state.spans)
            self._saved = state
        self._keep_manifests(state)
        self._keep_scores(state, now)

    def keep_findings(self, run: str, verdict: Verdict, bundle: str | None, now: float) -> None:
        """Store the proved findings that hold, withdraw those that no longer do. Raises the ledger's errors.

        What a full disk or a lock kept from being stored is stored at a later tick.
        """
        standing = {finding.identity: finding for finding in verdict.findings if finding.proved}
        for identity, finding in list(self._kept_findings.items()):
            if identity not in standing:
                self._ledger.withdraw_finding(run, finding, now)
                del self._kept_findings[identity]
        for identity, finding in standing.items():
            if self._kept_findings.get(identity) != finding:
                self._ledger.save_finding(run, finding, bundle, now)
                self._kept_findings[identity] = finding

    def _forget_what_another_file_holds(self) -> None:
        """A ledger that was set aside or replaced has nothing of this run: all is kept again."""
        if self._generation != self._ledger.generation:
            self._generation = self._ledger.generation
            self._kept_scores.clear()
            self._hashing.clear()
            self._kept_findings.clear()
            self._saved = None

    def _keep_attestation(self, step: int, attestation: dict[str, Any]) -> None:
        """The engine's own document counts, whole and unchanged; a console line's counts only where there is none."""
        if "sha256" in attestation or step not in self._attestations:
            self._attestations[step] = attestation

    def _keep_scores(self, state: RunState, now: float) -> None:
        settled = {item.step for item in state.validations if self._settled(item, state, now)}
        for score in scores_of(state, self._attestations, now):
            key = (score.step, score.metric)
            if score.step not in settled:
                continue
            if key not in self._kept_scores:
                new = self._ledger.add_score(score)
                self._kept_scores[key] = score if new else self._last_record(score)
            kept = self._kept_scores[key]
            why = why_corrected(kept, score)
            if why is not None:
                self._kept_scores[key] = self._ledger.correct_score(score, why) or score

    def _last_record(self, score: Score) -> Score:
        """What a watch before this one kept of the same score."""
        records = self._ledger.scores(score.run)
        same = (kept for kept in records if kept.provenance.source == score.provenance.source)
        return next((kept for kept in same if (kept.step, kept.metric) == (score.step, score.metric)), score)

    @staticmethod
    def _settled(validation: Validation, state: RunState, now: float) -> bool:
        if state.ended_at is not None:
            return True
        return validation.ended_at is not None and now - validation.ended_at >= SETTLE_SECONDS

    def _keep_manifests(self, state: RunState) -> None:
        for checkpoint in state.checkpoints:
            if checkpoint.complete and checkpoint.step not in self._hashing:
                self._hashing.add(checkpoint.step)
                threading.Thread(target=self._hash, args=(checkpoint,), name="manifest", daemon=True).start()
        with self._lock:
            ready, self._manifests = self._manifests, {}
        for step, manifest in ready.items():
            if self._ledger.checkpoint_manifest(state.name, step) is None:
                self._ledger.save_checkpoint_manifest(state.name, step, manifest)

    def _hash(self, checkpoint: Checkpoint) -> None:
        manifest = attempt(lambda: checkpoints.manifest(Path(checkpoint.path), self._hash_limit))
        if manifest is not None:
            with self._lock:
                self._manifests[checkpoint.step] = manifest
