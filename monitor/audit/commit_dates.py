"""From when and until when a commit was in force, as well as its date and those around it tell. Pure.

Dates in a history may be wild (a clock that was off, an imported history): a bound is then taken from the neighbours,
so that the window is too wide and never too short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DAY = 86400.0
GIT_BEGAN = 1112832000.0
"""2005-04-07: no commit is older than git."""
NEIGHBOURS = 3


@dataclass(frozen=True)
class Bound:
    """When a commit came into force, as well as the dates around it tell."""

    at: float | None
    note: str = ""


def bound(line: Sequence[tuple[str, float]], index: int, now: float, *, begins: bool) -> Bound:
    """The date of the commit at `index` of `line` (oldest first), widened to its neighbours' where it is wild.

    Wild: older than git, later than now, or out of order with the commits before or after it by more than a day. A
    window then begins with the date of the commit before, or ends with that of the commit after.
    """
    at = line[index][1]
    if not _is_wild(line, index, now):
        return Bound(at)
    step = -1 if begins else 1
    place = index + step
    while 0 <= place < len(line) and _is_wild(line, place, now):
        place += step
    word = "begin" if begins else "end"
    told = f"the date of {line[index][0][:10]} is out of order"
    if not 0 <= place < len(line):
        return Bound(None, f"{told}, and nothing around it tells the window's {word}")
    return Bound(line[place][1], f"{told}: the window's {word} is taken from its neighbour {line[place][0][:10]}")


def _is_wild(line: Sequence[tuple[str, float]], index: int, now: float) -> bool:
    at = line[index][1]
    if not GIT_BEGAN <= at <= now + DAY:
        return True
    sound = [(place, date) for place, (_, date) in enumerate(line) if GIT_BEGAN <= date <= now + DAY]
    before = [date for place, date in sound if place < index][-NEIGHBOURS:]
    after = [date for place, date in sound if place > index][:NEIGHBOURS]
    behind = len(before) >= 2 and at < min(before) - DAY
    ahead = len(after) >= 2 and at > max(after) + DAY
    return behind or ahead
