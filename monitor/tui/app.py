"""The way into the dashboard: say that it opens, read the ledger while textual is imported, return an exit code.

Imports nothing heavy at module level, so that the first line is on the screen within the time of a Python start.
"""

from __future__ import annotations

import sys
from pathlib import Path


def run(ledger_path: Path | str | None, run: str | None, *, read_only: bool = False) -> int:
    """Show the dashboard of `run` (None: the newest live one) until a key, a signal or a lost terminal ends it."""
    sys.stderr.write(f"laststep: opening the dashboard of {run or 'the newest run'} …\n")
    sys.stderr.flush()
    from monitor.tui.feed import Feed
    from monitor.tui.ledger_reader import ledger_opener
    from monitor.tui.rerun_door import LedgerReruns

    feed = Feed(ledger_opener(ledger_path), run)
    feed.start()
    from monitor.tui.dashboard import Dashboard

    reruns = LedgerReruns(Path(ledger_path) if ledger_path is not None else None)
    return Dashboard(feed, reruns, read_only=read_only).show()
