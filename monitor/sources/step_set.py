"""Which steps were seen, in the room of their gaps: the logs of a long run hold a hundred thousand steps in a row.

Covers adding, asking and the highest step, each by bisection. Does not cover taking a single step out again. Pure.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable

LARGEST = 2**63 - 1


class StepSet:
    """A set of steps, kept as stretches without a gap, 16 bytes each; numbers beyond 64 bits count as the nearest."""

    def __init__(self, steps: Iterable[int] = ()) -> None:
        self._firsts, self._lasts = array("q"), array("q")
        for step in steps:
            self.add(step)

    def __bool__(self) -> bool:
        return bool(self._lasts)

    def __contains__(self, step: int) -> bool:
        step = _bounded(step)
        place = bisect_right(self._firsts, step) - 1
        return place >= 0 and step <= self._lasts[place]

    def highest(self, *beside: int | None) -> int | None:
        """The highest of its steps and of those `beside` it; None where there is none."""
        own = self._lasts[-1:]
        return max((step for step in (*own, *beside) if step is not None), default=None)

    @property
    def stretches(self) -> int:
        """How many stretches without a gap: what its size goes by."""
        return len(self._firsts)

    def add(self, step: int) -> None:
        """Take a step in, joined to its neighbours."""
        step = _bounded(step)
        if step in self:
            return
        place = bisect_right(self._firsts, step)
        after_one = place > 0 and self._lasts[place - 1] == step - 1
        before_one = place < len(self._firsts) and self._firsts[place] == step + 1
        if after_one and before_one:
            self._lasts[place - 1] = self._lasts.pop(place)
            self._firsts.pop(place)
        elif after_one:
            self._lasts[place - 1] = step
        elif before_one:
            self._firsts[place] = step
        else:
            self._firsts.insert(place, step)
            self._lasts.insert(place, step)

    def clear(self) -> None:
        """Forget all of them."""
        del self._firsts[:], self._lasts[:]


def _bounded(step: int) -> int:
    return max(-LARGEST, min(step, LARGEST))
