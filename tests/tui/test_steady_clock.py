"""The clock of ages: by every reading while things move, in steps once they don't, never past the true time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.tui.steady_clock import STEPS, steady


@given(st.floats(0, 1e6), st.floats(-10, 1e6))
def test_it_is_never_ahead_and_at_most_a_step_behind(moved_at: float, quiet: float) -> None:
    now = moved_at + quiet
    told = steady(now, moved_at)
    assert now - STEPS[0][1] - 1e-6 <= told <= now + 1e-6


def test_the_first_ten_seconds_go_by_every_reading() -> None:
    assert [steady(100.0 + quiet, 100.0) for quiet in (0.0, 3.5, 9.5)] == [100.0, 103.5, 109.5]


def test_the_rest_of_a_quiet_minute_has_ten_moments_and_a_later_minute_six() -> None:
    assert len({steady(100.0 + quiet / 2, 100.0) for quiet in range(20, 120)}) == 10
    assert len({steady(100.0 + quiet / 2, 100.0) for quiet in range(240, 360)}) == 6
