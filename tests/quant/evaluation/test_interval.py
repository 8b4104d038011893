"""Confidence intervals: textbook values, and that they cover what they claim to cover."""

from __future__ import annotations

import random

import pytest

from quant.evaluation.interval import interval, student_quantile


def singles(scores: list[float]) -> dict[str, list[float]]:
    """One generation a row."""
    return {str(index): [score] for index, score in enumerate(scores)}


def test_fewer_than_two_rows_tell_nothing() -> None:
    assert interval({}) is None and interval({"a": [1.0, 0.0, 1.0]}) is None


def test_wilsons_interval_of_a_textbook() -> None:
    found = interval(singles([1.0] * 8 + [0.0] * 2))
    assert found is not None and found.method == "wilson"
    assert (round(found.low, 4), round(found.high, 4)) == (0.4902, 0.9433)


def test_all_right_or_all_wrong_still_leaves_doubt() -> None:
    right, wrong = interval(singles([1.0] * 20)), interval(singles([0.0] * 20))
    assert right is not None and wrong is not None
    assert (right.low, right.high) == pytest.approx((0.8389, 1.0), abs=1e-4)
    assert (wrong.low, wrong.high) == pytest.approx((0.0, 0.1611), abs=1e-4)


@pytest.mark.parametrize(
    ("freedom", "wanted"), [(1, 12.706), (2, 4.3027), (3, 3.1824), (5, 2.5706), (10, 2.2281), (100, 1.984)]
)
def test_students_quantiles_are_those_of_the_tables(freedom: int, wanted: float) -> None:
    assert student_quantile(freedom) == pytest.approx(wanted, rel=6e-3)


def test_generations_of_one_row_are_one_draw() -> None:
    often, once = interval({"a": [1.0] * 50, "b": [0.0] * 50}), interval({"a": [0.5 + 0.5], "b": [0.0, 0.0]})
    assert often is not None and once is not None and (often.low, often.high) == (once.low, once.high)


@pytest.mark.parametrize("rows", [5, 40])
def test_it_covers_the_true_mean_as_often_as_it_says(rows: int) -> None:
    draw = random.Random(4)
    covered = 0
    for _ in range(1000):
        found = interval({str(row): [draw.gauss(0.3, 1.0) for _ in range(2)] for row in range(rows)})
        assert found is not None
        covered += found.low <= 0.3 <= found.high
    assert 930 <= covered <= 970
