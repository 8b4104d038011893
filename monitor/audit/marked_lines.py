"""The few lines of a large log that can tell something, found in bytes: all others are never decoded.

Covers line numbers, lines cut by chunk borders, carriage returns that redraw a line, and lines of any length (of one
longer than `LONGEST_LINE` the beginning is kept). Does not interpret a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

from monitor.sources.log_tail import LONGEST_LINE, clean

_PREFIX = rb"(?:\x1b\[\d+m)?(?:\([^()\r\n]{1,120}\)(?:\x1b\[\d*m)? ?)?"
_RAY = re.compile(r"^\s*\([^()]{1,80}pid=\d+[^()]{0,80}\) ?")
"""Ray puts it before a line once; what is redrawn in the same line is said by the same process."""

TORN = "…"
"""Put at the end of a last line that has no end: of a number there nobody knows whether it is whole."""

Take = Callable[[int, str], bool]
"""Gets a line's number and clean text; True where the next line is wanted too, whatever it holds."""


@cache
def head_pattern(heads: tuple[str, ...], redrawn: bool) -> re.Pattern[bytes]:
    """A line's end followed by a line that begins with one of `heads`, with or without Ray's prefix."""
    ends = rb"[\r\n]" if redrawn else rb"\n"
    return re.compile(ends + _PREFIX + b"(?:" + "|".join(heads).encode() + b")")


class MarkedLines:
    """Gives the lines that begin with one of `heads` or hold one of `find` to `take`, in order."""

    def __init__(self, heads: Sequence[str], find: Sequence[str], take: Take) -> None:
        self._heads = tuple(heads)
        self._find = tuple(needle.encode() for needle in find)
        self._take = take
        self._rest = b""
        self._dropping = False
        self._wanted = False
        self.number = 1
        """Number of the line that comes next."""
        self.cut = 0
        """Lines longer than `LONGEST_LINE`."""

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the log, as UTF-8."""
        if self._dropping:
            end = chunk.find(b"\n")
            if end < 0:
                return
            self._dropping = False
            chunk = chunk[end:]
        data = self._rest + chunk if self._rest else chunk
        end = data.rfind(b"\n") + 1
        if end:
            self._read(data[:end])
        self._rest = data[end:]
        if len(self._rest) > LONGEST_LINE:
            self._rest, self._dropping = self._rest[:LONGEST_LINE], True
            self.cut += 1

    def finish(self) -> None:
        """The log ends here: what is left has no end of line, so it may be cut, and is marked so."""
        if self._rest:
            self._read(self._rest + TORN.encode() + b"\n")
            self._rest = b""

    def _read(self, body: bytes) -> None:
        starts = self._starts(body)
        position = counted = 0
        for start in starts:
            while self._wanted and position < start:
                position = self._line(body, position, counted)
                counted = position
            if start < position:
                continue
            self.number += body.count(b"\n", counted, start)
            counted = start
            position = self._line(body, start, counted)
            counted = position
        while self._wanted and position < len(body):
            position = self._line(body, position, counted)
            counted = position
        self.number += body.count(b"\n", counted)

    def _line(self, body: bytes, start: int, counted: int) -> int:
        """Give the line at `start`; where the next one begins."""
        if counted < start:
            self.number += body.count(b"\n", counted, start)
        end = body.find(b"\n", start)
        if end - start > LONGEST_LINE:
            self.cut += 1
        text = body[start : min(end, start + LONGEST_LINE)].decode("utf-8", "replace")
        self._wanted = False
        prefix = ""
        for piece in text.split("\r") if "\r" in text else (text,):
            # Most lines hold nothing to clean, and this test is cheaper than the cleaning.
            plain = piece.isascii() and piece.isprintable()
            cleaned = (piece if plain else clean(piece)).rstrip()
            if cleaned:
                said = _RAY.match(cleaned)
                prefix = said.group() if said else prefix
                self._wanted = self._take(self.number, cleaned if said else prefix + cleaned)
        self.number += 1
        return end + 1

    def _starts(self, body: bytes) -> list[int]:
        """Where the marked lines of `body` begin, in order."""
        pattern = head_pattern(self._heads, b"\r" in body)
        starts = set()
        # The pattern begins with a line's end: the first line of the body has none before it.
        if pattern.match(b"\n" + body[: min(len(body), 4096)]):
            starts.add(0)
        for match in pattern.finditer(body):
            at = match.start()
            starts.add(at + 1 if body[at] == 10 else body.rfind(b"\n", 0, at) + 1)
        for needle in self._find:
            hit = body.find(needle)
            while hit >= 0:
                starts.add(body.rfind(b"\n", 0, hit) + 1)
                end = body.find(b"\n", hit)
                hit = body.find(needle, end) if end >= 0 else -1
        return sorted(starts)
