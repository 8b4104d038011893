"""Intervals and tests against the figures of the papers that they are from."""

from __future__ import annotations

import pytest

from monitor.ledger.intervals import independent, mcnemar, paired, wilson


@pytest.mark.parametrize(
    ("left", "right", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 10), 0.6075, 1.0)],
)
def test_independent_shares_give_newcombes_published_intervals(
    left: tuple[int, int], right: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe 1998, table II, method 10, cases a, c and h."""
    told = independent(left[0] / left[1], right[0] / right[1], left[1], right[1])
    assert (round(told.low, 4), round(told.high, 4)) == (low, high)


def cells(both: int, only_left: int, only_right: int, neither: int) -> tuple[dict[str, float], dict[str, float]]:
    """Two runs over the same samples."""
    pairs = [(1.0, 1.0)] * both + [(1.0, 0.0)] * only_left + [(0.0, 1.0)] * only_right + [(0.0, 0.0)] * neither
    return {str(n): a for n, (a, _) in enumerate(pairs)}, {str(n): b for n, (_, b) in enumerate(pairs)}


def test_paired_shares_give_newcombes_published_interval() -> None:
    """Newcombe 1998 (paired), the case 36, 12, 2, 0 of his table."""
    told = paired(*cells(36, 12, 2, 0))
    assert told is not None
    assert (round(told.value, 4), round(told.low, 4), round(told.high, 4)) == (0.2, 0.0569, 0.3404)
    assert told.p == pytest.approx(0.012939, abs=1e-6)


def test_paired_samples_tell_apart_what_independent_shares_do_not() -> None:
    left, right = cells(900, 40, 10, 369)
    by_sample = paired(left, right)
    apart = independent(sum(left.values()) / 1319, sum(right.values()) / 1319, 1319, 1319)
    assert by_sample is not None and by_sample.told and not apart.told


def test_the_same_answers_show_no_difference() -> None:
    told = paired(*cells(5, 0, 0, 5))
    assert told is not None and told.value == 0.0 and not told.told and told.p == 1.0
    assert mcnemar(0, 0) == 1.0


def test_rewards_are_resampled_the_same_each_time() -> None:
    left = {str(n): 0.1 * (n % 7) for n in range(200)}
    right = {str(n): 0.1 * (n % 7) - 0.05 - 0.01 * (n % 3) for n in range(200)}
    first, again = paired(left, right), paired(left, right)
    assert first == again and first is not None and first.told and first.low < 0.06 < first.high


def test_samples_that_are_not_shared_are_left_out_and_none_shared_is_none() -> None:
    told = paired({"a": 1.0, "b": 0.0}, {"b": 1.0, "c": 1.0})
    assert told is not None and told.samples == 1
    assert paired({"a": 1.0}, {"b": 1.0}) is None


def test_wilson_stays_inside_zero_and_one() -> None:
    assert wilson(0, 10)[0] == pytest.approx(0.0, abs=1e-12)
    assert wilson(10, 10)[1] == pytest.approx(1.0, abs=1e-12)
