"""Textual's terminal driver, but it waits for keys, and takes the signals before it takes the terminal.

On a screen where nothing happens, its ten looks a second were most of what the dashboard cost. While something was
just typed it looks as often as textual does, since a lone Escape is told from the begin of a sequence by the time after
it. A signal that comes in the very moment the screen goes up finds the terminal restored.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import selectors
import time
from typing import Any

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from monitor.tui import lifecycle

LOOK_SECONDS = 0.1
RECENT_SECONDS = 1.0
"""So long after the last byte it still looks: any time-out of the parser is over by then."""
BLOCK_BYTES = 4096


class PatientDriver(LinuxDriver):
    """Reads the terminal in a thread that sleeps until there is something to read, or the application leaves."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        os.set_blocking(self._woken, False)

    def start_application_mode(self) -> None:
        """Take the signals, then the terminal."""
        lifecycle.end_on_signals(asyncio.get_running_loop(), lambda code: self._app.exit(return_code=code))
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def run_input_thread(self) -> None:
        """Bytes to events, until input is disabled."""
        parser = XTermParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, BLOCK_BYTES)
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            came = time.monotonic()
            while not self.exit_event.is_set():
                recent = time.monotonic() - came < RECENT_SECONDS
                ready = selector.select(LOOK_SECONDS if recent else None)
                if any(key.fd == self.fileno for key, _ in ready):
                    block = os.read(self.fileno, BLOCK_BYTES)
                    if not block:
                        return  # The terminal is gone; `lifecycle.py` ends the process.
                    came = time.monotonic()
                    for event in parser.feed(decode(block)):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)

    def disable_input(self) -> None:
        """End the thread, and whatever textual's own does."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._waker, b"x")
        super().disable_input()
