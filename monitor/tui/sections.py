"""Sections of a screen, and how they share the rows there are: each gets its least first, then what it can use.

Pure. A section that is cut says in its title how many lines are left out; one that has no room for its least is left
out whole, the last ones by rank first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.tui.cells import Line, fit, plain, rule, span


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
    prose: bool = False
    """Its lines are one text: a cut is marked at the end of the last line."""

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
            hidden = 0 if section.grows else max(section.full - given, 0)
            note = f"{section.note}; {hidden} more" if section.note and hidden else section.note
            packed.append(rule(section.title, width, note or (f"{hidden} more" if hidden else "")))
            packed += _cut(section, given - 1, width)
    return packed


def _share(sections: Sequence[Section], height: int) -> list[int]:
    """Rows of each: the least of each in order of rank, then one more each in turn, then the rest to what grows."""
    rows = [0] * len(sections)
    left = height
    order = sorted(range(len(sections)), key=lambda index: (sections[index].rank, index))
    for index in order:
        least = min(sections[index].least, len(sections[index].lines)) + 1
        if least <= left:
            rows[index] = least
            left -= least
    hungry = [index for index in order if rows[index] and not sections[index].grows]
    while left and hungry:
        hungry = [index for index in hungry if rows[index] < sections[index].full]
        for index in hungry[:left]:
            rows[index] += 1
            left -= 1
    for index in order:
        if rows[index] and sections[index].grows:
            more = min(sections[index].full - rows[index], left)
            rows[index] += more
            left -= more
    return rows


def _cut(section: Section, rows: int, width: int) -> list[Line]:
    if len(section.lines) <= rows:
        return list(section.lines)
    if section.grows:
        return list(section.lines[-rows:])
    if section.prose:
        last = fit(section.lines[rows - 1], width - 2)
        mark = "" if plain(last).endswith("…") else "…"
        return [*section.lines[: rows - 1], (*last, span(mark, "dim"))]
    return list(section.lines[:rows])
