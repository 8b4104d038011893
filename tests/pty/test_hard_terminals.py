"""Terminals that can't, ledgers that won't: the dashboard says so, keeps its keys, and gives the terminal back."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from monitor.ledger import schema
from monitor.ledger.store import Ledger
from tests.pty.terminal import Terminal
from tests.pty.test_real_ledger import dashboard, write
from tests.pty.test_survival import start
from tests.tui import examples

ROOT = str(Path(__file__).resolve().parents[2])


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        opened.save_run(examples.state())
        write(opened, 17)
        yield opened


def answers_keys(terminal: Terminal) -> bool:
    """The Scores screen and back, at once."""
    for key, text in (("3", "standing"), ("1", "how far")):
        terminal.send(key)
        terminal.wait_for(text, seconds=10)
    return True


def test_suspended_and_resumed_it_gives_the_terminal_back_and_draws_anew() -> None:
    with start() as terminal:
        terminal.wait_for("q quit")
        os.kill(terminal.pid, signal.SIGTSTP)
        deadline = time.monotonic() + 20
        while psutil.Process(terminal.pid).status() != psutil.STATUS_STOPPED:
            terminal.pump()
            assert time.monotonic() < deadline, "never stopped"
        while terminal.pump(0.2):
            pass
        assert terminal.restored() and terminal.restored(b"mouse")
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.wait_until(lambda: not terminal.restored(), "took the screen again")
        assert answers_keys(terminal)
        terminal.kill(signal.SIGTERM)
        assert terminal.wait_exit() == 143
        assert terminal.restored()


def test_a_dumb_terminal_is_told_what_to_call_instead(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "monitor.cli"]
    folders = {"TERM": "dumb", "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": ROOT}
    with Terminal(words, environment=folders) as terminal:
        assert terminal.wait_exit() == 2
        assert "TERM=dumb" in terminal.text() and "laststep status" in terminal.text()
        assert b"\x1b" not in terminal.received


@pytest.mark.parametrize("variables", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "latin-1"}])
def test_without_utf_8_it_still_shows_the_run(ledger: Ledger, variables: dict[str, str]) -> None:
    program = "import sys; from monitor.tui.app import run; sys.exit(run(sys.argv[1], None))"
    with Terminal([sys.executable, "-c", program, str(ledger.path)], environment=variables) as terminal:
        terminal.wait_for("17/256 samples")
        assert answers_keys(terminal)
        terminal.send("q")
        assert terminal.wait_exit() == 0


def test_a_ledger_that_is_locked_by_another_freezes_no_key(ledger: Ledger) -> None:
    with dashboard(ledger.path) as terminal:
        terminal.wait_for("17/256 samples")
        other = sqlite3.connect(ledger.path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        assert answers_keys(terminal)
        other.execute("ROLLBACK")
        other.close()
        terminal.send("q")
        assert terminal.wait_exit() == 0


def test_a_ledger_that_is_gone_is_survived_and_found_again(ledger: Ledger, tmp_path: Path) -> None:
    with dashboard(ledger.path) as terminal:
        terminal.wait_for("17/256 samples")
        for path in tmp_path.glob("ledger.sqlite*"):
            path.unlink()
        terminal.wait_gone("17/256 samples")
        terminal.send("?")
        terminal.wait_for("Esc closes", seconds=10)
        terminal.send("\x1b")
        with Ledger.open(tmp_path / "ledger.sqlite") as anew:
            anew.save_run(examples.state())
            write(anew, 42)
            terminal.wait_for("42/256 samples")


def test_a_ledger_of_a_newer_version_is_shown_and_not_written(ledger: Ledger) -> None:
    path = ledger.path
    ledger.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA + 1}")
    before = path.read_bytes()
    with dashboard(path, rows=50, columns=200) as terminal:
        terminal.wait_for("17/256 samples")
        terminal.wait_for("newer laststep")
        terminal.send("q")
        assert terminal.wait_exit() == 0
    assert path.read_bytes() == before


def test_a_log_that_hangs_freezes_no_key(ledger: Ledger, tmp_path: Path) -> None:
    pipe = tmp_path / "console.log"
    os.mkfifo(pipe)
    log = {"path": str(pipe), "tail": []}
    ledger.write_live(examples.RUN, examples.document(examples.state(), at=time.time(), log=log))
    with dashboard(ledger.path) as terminal:
        terminal.wait_for("how far")
        terminal.send("5")
        terminal.wait_for("no regular file")
        assert answers_keys(terminal)


def test_a_watch_that_is_stopped_in_mid_air_freezes_no_key_and_is_said(ledger: Ledger) -> None:
    """NVML and Ray are asked by the watch alone: if it hangs in either, the screen shows old facts with their age."""
    old = examples.document(replace(examples.state()), at=time.time() - 90)
    ledger.write_live(examples.RUN, old)
    with dashboard(ledger.path) as terminal:
        terminal.wait_for("how far")
        assert answers_keys(terminal)
        assert "watch" in terminal.text()
