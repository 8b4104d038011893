"""The dashboard as the command starts it, in a real terminal, on a real ledger that is written while it looks."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.ledger.store import Ledger
from monitor.model.run import Validation
from tests.pty.terminal import Terminal
from tests.tui import examples

PROGRAM = (
    "import sys; from monitor.tui.app import run; sys.exit(run(sys.argv[1], None, read_only='--read-only' in sys.argv))"
)


def dashboard(path: Path, *words: str, rows: int = 24, columns: int = 80) -> Terminal:
    return Terminal([sys.executable, "-c", PROGRAM, str(path), *words], rows=rows, columns=columns)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        opened.save_run(examples.state())
        for score in examples.scores():
            opened.add_score(score)
        with opened.claim_watch(examples.RUN):
            yield opened


def write(ledger: Ledger, done: int) -> None:
    validations = (*examples.state().validations[:2], Validation(29, True, time.time() - 9, None, done, 256))
    ledger.write_live(examples.RUN, examples.document(examples.state(validations=validations), at=time.time()))


def test_what_the_watch_writes_appears(ledger: Ledger) -> None:
    write(ledger, 17)
    with dashboard(ledger.path) as terminal:
        terminal.wait_for("17/256 samples")
        write(ledger, 18)
        terminal.wait_for("18/256 samples")
        terminal.send("3")
        terminal.wait_for("not-final")


def test_the_first_line_is_printed_before_the_screen_opens(ledger: Ledger) -> None:
    with dashboard(ledger.path) as terminal:
        terminal.wait_until(lambda: b"opening the dashboard" in terminal.received, "said that it opens")
        terminal.wait_for("how far")
        received = bytes(terminal.received)
        assert received.index(b"opening the dashboard") < received.index(b"\x1b[?1049h")


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200)])
def test_both_sizes_show_the_same_run(ledger: Ledger, rows: int, columns: int) -> None:
    write(ledger, 17)
    with dashboard(ledger.path, rows=rows, columns=columns) as terminal:
        # A frame comes colour by colour, in more than one read.
        for word in ("HEALTHY", examples.RUN, "step 29/29", "17/256 samples", "validation", "phases", "gpus", "log"):
            terminal.wait_for(word)
        while terminal.pump(0.5):
            pass
        assert ("score over steps" in terminal.text()) is (columns == 200)


def test_killing_it_leaves_the_ledger_to_the_watch(ledger: Ledger) -> None:
    write(ledger, 17)
    for done in (18, 19, 20):
        with dashboard(ledger.path) as terminal:
            terminal.wait_for("how far")
            terminal.kill(signal.SIGKILL)
            terminal.wait_exit()
        write(ledger, done)
    document = ledger.live(examples.RUN)
    assert document is not None
    assert document["run"]["validations"][-1]["done"] == 20


def test_a_ledger_that_begins_later_is_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with dashboard(path) as terminal:
        terminal.wait_for("No run is in the ledger yet")
        with Ledger.open(path) as ledger:
            ledger.save_run(examples.state())
            write(ledger, 99)
            terminal.wait_for("99/256 samples")


def test_a_watch_that_died_is_said(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.save_run(replace(examples.state()))
        write(ledger, 17)
        with dashboard(ledger.path) as terminal:
            terminal.wait_for("watch dead")
            terminal.wait_for("laststep watch")
