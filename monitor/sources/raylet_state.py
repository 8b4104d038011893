"""What a raylet says of itself in its own file, `logs/debug_state.txt` of Ray's session, which it writes every 10 s.

Read only: calls that it holds back for want of room in the object store, which Ray's State API does not tell from calls
that wait for a node. A file that is not written any more says nothing.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path

FRESH_SECONDS = 30.0
"""Three of the raylet's periods."""
LARGEST = 4 << 20
_WAITING = re.compile(r"^num_waiting_for_plasma_memory: (\d+)\s*$", re.MULTILINE)


def waiting_for_memory(session_dir: Path | None) -> int | None:
    """Calls held back until the object store has room for their arguments; None where it is not known."""
    if session_dir is None:
        return None
    with suppress(OSError), (session_dir / "logs" / "debug_state.txt").open(encoding="utf-8", errors="replace") as file:
        if time.time() - Path(file.name).stat().st_mtime > FRESH_SECONDS:
            return None
        counts = _WAITING.findall(file.read(LARGEST))
        return sum(map(int, counts)) if counts else None
    return None
