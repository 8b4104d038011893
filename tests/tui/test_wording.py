"""Numbers carry their unit, ages stand still for as long as they can."""

from __future__ import annotations

import pytest

from monitor.tui import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (4.9, "now"),
        (5, "5 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3660, "1 h 01"),
        (2e5, "2 d"),
    ],
)
def test_ages_grow_coarser(seconds: float, text: str) -> None:
    assert wording.age(seconds) == text


def test_an_age_of_hours_changes_at_most_once_a_minute() -> None:
    assert len({wording.ago(7200 + second) for second in range(3600)}) == 60


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "?"), (0.417, "0.42 s"), (12.34, "12.3 s"), (245, "4:05 min"), (7260, "2:01 h")]
)
def test_measured_times(seconds: float | None, text: str) -> None:
    assert wording.exact(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "? B"), (0, "0 B"), (999, "999 B"), (1536, "1.5 KiB"), (151 << 30, "151 GiB"), (5 << 40, "5.0 TiB")],
)
def test_sizes(count: int | None, text: str) -> None:
    assert wording.size(count) == text


def test_what_is_not_known_is_never_zero() -> None:
    assert (wording.percent(None), wording.score(None), wording.clock(None, 0.0)) == ("? %", "?", "?")
