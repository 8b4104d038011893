"""How long a phase may be silent before it is suspicious, learned from how long it has lasted. Pure.

The rule: limit = longest duration seen × factor + `FLOOR_SECONDS`, with factor = `FACTOR` × (1 + 1 / durations seen):

| durations seen | 1 | 2 | 3 | 10 | many |
|---|---|---|---|---|---|
| factor | 10 | 7.5 | 6.7 | 5.5 | 5 |

The longest and not a mean, since phases grow with the answers' length and a validation before training says little of
the last one; generous while little was seen, since a wrong suspicion costs more trust than a late one (proof does not
wait for it). `FLOOR_SECONDS` keeps phases of milliseconds from limits that a slow disk breaks. A phase that never
ended (one that hung) has no duration and teaches nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

FACTOR = 5.0
FLOOR_SECONDS = 10.0


def limit(phase: str, history: Mapping[str, Sequence[float]]) -> float | None:
    """Seconds of silence that `phase` may show; None where none of its durations is known."""
    known = [seconds for seconds in history.get(phase, ()) if math.isfinite(seconds) and seconds >= 0.0]
    if not known:
        return None
    return max(known) * FACTOR * (1.0 + 1.0 / len(known)) + FLOOR_SECONDS
