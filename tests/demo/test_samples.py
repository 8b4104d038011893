"""Group advantages: relative to one's own group, and nothing where a group agrees."""

from __future__ import annotations

import pytest

from monitor.demo.arithmetic import Problem
from monitor.demo.samples import Trajectory, group_advantages


def _trajectory(uid: str, score: float) -> Trajectory:
    return Trajectory(Problem(uid, "00+0=", "0"), [0] * 5, [0], "0", -1.0, score)


def test_advantages_compare_within_a_group_only() -> None:
    scores = [("a", 1.0), ("b", 0.0), ("a", 0.0), ("b", 0.0), ("a", 0.0), ("b", 0.0)]
    advantages = group_advantages([_trajectory(uid, score) for uid, score in scores])
    assert [advantages[index] for index in (1, 3, 5)] == [0.0, 0.0, 0.0]
    assert advantages[0] > 0 > advantages[2] == advantages[4]
    assert sum(advantages) == pytest.approx(0.0, abs=1e-9)
