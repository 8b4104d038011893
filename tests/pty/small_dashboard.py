"""The dashboard on the examples instead of a ledger, as a program: for tests of the terminal alone.

python -m tests.pty.small_dashboard [healthy|hanging|reran] [--read-only]
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from monitor.tui.dashboard import Dashboard
from monitor.tui.feed import Feed
from monitor.tui.screen_data import ScreenData
from tests.tui import examples
from tests.tui.fakes import FakeReruns


class MovingExample:
    """A `LedgerReader` whose example keeps its ages: the clock moves, and the run with it."""

    def __init__(self, data: ScreenData) -> None:
        self._data = data
        self._began = time.time()

    def read(self, run: str | None, now: float) -> ScreenData:
        del run
        return replace(self._data, now=examples.NOW + now - self._began)

    def close(self) -> None:
        return


def main(words: list[str]) -> int:
    data = {"healthy": examples.healthy, "hanging": examples.hanging, "reran": examples.reran}[words[0]]()
    feed = Feed(lambda: MovingExample(data), None)
    feed.start()
    return Dashboard(feed, FakeReruns(), read_only="--read-only" in words).show()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
