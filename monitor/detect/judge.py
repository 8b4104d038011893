"""The verdict on snapshots of one stretch without progress."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.model.finding import Verdict, VerdictWord
from monitor.model.snapshot import Snapshot


def judge(snapshots: Sequence[Snapshot]) -> Verdict:
    """The verdict on `snapshots`, oldest first."""
    return Verdict(VerdictWord.UNKNOWN, reasons=(f"{len(snapshots)} snapshots: a proof needs two",))
