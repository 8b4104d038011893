"""The end of a log file as clean lines, read again only when the file has changed.

Reads at most `MOST_BYTES` from the end, whatever the file's size, and never waits: a pipe or a device in the log's
place is refused. A torn last line is shown as far as it goes. Does not search a whole log.
"""

from __future__ import annotations

import os
import stat

from monitor.report.clean_text import clean

MOST_BYTES = 256 * 1024
MOST_LINES = 2000


class LogFile:
    """Remembers what it read last, and of which state of the file."""

    def __init__(self) -> None:
        self._seen: tuple[str, int, int, int] | None = None
        self._lines: tuple[str, ...] = ()

    def read(self, path: str) -> tuple[tuple[str, ...], str]:
        """The last lines, and why they can't be read (then the lines of before)."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            return self._lines, clean(f"can't read {path}: {error.strerror}")
        try:
            return self._read_open(path, descriptor)
        except OSError as error:
            return self._lines, clean(f"can't read {path}: {error.strerror}")
        finally:
            os.close(descriptor)

    def _read_open(self, path: str, descriptor: int) -> tuple[tuple[str, ...], str]:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            return (), clean(f"{path} is no regular file")
        seen = (path, state.st_ino, state.st_size, state.st_mtime_ns)
        if seen != self._seen:
            start = max(state.st_size - MOST_BYTES, 0)
            self._lines = _lines(os.pread(descriptor, MOST_BYTES, start), cut=start > 0)
            self._seen = seen
        return self._lines, ""


def _lines(block: bytes, *, cut: bool) -> tuple[str, ...]:
    """Clean lines of a block; the first one is left out where the block begins inside it."""
    parts = block.split(b"\n")
    if cut and len(parts) > 1:
        parts = parts[1:]
    if parts and not parts[-1]:
        parts = parts[:-1]
    return tuple(clean(part.decode("utf-8", errors="replace")) for part in parts[-MOST_LINES:])
