"""Replay: the verdict again from bundles, offline; bundles of several nodes are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.model.finding import Verdict
from monitor.model.snapshot import RunPosition


@dataclass(frozen=True)
class Replayed:
    """A verdict made again."""

    position: RunPosition
    verdict: Verdict


def replay(paths: Sequence[Path]) -> Replayed:
    """Judge the snapshots of these bundles."""
    raise NotImplementedError
