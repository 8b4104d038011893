"""A confidence interval for a mean score. Pure.

The rows are the draws: several generations of one row count as one, their mean, since they aren't independent. Scores
of 0 and 1, one a row: Wilson's interval (1927), which is right near 0 and 1 too. Others: Student's t over their means.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEVEL = 0.95
_SMALLEST_COUNT = 2


@dataclass(frozen=True)
class Interval:
    """Bounds, the confidence level, and by which method."""

    low: float
    high: float
    level: float
    method: str


def interval(scores: Mapping[str, Sequence[float]]) -> Interval | None:
    """Of the mean over rows; `scores` are those of each row's generations, by uid. None for fewer than two rows."""
    if len(scores) < _SMALLEST_COUNT:
        return None
    means = [math.fsum(each) / len(each) for each in scores.values()]
    if all(len(each) == 1 and each[0] in (0.0, 1.0) for each in scores.values()):
        return _wilson(math.fsum(means), len(means))
    center = math.fsum(means) / len(means)
    reach = student_quantile(len(means) - 1) * statistics.stdev(means) / math.sqrt(len(means))
    return Interval(center - reach, center + reach, LEVEL, "student")


def _wilson(successes: float, count: int) -> Interval:
    z = statistics.NormalDist().inv_cdf(0.5 + LEVEL / 2)
    share, spread = successes / count, z * z / count
    center = (share + spread / 2) / (1 + spread)
    reach = z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return Interval(max(0.0, center - reach), min(1.0, center + reach), LEVEL, "wilson")


def student_quantile(freedom: int) -> float:
    """The two-sided quantile of Student's t at `LEVEL`: exact for 1 and 2 degrees of freedom.

    From 3 on the expansion of Abramowitz and Stegun 26.7.5, within 0.6 %.
    """
    tail = 0.5 + LEVEL / 2
    if freedom == 1:
        return math.tan(math.pi * (tail - 0.5))
    if freedom == _SMALLEST_COUNT:
        return (2 * tail - 1) * math.sqrt(2 / (4 * tail * (1 - tail)))
    z = statistics.NormalDist().inv_cdf(tail)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom ** (index + 1) for index, term in enumerate(terms))
