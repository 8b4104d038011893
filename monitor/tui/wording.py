"""Numbers, ages and states as words: every number gets its unit, every age is coarse enough to stand still.

Pure. Ages grow in steps (seconds to a minute, then minutes, then hours), so that a screen on which nothing happens
sends next to nothing. Times of day are local.
"""

from __future__ import annotations

import datetime

FRESH_SECONDS = 5.0
"""A reading younger than this is `now`: the watch writes once a second and some sources answer every two."""


def age(seconds: float) -> str:
    """How long ago, or how long since: `now`, `7 s`, `45 s`, `3 min`, `2 h`, `4 d`."""
    if seconds < FRESH_SECONDS:
        return "now"
    return duration(seconds)


def ago(seconds: float) -> str:
    """`now`, or `14 s ago`."""
    return "now" if seconds < FRESH_SECONDS else f"{duration(seconds)} ago"


def steps(step: int | None, total: int | None) -> str:
    """How far a run is: `step 20/29`, what is not known as `?`."""
    return f"step {'?' if step is None else step}/{'?' if total is None else total}"


def so_far(seconds: float) -> str:
    """How long something under way has lasted: `just begun`, or `14 s so far`."""
    return "just begun" if seconds < FRESH_SECONDS else f"{duration(seconds)} so far"


def duration(seconds: float) -> str:
    """A length of time with at most two digits that change."""
    seconds = max(seconds, 0.0)
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 48 * 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d}"
    return f"{int(seconds // 86400)} d"


def exact(seconds: float | None) -> str:
    """A measured length of time: `0.42 s`, `12.3 s`, `4:05 min`."""
    if seconds is None:
        return "?"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d} h"


def size(count: int | float | None) -> str:
    """Bytes in the unit that keeps three digits."""
    if count is None:
        return "? B"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def percent(value: float | None) -> str:
    """A percentage, or `?` where it could not be read."""
    return "? %" if value is None else f"{value:.0f} %"


def score(value: float | None) -> str:
    """A metric as a fraction with four digits."""
    return "?" if value is None else f"{value:.4f}"


def clock(at: float | None, now: float) -> str:
    """Local time of day; with the date where that is another day than `now`'s."""
    if at is None:
        return "?"
    moment = datetime.datetime.fromtimestamp(at)
    if moment.date() == datetime.datetime.fromtimestamp(now).date():
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%Y-%m-%d %H:%M")


def count(number: int, noun: str) -> str:
    """`1 finding`, `3 findings`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
