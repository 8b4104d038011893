"""What the watch holds in memory is bounded: a run of a thousand steps leaves it no more than one of a hundred."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.watch_week import PHASES, measure
from monitor.detect.fold_draft import SPANS_EACH


def test_a_long_run_leaves_bounded_phases_in_memory_and_all_scores_in_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    each = 200
    figures = measure(12_000, each, tmp_path)
    assert figures["step"] > 1000 and figures["facts"] >= 12_000
    assert figures["in_the_state"]["spans"] <= SPANS_EACH * (len(PHASES) + 2) + each
    assert figures["in_the_state"]["scores"] == figures["in_the_state"]["validations"] == figures["step"] // 500
