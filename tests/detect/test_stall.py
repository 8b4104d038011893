"""Snapshots are due ever more rarely in silence, and a stall is silence beyond the limit, not a long phase."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.stall import LONGEST_GAP_SECONDS, UNLEARNED_LIMIT_SECONDS, due_at, is_stall, snapshot_due


@pytest.mark.parametrize(("taken", "due"), [(0, 3.0), (1, 5.0), (2, 12.0), (3, 24.0), (4, 48.0)])
def test_snapshots_are_due_at_3_5_12_24_seconds(taken: int, due: float) -> None:
    assert due_at(taken) == due
    assert snapshot_due(due, taken)
    assert not snapshot_due(due - 0.01, taken)


def test_nothing_is_read_while_all_moves() -> None:
    assert not snapshot_due(2.9, 0)
    assert not snapshot_due(-5.0, 0)


def test_another_first_moment_is_doubled_alike() -> None:
    assert [due_at(taken, 1.0) for taken in range(4)] == [1.0, 2.0, 4.0, 8.0]


@given(st.integers(0, 200), st.floats(0.1, 60.0))
def test_gaps_never_shrink_and_never_exceed_the_longest(taken: int, first: float) -> None:
    gaps = [due_at(number + 1, first) - due_at(number, first) for number in (taken, taken + 1)]
    assert 0 < gaps[0] <= gaps[1] + 1e-6
    assert gaps[1] <= LONGEST_GAP_SECONDS + 1e-6


def test_silence_beyond_the_limit_is_a_stall() -> None:
    assert is_stall(30.1, 30.0)
    assert not is_stall(30.0, 30.0)


def test_without_a_learned_limit_only_a_very_long_silence_is_a_stall() -> None:
    assert not is_stall(UNLEARNED_LIMIT_SECONDS, None)
    assert is_stall(UNLEARNED_LIMIT_SECONDS + 1, None)
