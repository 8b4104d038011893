"""Where nothing changes, nothing is sent: not a byte in a real terminal, whatever the watch writes about itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.terminal_play import ended, paused
from monitor.ledger.store import Ledger
from tests.pty.terminal import Terminal
from tests.pty.test_real_ledger import dashboard
from tests.tui import examples

LONG_AGO = 50 * 3600.0
"""Ages of days change once a day, so that no test meets a change."""

LOOKS = 5


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        opened.save_run(examples.state(started_at=time.time() - LONG_AGO))
        for score in examples.scores():
            opened.add_score(replace(score, recorded_at=time.time() - LONG_AGO))
        with opened.claim_watch(examples.RUN):
            yield opened


def bytes_while(terminal: Terminal, step: Callable[[], object]) -> int:
    """Bytes that arrive while `step` is done some times, each time for longer than a reading takes to come."""
    while terminal.pump(1.5):
        pass
    before = len(terminal.received)
    for _ in range(LOOKS):
        step()
        until = time.monotonic() + 1.2
        while time.monotonic() < until:
            terminal.pump(0.1)
    return len(terminal.received) - before


@pytest.mark.parametrize("size", [(24, 80), (40, 120), (50, 200)])
def test_a_run_that_is_paused_costs_no_byte_though_the_watch_writes_each_second(
    ledger: Ledger, size: tuple[int, int]
) -> None:
    since = time.time() - LONG_AGO

    def write() -> None:
        ledger.write_live(examples.RUN, paused(since, time.time()))

    write()
    with dashboard(ledger.path, rows=size[0], columns=size[1]) as terminal:
        terminal.wait_for("how far")
        terminal.wait_for("stopped")
        assert bytes_while(terminal, write) == 0
        moved: dict[str, Any] = paused(since, time.time())
        moved["run"]["validations"][-1]["done"] = 200
        ledger.write_live(examples.RUN, moved)
        terminal.wait_for("200/256 samples")


def test_a_run_that_has_ended_costs_no_byte(ledger: Ledger) -> None:
    ledger.write_live(examples.RUN, ended(time.time() - LONG_AGO))
    with dashboard(ledger.path) as terminal:
        terminal.wait_for("ENDED")
        assert bytes_while(terminal, lambda: None) == 0


def test_a_watch_that_is_silent_costs_no_byte_between_the_steps_of_its_age(ledger: Ledger) -> None:
    since = time.time() - LONG_AGO
    ledger.write_live(examples.RUN, paused(since, since))
    with dashboard(ledger.path) as terminal:
        terminal.wait_for("watch silent")
        assert bytes_while(terminal, lambda: None) == 0


def test_a_notice_of_the_footer_goes_away_and_then_nothing_is_sent(ledger: Ledger) -> None:
    ledger.write_live(examples.RUN, ended(time.time() - LONG_AGO))
    with dashboard(ledger.path) as terminal:
        terminal.wait_for("ENDED")
        terminal.send("b")
        terminal.wait_for("There is no bundle")
        terminal.wait_gone("There is no bundle")
        assert bytes_while(terminal, lambda: None) == 0
