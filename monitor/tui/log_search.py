"""Which lines of a log match, found a bounded piece at a time, and the page of lines that a screen shows of it.

Pure but for the lines' own reading: who calls it, and how often, is `log_reader.py`.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Protocol

STEP_LINES = 2000
"""Searched in one step: a few milliseconds of work."""


class Lines(Protocol):
    """Numbered lines, of a file or at hand."""

    @property
    def count(self) -> int:
        """Lines there are so far."""

    @property
    def whole(self) -> bool:
        """No line is still to be found."""

    @property
    def torn(self) -> bool:
        """The last line has no end yet."""

    @property
    def renewed(self) -> int:
        """How often all lines became others."""

    def texts(self, first: int, last: int) -> list[str]:
        """Clean text of the lines from `first` to before `last`. May raise OSError."""


@dataclass(frozen=True)
class LogRequest:
    """What a screen wants to see."""

    path: str | None
    tail: tuple[str, ...] = ()
    """Lines at hand, for where the file can't be read."""
    rows: int = 20
    top: int | None = None
    """First line of the page, counted among the lines that are shown; None follows the end."""
    pattern: re.Pattern[str] | None = None
    only: bool = True
    """Only lines that match are shown; else all are, and matches are found with n and N."""


@dataclass(frozen=True)
class LogPage:
    """A page of the log, and where it lies."""

    rows: tuple[tuple[int, str], ...] = ()
    """Line number from 1, and text."""
    top: int = 0
    shown: int = 0
    """Lines that could be shown: all, or those that match."""
    total: int = 0
    matching: int = 0
    complete: bool = True
    """All of the file is indexed and searched."""
    following: int | None = None
    """Place of the next match below the page's first line, and of the one above it; None: no other."""
    previous: int | None = None
    from_file: bool = True
    problem: str = ""


class LogSearch:
    """The numbers of the lines that match, so far."""

    def __init__(self, pattern: re.Pattern[str] | None) -> None:
        self.pattern = pattern
        self.matches = array("q")
        self._searched = 0
        self._renewed = 0

    def complete(self, lines: Lines) -> bool:
        """True where every line there is was searched."""
        return self.pattern is None or (self._renewed == lines.renewed and self._searched >= lines.count - lines.torn)

    def step(self, lines: Lines) -> None:
        """Search some lines more; a torn last line is searched once it has its end."""
        if self.pattern is None:
            return
        if self._renewed != lines.renewed:
            self._renewed, self._searched, self.matches = lines.renewed, 0, array("q")
        last = min(self._searched + STEP_LINES, lines.count - lines.torn)
        texts = lines.texts(self._searched, last)
        search = self.pattern.search
        self.matches.extend(number for number, text in enumerate(texts, self._searched) if search(text))
        self._searched = max(last, self._searched)


def page(lines: Lines, search: LogSearch, request: LogRequest, problem: str = "", *, from_file: bool = True) -> LogPage:
    """The page that was asked for, of what is known so far."""
    filtered = request.only and search.pattern is not None
    shown = len(search.matches) if filtered else lines.count
    last_top = max(shown - request.rows, 0)
    top = last_top if request.top is None else min(max(request.top, 0), last_top)
    end = min(top + request.rows, shown)
    if filtered:
        rows = tuple((number + 1, _one(lines, number)) for number in search.matches[top:end])
        following, previous = None, None
    else:
        rows = tuple(enumerate(lines.texts(top, end), top + 1))
        below, above = bisect_right(search.matches, top), bisect_left(search.matches, top) - 1
        following = search.matches[below] if below < len(search.matches) else None
        previous = search.matches[above] if above >= 0 else None
    complete = lines.whole and search.complete(lines)
    total, matching = lines.count, len(search.matches)
    return LogPage(rows, top, shown, total, matching, complete, following, previous, from_file, problem)


def _one(lines: Lines, number: int) -> str:
    return next(iter(lines.texts(number, number + 1)), "")
