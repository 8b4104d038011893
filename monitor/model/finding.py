"""Findings and verdicts: what `detect` concludes from snapshots. Their JSON form is the command's public contract."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from monitor.model.fact import Evidence


class VerdictWord(str, enum.Enum):
    """The one word of a verdict."""

    HEALTHY = "healthy"
    STALL = "stall"
    HANG = "hang"
    UNKNOWN = "unknown"
    ENDED = "ended"


@dataclass(frozen=True)
class Culprit:
    """What the finding blames. `task` is a Ray call or an asyncio task name."""

    pid: int | None = None
    process: str | None = None
    actor: str | None = None
    task: str | None = None


@dataclass(frozen=True)
class WaitLink:
    """One link of the chain of waits from the driver to the culprit."""

    waiter: str
    waits_for: str
    why: str


@dataclass(frozen=True)
class Finding:
    """One diagnosed cause. `proved` False: a suspicion."""

    hang_class: str
    """`control-queue`, `self-get`, … (reference names; "class" in JSON)."""
    proved: bool
    sentence: str
    culprit: Culprit
    file: str | None
    line: int | None
    chain: tuple[WaitLink, ...]
    evidence: tuple[Evidence, ...]
    advice: str = ""
    seconds_to_proof: float | None = None
    """From the last progress to the proof."""

    @property
    def identity(self) -> str:
        """Equal for the same finding seen again: class and culprit, no times."""
        return f"{self.hang_class}|{self.culprit.pid}|{self.culprit.task}"

    def suspected(self, also: str = "") -> Finding:
        """The same without proof; `also` goes behind its sentence."""
        return replace(self, proved=False, seconds_to_proof=None, sentence=self.sentence + also)


@dataclass(frozen=True)
class Verdict:
    """What holds of a run now."""

    word: VerdictWord
    findings: tuple[Finding, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why: for stall and unknown what is known, what is missing, and what would show it."""
    suspicions: tuple[Finding, ...] = ()
    """Without proof: what the run's chain of waits ends at and does not move, though it may by itself."""
