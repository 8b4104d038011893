"""Learned limits: never below what was seen, generous while little was, and none where nothing was."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.phase_limits import FACTOR, FLOOR_SECONDS, limit

SECONDS = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=50)


def test_a_phase_that_was_never_seen_to_end_has_no_limit() -> None:
    assert limit("testing", {}) is None
    assert limit("testing", {"gen": [1.0], "testing": []}) is None
    assert limit("testing", {"testing": [math.nan, math.inf, -1.0]}) is None


def test_the_rule_as_documented() -> None:
    assert limit("gen", {"gen": [2.0]}) == 2.0 * 10 + FLOOR_SECONDS
    assert limit("gen", {"gen": [2.0, 1.0]}) == 2.0 * 7.5 + FLOOR_SECONDS
    assert limit("gen", {"gen": [0.0]}) == FLOOR_SECONDS


@given(SECONDS)
def test_a_phase_five_times_longer_than_ever_is_within_its_limit_even_in_silence(seconds: list[float]) -> None:
    found = limit("testing", {"testing": seconds})
    assert found is not None and found >= 5 * max(seconds)


@given(SECONDS, st.floats(0.0, 1e6))
def test_a_longer_duration_raises_what_is_tolerated_of_it(seconds: list[float], more: float) -> None:
    found = limit("gen", {"gen": [*seconds, more]})
    assert found is not None and found >= FACTOR * max(*seconds, more)


@given(st.floats(0.1, 1e4), st.integers(1, 40))
def test_the_same_duration_seen_more_often_makes_the_limit_stricter(seconds: float, times: int) -> None:
    fewer, more = limit("gen", {"gen": [seconds] * times}), limit("gen", {"gen": [seconds] * (times + 1)})
    assert fewer is not None and more is not None and more < fewer
