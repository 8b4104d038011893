"""What a difference of two scores says: confidence intervals and tests for shares of right answers. Pure.

Sources: Wilson (1927) for one share; Newcombe (1998), "Interval estimation for the difference between independent
proportions", Statistics in Medicine 17:873, method 10, and "Improved confidence intervals for the difference between
binomial proportions based on paired data", ibid. 17:2635, method 10; McNemar's test in its exact form. Scores that are
no shares (rewards) get a bootstrap over the samples, where there are samples.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

Z95 = 1.959963984540054
RESAMPLES = 1000


@dataclass(frozen=True)
class Difference:
    """left minus right, with its 95 % interval."""

    value: float
    low: float
    high: float
    samples: int
    how: str
    p: float | None = None
    """Of McNemar's exact test, where the samples are paired and right or wrong."""

    @property
    def told(self) -> bool:
        """True where the interval leaves out 0: a difference that chance alone would seldom make."""
        return self.low > 0 or self.high < 0


def wilson(right: float, count: int, z: float = Z95) -> tuple[float, float]:
    """The interval of one share: `right` of `count` samples."""
    share = right / count
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - spread) / (1 + z * z / count), (middle + spread) / (1 + z * z / count)


def independent(left: float, right: float, left_count: int, right_count: int) -> Difference:
    """Two shares over samples that are not paired: Newcombe's hybrid of Wilson's intervals.

    Over one validation set this is too wide (both miss the hard samples), so that what it tells apart is apart.
    """
    low_1, high_1 = wilson(left * left_count, left_count)
    low_2, high_2 = wilson(right * right_count, right_count)
    value = left - right
    low = value - math.hypot(left - low_1, high_2 - right)
    high = value + math.hypot(high_1 - left, right - low_2)
    return Difference(value, low, high, min(left_count, right_count), "Newcombe's interval for independent shares")


def paired(left: Mapping[str, float], right: Mapping[str, float]) -> Difference | None:
    """Two scores over the same samples, by sample; None where no sample is in both."""
    shared = sorted(left.keys() & right.keys())
    if not shared:
        return None
    pairs = [(left[key], right[key]) for key in shared]
    if all(value in (0.0, 1.0) for pair in pairs for value in pair):
        return _paired_shares(pairs)
    return _bootstrap(pairs)


def _paired_shares(pairs: list[tuple[float, float]]) -> Difference:
    count = len(pairs)
    both = sum(1 for a, b in pairs if a and b)
    only_left = sum(1 for a, b in pairs if a and not b)
    only_right = sum(1 for a, b in pairs if b and not a)
    neither = count - both - only_left - only_right
    share_1, share_2 = (both + only_left) / count, (both + only_right) / count
    low_1, high_1 = wilson(both + only_left, count)
    low_2, high_2 = wilson(both + only_right, count)
    correlation = _correlation(both, only_left, only_right, neither)
    value = share_1 - share_2
    below, above = (share_1 - low_1, high_2 - share_2), (high_1 - share_1, share_2 - low_2)
    low = value - math.sqrt(max(below[0] ** 2 - 2 * correlation * below[0] * below[1] + below[1] ** 2, 0.0))
    high = value + math.sqrt(max(above[0] ** 2 - 2 * correlation * above[0] * above[1] + above[1] ** 2, 0.0))
    return Difference(value, low, high, count, "Newcombe's interval for paired shares", mcnemar(only_left, only_right))


def _correlation(both: int, only_left: int, only_right: int, neither: int) -> float:
    """Newcombe's φ, with his correction for continuity where it is positive."""
    margins = (both + only_left) * (only_right + neither) * (both + only_right) * (only_left + neither)
    if margins == 0:
        return 0.0
    product = float(both * neither - only_left * only_right)
    if product > 0:
        product = max(product - (both + only_left + only_right + neither) / 2, 0.0)
    return product / math.sqrt(margins)


def mcnemar(only_left: int, only_right: int) -> float:
    """Two-sided exact p of McNemar's test: `only_left` samples right on the left alone, `only_right` on the right."""
    count = only_left + only_right
    if count == 0:
        return 1.0
    fewer = min(only_left, only_right)
    tail = sum(math.comb(count, k) for k in range(fewer + 1))
    return min(1.0, float(2 * tail / 2**count))


def _bootstrap(pairs: list[tuple[float, float]]) -> Difference:
    """Percentile interval of the mean difference over resampled samples, with a seed of its own: the same each time."""
    differences = [a - b for a, b in pairs]
    count = len(differences)
    chance = random.Random(29)
    means = sorted(math.fsum(chance.choices(differences, k=count)) / count for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]
    return Difference(math.fsum(differences) / count, low, high, count, f"bootstrap of {RESAMPLES} resamples")
