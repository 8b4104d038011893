"""The dashboard as textual-serve starts it: one process a browser tab, fed through pipes instead of a terminal.

    python -m monitor.tui.browser [--run RUN] [--read-only]

Ends with its server: a tab whose server was killed leaves no process. Not meant to be called by hand.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable

CHECK_SECONDS = 1.0


def end_with_parent(
    parent: int, pid_of_parent: Callable[[], int] = os.getppid, gone: Callable[[int], None] = os._exit
) -> None:
    """Look once a second, from a thread of its own, whether `parent` still is; `gone(0)` once it is not."""

    def watch() -> None:
        while pid_of_parent() == parent:
            time.sleep(CHECK_SECONDS)
        gone(0)

    threading.Thread(target=watch, name="server check", daemon=True).start()


def main(words: list[str] | None = None) -> int:
    """Show the dashboard until the tab is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run")
    parser.add_argument("--read-only", action="store_true")
    arguments = parser.parse_args(words)
    end_with_parent(os.getppid())
    from monitor.tui.dashboard import Dashboard
    from monitor.tui.feed import Feed
    from monitor.tui.ledger_reader import ledger_opener
    from monitor.tui.rerun_door import LedgerReruns

    feed = Feed(ledger_opener(None), arguments.run)
    feed.start()
    dashboard = Dashboard(feed, LedgerReruns(None), read_only=arguments.read_only)
    dashboard.run()
    feed.stop()
    return dashboard.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
