"""The reading thread: what fails is said with since when, and the last reading stays."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from monitor.model.errors import LaststepError
from monitor.tui.feed import Feed
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
