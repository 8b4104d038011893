"""Bars and curves: exact width, nothing for nothing, the curve's ends where they belong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.tui import charts


@given(st.one_of(st.none(), st.floats(-1, 2)), st.integers(1, 60))
def test_a_bar_is_exactly_as_wide_as_asked(share: float | None, width: int) -> None:
    filled, rest = charts.bar(share, width)
    assert len(filled) + len(rest) == width


def test_an_unknown_share_fills_nothing() -> None:
    assert charts.bar(None, 4) == ("", "····")


def test_columns_have_their_greatest_full() -> None:
    assert charts.columns([1.0, 2.0, 4.0]) == "▂▄█"
    assert charts.columns([0.0, 0.0]) == "▁▁"


def test_a_curve_begins_low_at_the_left_and_ends_high_at_the_right() -> None:
    drawn = charts.curve([(0.0, 0.0), (29.0, 0.7)], (0.0, 29.0), 20, 4)
    assert [len(row) for row in drawn] == [20] * 4
    assert drawn[-1][0] != "\u2800"
    assert drawn[0][-1] != "\u2800"
    assert drawn[0][0] == drawn[-1][-1] == "\u2800"


def test_no_points_no_curve() -> None:
    assert charts.curve([], (0.0, 1.0), 20, 4) == []
