"""A log file of any length by line number: where each line begins, found in steps, and the text of those asked for.

Knows no screen and no thread; each call does a bounded piece of work. A file that shrank, or is another one in the same
place, is indexed anew. A torn last line counts as far as it goes. A pipe or device in the log's place is refused.
"""

from __future__ import annotations

import os
import re
import stat
from array import array
from collections.abc import Iterator, Sequence

from monitor.report.clean_text import clean

STEP_BYTES = 4 << 20
"""Read in one step of indexing: some milliseconds of work."""

LONGEST_BYTES = 256 << 10
"""Read of one line; what lies further is not shown."""

_END = re.compile(rb"\n")


class LogIndex:
    """The lines of one file. Methods raise OSError where it can't be read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        """Bytes of the file when it was last looked at."""
        self._read = 0
        self._ends = array("q")
        self._identity: tuple[int, int] | None = None
        self.renewed = 0
        """How often the file turned out to be another one, or a shorter one."""

    @property
    def count(self) -> int:
        """Lines found so far, a torn last one included."""
        return len(self._ends) + (self._read > (self._ends[-1] if self._ends else 0))

    @property
    def whole(self) -> bool:
        """True where everything that was in the file is indexed."""
        return self._read >= self.size

    @property
    def torn(self) -> bool:
        """True where the last line has no end yet: its text may still grow."""
        return self.count > len(self._ends)

    def grow(self) -> None:
        """Look at the file, and index one step more of it."""
        descriptor = _opened(self.path)
        try:
            state = os.fstat(descriptor)
            identity = (state.st_dev, state.st_ino)
            if identity != self._identity or state.st_size < self._read:
                self.renewed += self._identity is not None
                self._identity, self._read, self._ends = identity, 0, array("q")
            self.size = state.st_size
            block = os.pread(descriptor, STEP_BYTES, self._read)
        finally:
            os.close(descriptor)
        self._ends.extend(self._read + found.end() for found in _END.finditer(block))
        self._read += len(block)
        if not block:
            self.size = self._read

    def texts(self, first: int, last: int) -> list[str]:
        """Clean text of the lines from `first` to before `last`."""
        last = min(last, self.count)
        if first >= last:
            return []
        descriptor = _opened(self.path)
        try:
            return list(self._texts(descriptor, first, last))
        finally:
            os.close(descriptor)

    def _texts(self, descriptor: int, first: int, last: int) -> Iterator[str]:
        begin, end = self._begin(first), self._begin(last)
        if end - begin <= STEP_BYTES:
            block = os.pread(descriptor, end - begin, begin)
            for number in range(first, last):
                yield shown(block[self._begin(number) - begin : self._begin(number + 1) - begin])
            return
        for number in range(first, last):
            begin = self._begin(number)
            yield shown(os.pread(descriptor, min(self._begin(number + 1) - begin, LONGEST_BYTES), begin))

    def _begin(self, number: int) -> int:
        """Where line `number` begins; the end of what was read, for the one after the last."""
        if number == 0:
            return 0
        return self._ends[number - 1] if number <= len(self._ends) else self._read


class TailLines:
    """Lines that are at hand already: the live document's, where the file can't be read from here."""

    whole = True
    torn = False
    renewed = 0

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self.count = len(lines)

    def texts(self, first: int, last: int) -> list[str]:
        """See `LogIndex.texts`."""
        return [clean(text) for text in self._lines[first:last]]


def shown(raw: bytes) -> str:
    """A line's bytes as a terminal would leave them: after the last redraw that says something, clean."""
    raw = raw[:LONGEST_BYTES].rstrip(b"\r\n")
    if b"\r" in raw:
        raw = next((part for part in reversed(raw.split(b"\r")) if part.strip()), b"")
    return clean(raw.decode("utf-8", errors="replace"))


def _opened(path: str) -> int:
    """A descriptor of a regular file. Never waits."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "no regular file", path)
    return descriptor
