"""A real terminal for tests: a program in a pty, its screen as text (pyte), keys, signals, size, and its loss.

    with Terminal([sys.executable, "-m", "monitor.cli"], rows=24, columns=80) as terminal:
        terminal.wait_for("HANG")
        terminal.send("r")

Every wait has a deadline and fails with what stood on the screen. Ends only the process it started.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

import pyte

PATIENCE_SECONDS = 60.0

ENTER, ESCAPE, UP, DOWN, PAGE_DOWN, BACKSPACE = "\r", "\x1b", "\x1b[A", "\x1b[B", "\x1b[6~", "\x7f"

# What pyte 0.8 does not know and would print: kitty keyboard, DEC private requests, window reports.
_NOT_FOR_PYTE = re.compile(rb"\x1b\[[<>=?][0-9;]*[a-zA-Z$]*[upqcn]|\x1b\[\?[0-9;]*\$p|\x1b\[[0-9;]*t|\x1b\[>[0-9;]*m")
_MODES = {b"alternate screen": (b"\x1b[?1049h", b"\x1b[?1049l"), b"mouse": (b"\x1b[?1000h", b"\x1b[?1000l")}


class Terminal:
    """One program in one pty."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        rows: int = 24,
        columns: int = 80,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        ignore_hangup: bool = False,
    ) -> None:
        self._display = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._display)
        self.received = bytearray()
        self.exit_code: int | None = None
        self._closed = False
        variables = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        variables.update(environment or {})
        for name in ("LINES", "COLUMNS", "NO_COLOR"):
            variables.pop(name, None)
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            # Tests started under nohup inherit an ignored SIGHUP: one that came early would be lost.
            signal.signal(signal.SIGHUP, signal.SIG_IGN if ignore_hangup else signal.SIG_DFL)
            if directory is not None:
                os.chdir(directory)
            os.execvpe(command[0], list(command), variables)
        self._set_size(rows, columns)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)
            self._reap(os.WEXITED)
        self.hang_up()

    # Looking.

    def lines(self) -> list[str]:
        """The rows of the screen, without spaces at their ends."""
        return [row.rstrip() for row in self._display.display]

    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self.lines())

    def restored(self, mode: bytes = b"alternate screen") -> bool:
        """True where the last thing said about a mode (`alternate screen`, `mouse`) was that it is off."""
        on, off = _MODES[mode]
        return self.received.rfind(off) >= self.received.rfind(on)

    # Waiting.

    def pump(self, seconds: float = 0.05) -> int:
        """Read what arrives within `seconds`; the number of bytes."""
        if self._closed or not select.select([self._master], [], [], seconds)[0]:
            return 0
        try:
            block = os.read(self._master, 65536)
        except OSError:
            block = b""
        if not block:
            time.sleep(min(seconds, 0.02))
            return 0
        self._answer(block)
        self.received += block
        self._stream.feed(_NOT_FOR_PYTE.sub(b"", block))
        return len(block)

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Read until the condition holds; fails with the screen."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.pump()
            if time.monotonic() > deadline or (self.ended() and not self.pump(0.2) and not condition()):
                state = f"ended with {self.exit_code}" if self.exit_code is not None else f"{seconds:.0f} s passed"
                raise AssertionError(f"never {what} ({state}); the screen:\n{self.text()}")

    def wait_for(self, text: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Read until `text` stands in one row."""
        self.wait_until(lambda: any(text in row for row in self.lines()), f"showed {text!r}", seconds)

    def wait_gone(self, text: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Read until `text` stands in no row."""
        self.wait_until(lambda: not any(text in row for row in self.lines()), f"took {text!r} away", seconds)

    def wait_exit(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Read until the program ended; its exit code (negative: the signal that ended it)."""
        deadline = time.monotonic() + seconds
        while not self.ended():
            self.pump()
            if time.monotonic() > deadline:
                raise AssertionError(f"never ended; the screen:\n{self.text()}")
        while self.pump(0.1):
            pass
        assert self.exit_code is not None
        return self.exit_code

    def ended(self) -> bool:
        """True once the program is gone."""
        if self.exit_code is None:
            self._reap(os.WEXITED | os.WNOHANG)
        return self.exit_code is not None

    # Acting.

    def send(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def kill(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        os.kill(self.pid, number)

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size."""
        self._display.resize(rows, columns)
        self._set_size(rows, columns)

    def hang_up(self) -> None:
        """The terminal vanishes."""
        if not self._closed:
            self._closed = True
            os.close(self._master)

    def _set_size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _answer(self, block: bytes) -> None:
        """Answer what a terminal is asked: what it is, and where its cursor stands."""
        if b"\x1b[c" in block or b"\x1b[0c" in block:
            os.write(self._master, b"\x1b[?62;c")
        if b"\x1b[6n" in block:
            os.write(self._master, b"\x1b[1;1R")

    def _reap(self, options: int) -> None:
        found = os.waitid(os.P_PID, self.pid, options)
        if found is not None:
            exited = found.si_code == os.CLD_EXITED
            self.exit_code = found.si_status if exited else -found.si_status
