"""Reads the ledger once a second in a thread of its own, so that a slow disk or a locked ledger never freezes a key.

Each reading is one frozen `ScreenData`; a reading that fails keeps the last one and says since when and why. A reading
that equals the last one is not told: where nothing changes, nothing is drawn. What is read is up to `LedgerReader`; who
draws it subscribes.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from monitor.model.errors import LaststepError
from monitor.report.clean_text import clean
from monitor.tui import wording
from monitor.tui.screen_data import ScreenData
from monitor.tui.steady_clock import steady

EVERY_SECONDS = 1.0


class LedgerReader(Protocol):
    """What a reading takes from the ledger. May raise `LaststepError`, `sqlite3.Error` or `OSError`."""

    def read(self, run: str | None, now: float) -> ScreenData:
        """Everything the screens show of `run` (None: the newest), at `now`."""

    def close(self) -> None:
        """Give back what it holds."""


OpenReader = Callable[[], LedgerReader]
Subscriber = Callable[[ScreenData], None]


class Feed:
    """The reading thread. `latest` is what was read last."""

    def __init__(self, open_reader: OpenReader, run: str | None, clock: Callable[[], float] = time.time) -> None:
        self._open_reader = open_reader
        self._clock = clock
        self._run = run
        self._reader: LedgerReader | None = None
        self._subscriber: Subscriber | None = None
        self._wake = threading.Event()
        self._stopped = False
        self._failing_since: float | None = None
        self._told: ScreenData | None = None
        self.latest = ScreenData(now=clock(), run=run)
        self.first_reading = threading.Event()

    def start(self) -> None:
        """Begin reading."""
        threading.Thread(target=self._loop, name="ledger reader", daemon=True).start()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` from the reading thread: with the next reading, then with each that is another."""
        self._told = None
        self._subscriber = subscriber
        self.read_now()

    def show_run(self, run: str) -> None:
        """Read this run from now on."""
        self._run = run
        self.read_now()

    def read_now(self) -> None:
        """Read without waiting for the next second."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread after its present reading."""
        self._stopped = True
        self._subscriber = None
        self._wake.set()

    def _loop(self) -> None:
        while not self._stopped:
            self._wake.clear()
            self.latest = self.read_once()
            self.first_reading.set()
            subscriber = self._subscriber
            if subscriber is not None and self.latest != self._told:
                self._told = self.latest
                subscriber(self.latest)
            self._wake.wait(EVERY_SECONDS)
        if self._reader is not None:
            self._reader.close()

    def read_once(self) -> ScreenData:
        """One reading of the ledger."""
        now = steady(self._clock(), self.latest.moved_at)
        try:
            if self._reader is None:
                self._reader = self._open_reader()
            data = self._reader.read(self._run, now)
            self._failing_since = None
        except (LaststepError, sqlite3.Error, OSError) as error:
            data = self._failed(str(error), getattr(error, "HELP_TEXT", ""), now)
        except Exception as error:  # A thread that ends without a word would leave an old screen that looks live.
            data = self._failed(f"laststep itself failed: {type(error).__name__}: {error}", "please report it", now)
        return data

    def _failed(self, why: str, cure: str, now: float) -> ScreenData:
        """The last reading with the reason; the ledger is opened anew at the next one."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._failing_since is None:
            self._failing_since = now
        since = wording.age(steady(now, self._failing_since) - self._failing_since)
        problem = clean(f"unknown, since {since}, because {why}{' — ' if cure else ''}{cure}")
        return replace(self.latest, now=now, run=self.latest.run or self._run, ledger_problem=problem)
