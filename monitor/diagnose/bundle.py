"""Bundles: everything captured at one alarm, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from monitor.model.finding import Verdict
from monitor.model.run import RunState
from monitor.model.snapshot import Snapshot


def write(
    directory: Path,
    run: RunState,
    snapshots: Sequence[Snapshot],
    verdict: Verdict,
    *,
    log_paths: Sequence[str | Path] = (),
) -> Path:
    """Write one bundle into `directory` and return its folder."""
    raise NotImplementedError
