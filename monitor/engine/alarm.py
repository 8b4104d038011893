"""The verdict over time: when to take snapshots, what they prove, and when a finding is withdrawn.

Snapshots are taken 3, 5, 12 … s after the last fact moved, so that a run that moves is never read beyond its facts. A
proved finding stands until something moves; then it is withdrawn, and that is recorded. Taking a snapshot and writing
a bundle are given in as callables: this file decides only when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from monitor.detect import stall
from monitor.detect.judge import judge
from monitor.model.errors import LaststepError
from monitor.model.finding import Finding, Verdict, VerdictWord
from monitor.model.reading import Unknown
from monitor.model.run import RunState
from monitor.model.snapshot import RunPosition, Snapshot

KEPT = 4
"""Snapshots judged together: the newest of one stretch without progress."""

SURE_UNKNOWN = 3
"""So many snapshots must agree on `unknown` before it is said: one moment in which all wait is no news."""


@dataclass(frozen=True)
class AlarmChange:
    """What a tick brought."""

    raised: tuple[Finding, ...] = ()
    withdrawn: tuple[Finding, ...] = ()
    captured: bool = False


class Alarm:
    """Follows one run's silence. `verdict` is what holds now."""

    def __init__(
        self,
        take_snapshot: Callable[[RunPosition], Snapshot],
        first_seconds: float,
        judge: Callable[[Sequence[Snapshot]], Verdict] = judge,
    ) -> None:
        self._take_snapshot = take_snapshot
        self._judge_snapshots = judge
        self._first_seconds = first_seconds
        self._moved_at: float | None = None
        self.snapshots: list[Snapshot] = []
        self.taken = 0
        self.verdict = Verdict(VerdictWord.HEALTHY)
        self.unknown: Unknown | None = None

    def tick(self, state: RunState, position: RunPosition, now: float) -> AlarmChange:
        """Judge the run as it stands, after the newest facts are folded in."""
        moved_at = state.progress.last_moved_at if state.progress else state.started_at
        if state.ended_at is not None:
            # The end of a hung run is no progress of it: what was proved stays proved.
            self.verdict = replace(self.verdict, word=VerdictWord.ENDED)
            return AlarmChange()
        withdrawn = self._restart(moved_at) if moved_at != self._moved_at else ()
        silent = now - moved_at
        if not stall.snapshot_due(silent, self.taken, first=self._first_seconds):
            self._refresh_stall(silent, position)
            return AlarmChange(withdrawn=withdrawn)
        self._capture(position, now)
        raised = self._judge(silent, position, moved_at)
        return AlarmChange(raised, withdrawn, captured=True)

    def _restart(self, moved_at: float) -> tuple[Finding, ...]:
        """Begin a new stretch of silence; the findings that no longer hold."""
        standing = tuple(finding for finding in self.verdict.findings if finding.proved)
        self._moved_at = moved_at
        self.snapshots, self.taken, self.unknown = [], 0, None
        self.verdict = Verdict(VerdictWord.HEALTHY)
        return standing

    def _capture(self, position: RunPosition, now: float) -> None:
        try:
            self.snapshots = [*self.snapshots[-(KEPT - 1) :], self._take_snapshot(position)]
            self.unknown = None
        except LaststepError as error:
            self.unknown = Unknown("snapshot", now, str(error), error.HELP_TEXT)
        self.taken += 1

    def _judge(self, silent: float, position: RunPosition, moved_at: float) -> tuple[Finding, ...]:
        before = {finding.identity for finding in self.verdict.findings if finding.proved}
        verdict = self._judge_snapshots(self.snapshots) if self.snapshots else Verdict(VerdictWord.UNKNOWN)
        proved = tuple(self._timed(finding, moved_at) for finding in verdict.findings)
        verdict = replace(verdict, findings=proved)
        if before and verdict.word is not VerdictWord.HANG:
            # A proved hang with nothing moved since stays proved: one unreadable snapshot does not free a cycle.
            return ()
        if verdict.word is VerdictWord.UNKNOWN and len(self.snapshots) < SURE_UNKNOWN:
            verdict = replace(verdict, word=VerdictWord.HEALTHY)
        self.verdict = verdict
        self._refresh_stall(silent, position)
        return tuple(finding for finding in verdict.findings if finding.proved and finding.identity not in before)

    def _timed(self, finding: Finding, moved_at: float) -> Finding:
        """`seconds_to_proof` of the first proof, kept as later snapshots confirm it."""
        for known in self.verdict.findings:
            if known.identity == finding.identity and known.seconds_to_proof is not None:
                return replace(finding, seconds_to_proof=known.seconds_to_proof)
        if finding.seconds_to_proof is not None or not finding.proved:
            return finding
        return replace(finding, seconds_to_proof=self.snapshots[-1].taken_at - moved_at)

    def _refresh_stall(self, silent: float, position: RunPosition) -> None:
        if self.verdict.word is VerdictWord.HEALTHY and stall.is_stall(silent, position.phase_limit_seconds):
            learned = position.phase_limit_seconds
            limit = "nothing was learned of it yet" if learned is None else f"its learned limit is {learned:.0f} s"
            reason = f"nothing moved for {silent:.0f} s in phase {position.phase or 'unknown'}; {limit}"
            findings = self.verdict.findings or self.verdict.suspicions
            reasons = (reason, *self.verdict.reasons)
            self.verdict = Verdict(VerdictWord.STALL, findings, reasons, self.verdict.suspicions)
