"""How the dashboard ends whatever happens: signals restore the terminal, a vanished terminal ends the process.

Covers SIGTERM, SIGHUP and SIGINT through the event loop, and a check once a second that the terminal still answers:
with SIGHUP ignored (nohup, tmux killed) textual would otherwise spin. Does not touch the watch, which lives on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import threading
import time
from collections.abc import Callable

from monitor.model.errors import ExitCode

CHECK_SECONDS = 1.0

RESTORE_SECONDS = 2.0
"""So long may restoring the terminal take after a signal, before the process ends without it."""

CODES = {
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.HANGUP,
    signal.SIGINT: ExitCode.INTERRUPT,
}


def end_on_signals(loop: asyncio.AbstractEventLoop, leave: Callable[[int], None]) -> None:
    """On SIGTERM, SIGHUP and SIGINT, `leave(exit code)` in the loop; a loop that can't leave is ended all the same."""

    def end(code: ExitCode) -> None:
        end_later(int(code))
        leave(int(code))

    for number, code in CODES.items():
        loop.add_signal_handler(number, end, code)


def end_later(code: int, seconds: float = RESTORE_SECONDS) -> None:
    """End the process with `code` after `seconds`, should it still be there."""
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()


def end_with_terminal(descriptor: int, gone: Callable[[int], None] = os._exit, pause: float = CHECK_SECONDS) -> None:
    """Watch the terminal from a thread of its own, and call `gone(129)` once it no longer answers."""
    thread = threading.Thread(target=_watch, args=(descriptor, gone, pause), name="terminal check", daemon=True)
    thread.start()


def _watch(descriptor: int, gone: Callable[[int], None], pause: float) -> None:
    while terminal_answers(descriptor):
        time.sleep(pause)
    gone(int(ExitCode.HANGUP))


def terminal_answers(descriptor: int) -> bool:
    """True while `descriptor` is a terminal that is still there."""
    try:
        termios.tcgetattr(descriptor)
    except (termios.error, OSError):
        return False
    return True
