"""The clock that ages on the screens count from: it stands still between steps once nothing has moved for a while.

A screen full of ages would else send each of them anew every second, for days, beside a run on which nothing happens.
Pure.
"""

from __future__ import annotations

STEPS = ((60.0, 10.0), (10.0, 5.0))
"""(seconds without a move, seconds a step): longest first. Before the first of them the clock goes by every reading."""


def steady(now: float, moved_at: float) -> float:
    """`now`, or the last step before it; steps are counted from `moved_at`, when something moved last."""
    quiet = now - moved_at
    for after, step in STEPS:
        if quiet >= after:
            return moved_at + quiet // step * step
    return now
