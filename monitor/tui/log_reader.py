"""Reads, indexes and searches the run's log in a thread of its own: a slow disk or a long search never holds up a key.

Works only while a screen wants a page. Publishes pages as soon as there is something to see, then a few times a second
while it goes on, and otherwise only when one differs from the last.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from monitor.report.clean_text import clean
from monitor.tui.log_index import LogIndex, TailLines
from monitor.tui.log_search import LogPage, LogRequest, LogSearch, page

EVERY_SECONDS = 0.5
"""A file that is indexed to its end is looked at this often."""

PUBLISH_SECONDS = 0.15
BREATH_SECONDS = 0.001
"""Left to the other threads between two steps of work."""


class LogReader:
    """The thread. `publish` is called from it."""

    def __init__(self, publish: Callable[[LogPage], object]) -> None:
        self._publish = publish
        self._request: LogRequest | None = None
        self._wake = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._index: LogIndex | None = None
        self._search = LogSearch(None)
        self._published: tuple[LogRequest, LogPage] | None = None
        self._published_at = 0.0

    def want(self, request: LogRequest | None) -> None:
        """Show this from now on; None: nothing, until asked again."""
        if request == self._request:
            return
        self._request = request
        self._wake.set()
        if self._thread is None and request is not None:
            self._thread = threading.Thread(target=self._loop, name="log reader", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread after its present step."""
        self._stopped = True
        self._wake.set()

    def _loop(self) -> None:
        while not self._stopped:
            self._wake.clear()
            request = self._request
            if request is None:
                self._wake.wait()
                continue
            self._wake.wait(BREATH_SECONDS if self.work(request) else EVERY_SECONDS)

    def work(self, request: LogRequest) -> bool:
        """One step for `request`; True where there is more to do at once."""
        if self._search.pattern != request.pattern:
            self._search = LogSearch(request.pattern)
        try:
            made = self._of_file(request)
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL, which no file can have.
            why = error.strerror if isinstance(error, OSError) else error
            made = self._of_tail(request, f"this file can't be read: {why}")
        known = self._published
        overdue = time.monotonic() - self._published_at > PUBLISH_SECONDS
        if known is None or known[0] != request or (known[1] != made and (made.complete or overdue)):
            self._published, self._published_at = (request, made), time.monotonic()
            self._publish(made)
        return not made.complete

    def _of_file(self, request: LogRequest) -> LogPage:
        if not request.path:
            return self._of_tail(request, "")
        if self._index is None or self._index.path != request.path:
            self._index = LogIndex(request.path)
            self._search = LogSearch(request.pattern)
        self._index.grow()
        self._search.step(self._index)
        if request.top is None and request.pattern is None and not self._index.whole:
            return replace(self._of_tail(request, ""), complete=False)
        return page(self._index, self._search, request)

    def _of_tail(self, request: LogRequest, problem: str) -> LogPage:
        lines = TailLines(request.tail)
        search = LogSearch(request.pattern)
        while not search.complete(lines):
            search.step(lines)
        return page(lines, search, request, clean(problem), from_file=False)
