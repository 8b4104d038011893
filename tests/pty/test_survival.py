"""The dashboard in a real terminal: it starts, obeys keys, and gives the terminal back however it ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.pty.terminal import ENTER, ESCAPE, Terminal


def start(example: str = "hanging", *words: str, **changes: object) -> Terminal:
    command = [sys.executable, "-m", "tests.pty.small_dashboard", example, *words]
    return Terminal(command, **changes)  # type: ignore[arg-type]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with start() as opened:
        opened.wait_for("q quit")
        yield opened


def test_q_leaves_with_0_and_restores_the_terminal(terminal: Terminal) -> None:
    terminal.send("q")
    assert terminal.wait_exit() == 0
    assert terminal.restored()
    assert terminal.restored(b"mouse")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_restores_the_terminal_and_says_so_in_the_exit_code(
    terminal: Terminal, number: signal.Signals, code: int
) -> None:
    terminal.kill(number)
    assert terminal.wait_exit() == code
    assert terminal.restored()
    assert terminal.restored(b"mouse")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_in_the_moment_the_screen_goes_up_restores_the_terminal(number: signal.Signals, code: int) -> None:
    with start() as terminal:
        terminal.wait_until(lambda: b"\x1b[?1049h" in terminal.received, "went to the alternate screen")
        terminal.kill(number)
        assert terminal.wait_exit() == code
        assert terminal.restored()
        assert terminal.restored(b"mouse")


@pytest.mark.parametrize("ignore_hangup", [False, True])
def test_a_vanished_terminal_ends_it_and_leaves_no_process(ignore_hangup: bool) -> None:
    with start(ignore_hangup=ignore_hangup) as terminal:
        terminal.wait_for("missing-final")
        children = psutil.Process(terminal.pid).children(recursive=True)
        terminal.hang_up()
        assert terminal.wait_exit() == 129
        assert not [child for child in children if child.is_running()]


def test_a_stopped_reader_of_the_terminal_does_not_stop_a_signal(terminal: Terminal) -> None:
    """Nobody reads the pty (a frozen ssh): SIGTERM still ends the process."""
    os.kill(terminal.pid, signal.SIGTERM)
    deadline = time.monotonic() + 30
    while not terminal.ended() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert terminal.exit_code == 143


def test_every_screen_opens_by_its_key_and_help_closes_again(terminal: Terminal) -> None:
    for key, text in [("2", "who waits for whom"), ("3", "standing"), ("4", "No rerun yet"), ("5", "last 6 lines")]:
        terminal.send(key)
        terminal.wait_for(text)
    terminal.send("?")
    terminal.wait_for("the run: alive, how far, trustworthy")
    terminal.send(ESCAPE)
    terminal.wait_gone("the run: alive, how far, trustworthy")


def test_a_larger_terminal_shows_more_of_the_same(terminal: Terminal) -> None:
    small = terminal.text()
    terminal.resize(50, 200)
    terminal.wait_for("score over steps")
    terminal.wait_until(lambda: "q quit" in terminal.lines()[-1], "drew the last row")
    large = terminal.text()
    for word in ("HANG", "missing-final", "validation", "findings", "phases", "log"):
        assert word in small
        assert word in large
    assert "update_weights of RolloutServer" in large


def test_a_storm_of_sizes_leaves_a_whole_screen(terminal: Terminal) -> None:
    for rows, columns in [(10, 40), (50, 200), (5, 20), (24, 79), (1, 1), (40, 120), (24, 80)] * 3:
        terminal.resize(rows, columns)
        terminal.pump(0.02)
    terminal.send("2")
    terminal.wait_for("who waits for whom")
    terminal.send("1")
    terminal.wait_for("how far")


def test_only_the_whole_name_launches(terminal: Terminal) -> None:
    terminal.send("r")
    terminal.wait_for("launch?")
    terminal.send(ENTER)
    terminal.wait_for("Not launched")
    terminal.send("grpo-arithmetic-20270115T075800" + ENTER)
    terminal.wait_for("preflight")
    terminal.send("Z" + ENTER)
    terminal.wait_gone("launch?")


def test_read_only_has_no_key_that_starts_anything() -> None:
    with start("hanging", "--read-only") as terminal:
        terminal.wait_for("read-only")
        assert "rerun" not in terminal.lines()[-1]
        terminal.send("r")
        terminal.send("2")
        terminal.wait_for("who waits for whom")
        assert "preflight" not in terminal.text()
