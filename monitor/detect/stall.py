"""When silence is looked into, and when it is suspicious. Pure; silence is seconds since the last fact that moved.

A snapshot is due 3, 5, 12, 24 … s after the last progress: a run that moves costs nothing, a silent one little, and
two samples for a proof exist within 5 s. The later moments double until the gaps are `LONGEST_GAP_SECONDS`, so a
night-long hang is still looked at, and a run that was silent long before the watch came is caught up with one snapshot
a tick.

A stall is a suspicion, never a proof: silence longer than the phase's learned limit (`phase_limits`). How long a phase
lasts plays no part in it: a validation five times longer than ever that still moves is no stall.
"""

from __future__ import annotations

FIRST_SECONDS = 3.0
SECOND_GAP_SECONDS = 2.0
"""The second snapshot comes so long after the first, twice what a proof needs between its samples."""
LONGEST_GAP_SECONDS = 300.0

UNLEARNED_LIMIT_SECONDS = 1800.0
"""The limit where none was learned. Starting up, loading weights and compiling may take many minutes in silence."""


def due_at(taken: int, first: float = FIRST_SECONDS) -> float:
    """Seconds of silence at which snapshot number `taken` (from 0) is due."""
    if taken == 1:
        return first + min(first, SECOND_GAP_SECONDS)
    at, gap = first, first
    for _ in range(taken):
        at += gap
        gap = min(2 * gap, LONGEST_GAP_SECONDS)
    return at


def snapshot_due(seconds_since_moved: float, taken: int, *, first: float = FIRST_SECONDS) -> bool:
    """True where the next snapshot is due, `taken` having been taken in this silence."""
    return seconds_since_moved >= due_at(taken, first)


def is_stall(seconds_since_moved: float, limit: float | None) -> bool:
    """True where the silence is longer than the phase's learned limit; None: nothing was learned of this phase."""
    return seconds_since_moved > (UNLEARNED_LIMIT_SECONDS if limit is None else limit)
