"""Sections of a screen, and how they share the rows there are: each gets its least first, then what it can use.

Pure. A section that is cut says how many lines are left out; one that has no room for its least is left out whole,
the last ones first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.tui.cells import Line, line, rule, span


@dataclass(frozen=True)
class Section:
    """A titled block. Order on the screen is the order given; `rank` says who gets rows first (small first)."""

    title: str
    lines: tuple[Line, ...]
    least: int = 1
    """Lines (below the title) without which it isn't worth showing."""
    rank: int = 5
    note: str = ""
    grows: bool = False
    """Takes the rows that are left over: the log."""

    @property
    def full(self) -> int:
        """Rows it can use, with its title."""
        return len(self.lines) + 1


def pack(sections: Sequence[Section], width: int, height: int) -> list[Line]:
    """The sections in at most `height` rows."""
    shown = [section for section in sections if section.lines]
    rows = _share(shown, height)
    packed: list[Line] = []
    for section, given in zip(shown, rows):
        if given >= 2:
            packed.append(rule(section.title, width, section.note))
            packed += _cut(section, given - 1)
    return packed


def _share(sections: Sequence[Section], height: int) -> list[int]:
    rows = [0] * len(sections)
    left = height
    order = sorted(range(len(sections)), key=lambda index: (sections[index].rank, index))
    for index in order:
        least = min(sections[index].least, len(sections[index].lines)) + 1
        if least <= left:
            rows[index] = least
            left -= least
    for index in order:
        if rows[index] and not sections[index].grows:
            more = min(sections[index].full - rows[index], left)
            rows[index] += more
            left -= more
    for index in order:
        if rows[index] and sections[index].grows:
            more = min(sections[index].full - rows[index], left)
            rows[index] += more
            left -= more
    return rows


def _cut(section: Section, rows: int) -> list[Line]:
    if len(section.lines) <= rows:
        return list(section.lines)
    if section.grows:
        return list(section.lines[-rows:])
    if rows == 1:
        return [section.lines[0]]
    hidden = len(section.lines) - rows + 1
    return [*section.lines[: rows - 1], line(span(f" … {hidden} more with a taller terminal", "faint"))]
