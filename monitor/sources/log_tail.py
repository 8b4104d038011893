"""Following a text file that grows, is rotated, truncated or erased, cut in mid-line, or full of control characters.

A line is given once, when its end (newline, or a carriage return that redraws it) has been written; text without an end
is kept for the next reading. Lines are bounded: of a longer one the beginning is given and the rest dropped. Escape
sequences and control characters are removed here, so that no reader ever sees one. Does not interpret lines.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monitor.model.reading import SourceError

LONGEST_LINE = 1 << 20
READ_AT_ONCE = 16 << 20
"""Bytes of one reading; what is beyond it is read at the next one."""
REMEMBERED = 64
"""Bytes before the reading position that must still be there, or the file is another."""

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b[ -~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_ENDS = re.compile(rb"\r\n|\n|\r")


class LogGone(SourceError):
    """A log that was there can't be read."""

    HELP_TEXT = "the run may write elsewhere now: point to its log with `--log PATH`"


@dataclass(frozen=True)
class LogLine:
    """One line, clean. `number` counts newlines from 1; a redrawn line keeps its number."""

    number: int
    text: str
    cut: bool = False
    """Longer than `LONGEST_LINE`: the rest was dropped."""


def clean(text: str) -> str:
    """`text` without escape sequences and control characters; a tab becomes a space."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text).replace("\t", " "))


class LogTail:
    """A position in one file. A file that does not exist yet has no lines; one that vanished raises `LogGone`."""

    def __init__(self, path: Path, longest_line: int = LONGEST_LINE, read_at_once: int = READ_AT_ONCE) -> None:
        self.path = path
        self.restarts: list[str] = []
        """`rotated` or `truncated`, each time the file began anew; the reader empties it."""
        self.behind = False
        """More is there than was read."""
        self.modified_at: float | None = None
        self._longest = longest_line
        self._read_at_once = read_at_once
        self._identity: tuple[int, int] | None = None
        self._file: int | None = None
        self._reset()

    def _reset(self) -> None:
        self._offset = 0
        self._number = 1
        self._partial = b""
        self._dropping = False
        self._after_return = False
        self._tail = b""

    def lines(self) -> list[LogLine]:
        """The lines that were completed since the last call."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError as error:
            rest = self._take()
            if rest or self._identity is None:
                return rest
            raise LogGone(f"{self.path} is gone") from error
        except OSError as error:
            raise LogGone(f"{self.path} can't be read: {error.strerror}") from error
        lines: list[LogLine] = []
        if self._identity != (found.st_dev, found.st_ino):
            if self._identity is not None:
                lines = self._take()
                self.restarts.append("rotated")
            self._open(found)
        elif self._began_anew(found.st_size):
            self.restarts.append("truncated")
            self._reset()
        self.modified_at = found.st_mtime
        return lines + self._take()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self, found: os.stat_result) -> None:
        self.close()
        try:
            self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise LogGone(f"{self.path} can't be read: {error.strerror}") from error
        self._identity = (found.st_dev, found.st_ino)
        self._reset()

    def _began_anew(self, size: int) -> bool:
        """Shorter than what was read, or other bytes where the reading stopped."""
        if size < self._offset:
            return True
        if self._file is None or size == self._offset or not self._tail:
            return False
        return os.pread(self._file, len(self._tail), self._offset - len(self._tail)) != self._tail

    def _take(self) -> list[LogLine]:
        if self._file is None:
            return []
        try:
            block = os.pread(self._file, self._read_at_once, self._offset)
        except OSError as error:
            raise LogGone(f"{self.path} can't be read: {error.strerror}") from error
        self.behind = len(block) == self._read_at_once
        if not block:
            return []
        self._offset += len(block)
        self._tail = (self._tail + block)[-REMEMBERED:]
        return list(self._split(block))

    def _split(self, block: bytes) -> Iterator[LogLine]:
        position = 0
        if self._after_return and block.startswith(b"\n"):
            # The newline of a "\r\n" whose halves came in two readings: its line was given already.
            self._number += 1
            position = 1
        self._after_return = block.endswith(b"\r")
        for end in _ENDS.finditer(block, position):
            line = self._finish(block[position : end.start()])
            if line is not None:
                yield line
            if end.group() != b"\r":
                self._number += 1
            position = end.end()
        self._keep(block[position:])

    def _keep(self, piece: bytes) -> None:
        room = self._longest - len(self._partial)
        self._dropping = self._dropping or len(piece) > room
        self._partial += piece[: max(0, room)]

    def _finish(self, piece: bytes) -> LogLine | None:
        self._keep(piece)
        text = clean(self._partial.decode("utf-8", "replace")).rstrip()
        line = LogLine(self._number, text, self._dropping) if text else None
        self._partial, self._dropping = b"", False
        return line
