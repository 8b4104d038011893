"""The order in which steps stand in a file: one run's, an earlier run's above it, or two runs' at once. Pure."""

from __future__ import annotations

import enum


class Place(enum.Enum):
    """Where a step stands to those above it."""

    ON = "on"
    """It goes on: the same step again, or a later one."""
    BACK = "back"
    """It begins again: what stands above is another attempt's."""
    BETWEEN = "between"
    """It goes on where an earlier sequence stopped, with another one in between: two runs write at once."""


class StepSequence:
    """The last step of each sequence seen so far, the newest sequence last."""

    def __init__(self) -> None:
        self._heads: list[int] = []

    @property
    def newest(self) -> int | None:
        """The step seen last."""
        return self._heads[-1] if self._heads else None

    def place(self, step: int) -> Place:
        """Where `step` stands; changes nothing."""
        if not self._heads or step in (self._heads[-1], self._heads[-1] + 1):
            return Place.ON
        if step - 1 in self._heads[:-1]:
            return Place.BETWEEN
        return Place.ON if step > self._heads[-1] else Place.BACK

    def take(self, step: int) -> Place:
        """The same, and the step is seen."""
        place = self.place(step)
        if place is Place.ON and self._heads:
            self._heads[-1] = step
        else:
            self._heads.append(step)
        return place
