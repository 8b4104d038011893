"""The reading thread: what fails is said with since when, and the last reading stays."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from monitor.model.errors import LaststepError
from monitor.tui.feed import Feed
from monitor.tui.screen_data import ScreenData
from tests.tui import examples
from tests.tui.fakes import FakeLedger


def feed(ledger: FakeLedger, times: Iterator[float]) -> Feed:
    return Feed(lambda: ledger, "a", clock=lambda: next(times))


@pytest.mark.parametrize(
    "error", [LaststepError("no ledger", "watch"), sqlite3.OperationalError("locked"), OSError("gone"), KeyError("bug")]
)
def test_a_failed_reading_keeps_the_last_one_and_says_since_when(error: Exception) -> None:
    ledger = FakeLedger(examples.hanging())
    reading = feed(ledger, iter([0.0, 1.0, 2.0, 40.0, 41.0]))
    reading.latest = reading.read_once()
    ledger.error = error
    assert "since now" in reading.read_once().ledger_problem
    failed = reading.read_once()
    assert failed.run == examples.RUN
    assert "unknown, since 35 s, because" in failed.ledger_problem
    ledger.error = None
    assert reading.read_once().ledger_problem == ""


def test_a_ledger_that_can_not_be_opened_is_tried_again() -> None:
    attempts = []

    def open_reader() -> FakeLedger:
        attempts.append(1)
        if len(attempts) == 1:
            raise LaststepError("no ledger")
        return FakeLedger(examples.healthy())

    reading = Feed(open_reader, None)
    assert "no ledger" in reading.read_once().ledger_problem
    assert reading.read_once().ledger_problem == ""


def told_of(ledger: FakeLedger, clock: Iterator[float], looks: int) -> list[ScreenData]:
    """What a subscriber is told in so many readings."""
    told: list[ScreenData] = []
    read = threading.Semaphore(0)

    def now() -> float:
        read.release()
        return next(clock)

    reading = Feed(lambda: ledger, "a", clock=now)
    reading.subscribe(told.append)
    reading.start()
    for _ in range(looks + 2):  # One in the constructor; the last one shows that the one before is done.
        assert read.acquire(timeout=30)
        reading.read_now()
    reading.stop()
    return told


def test_a_reading_that_equals_the_last_one_is_not_told() -> None:
    assert len(told_of(FakeLedger(examples.healthy()), itertools.count(examples.NOW), 4)) == 1


def test_a_reading_that_differs_is_told() -> None:
    class Growing(FakeLedger):
        def read(self, run: str | None, now: float) -> ScreenData:
            return replace(super().read(run, now), now=now)

    assert len(told_of(Growing(ScreenData(0.0)), itertools.count(0.0, 10.0), 4)) >= 3


def test_ages_count_from_a_clock_that_stands_still_between_steps_where_nothing_moves() -> None:
    class Telling(FakeLedger):
        def read(self, run: str | None, now: float) -> ScreenData:
            return replace(super().read(run, now), now=now)

    moved = examples.NOW - 1
    reading = feed(Telling(examples.healthy()), iter([moved, *(moved + quiet for quiet in (13.0, 14.9, 71.0, 79.0))]))
    clocks = []
    reading.latest = replace(examples.healthy(), now=moved)
    for _ in range(4):
        reading.latest = reading.read_once()
        clocks.append(reading.latest.now - moved)
    assert clocks == [10.0, 10.0, 70.0, 70.0]
