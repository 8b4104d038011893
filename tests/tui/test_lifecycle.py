"""The terminal check: a terminal that answers is left alone, one that does not ends the process with 129."""

from __future__ import annotations

import os
import pty
import threading

from monitor.tui import lifecycle


def test_a_vanished_terminal_is_noticed_once() -> None:
    master, terminal = pty.openpty()
    gone: list[int] = []
    noticed = threading.Event()

    def end(code: int) -> None:
        gone.append(code)
        noticed.set()

    assert lifecycle.terminal_answers(terminal)
    lifecycle.end_with_terminal(terminal, end, pause=0.01)
    os.close(master)
    assert noticed.wait(30)
    assert gone == [129]
    os.close(terminal)


def test_what_is_no_terminal_does_not_answer() -> None:
    reader, writer = os.pipe()
    assert not lifecycle.terminal_answers(reader)
    os.close(reader)
    os.close(writer)
