"""A run whose driver ended while no watch looked: it can't pass for one that still runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.ledger.standings import judge_run
from monitor.ledger.store import Ledger
from monitor.model.run import RunState
from monitor.model.score import Standing
from monitor.sources.process_mark import mark_of
from tests.ledger import examples


@pytest.fixture
def driver() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for the driver."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def unfinished(driver: subprocess.Popen[bytes]) -> RunState:
    """A run at step 21 of 29 that this driver leads."""
    state = examples.run(ended_at=None, ended_how=None, step=21)
    config = replace(state.config, driver_mark=mark_of(driver.pid))
    return replace(state, config=config, validations=state.validations[:2])


def end(driver: subprocess.Popen[bytes]) -> None:
    """kill -9, reaped."""
    driver.kill()
    driver.communicate()


def test_it_has_ended_and_lacks_its_final_validation(tmp_path: Path, driver: subprocess.Popen[bytes]) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.save_run(unfinished(driver))
        ledger.write_live(examples.RUN, {"at": 1234.5})
        end(driver)
        run, summary = ledger.run(examples.RUN), ledger.runs()[0]
    assert (run.ended_at, run.ended_how) == (summary.ended_at, summary.ended_how) == (1234.5, "gone-unseen")
    words, reasons = judge_run(run, ())
    assert words == (Standing.MISSING_FINAL,)
    assert "while nobody watched" in reasons[0]


def test_while_its_driver_lives_it_runs(tmp_path: Path, driver: subprocess.Popen[bytes]) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.save_run(unfinished(driver))
        assert ledger.run(examples.RUN).ended_at is None
        assert ledger.runs()[0].ended_at is None


def test_while_a_watch_holds_it_the_watch_decides(tmp_path: Path, driver: subprocess.Popen[bytes]) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger, ledger.claim_watch(examples.RUN):
        ledger.save_run(unfinished(driver))
        end(driver)
        assert ledger.run(examples.RUN).ended_at is None


def test_where_the_driver_was_never_seen_nothing_is_made_up(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.save_run(examples.run(ended_at=None, ended_how=None))
        assert ledger.run(examples.RUN).ended_at is None
