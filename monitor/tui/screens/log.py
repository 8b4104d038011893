"""The Log screen: a page of the run's log, filtered or searched by a regular expression; it follows until scrolled."""

from __future__ import annotations

import re
from typing import NamedTuple

from monitor.tui.cells import Line, Span, cell_len, ending, line, span, wrap
from monitor.tui.log_search import LogPage
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens.common import Room, empty, sentence


class Filter(NamedTuple):
    """What was typed and what is searched for; `problem` where it is no regular expression and is taken literally."""

    text: str = ""
    pattern: re.Pattern[str] | None = None
    problem: str = ""


def make_filter(text: str) -> Filter:
    """A filter that ignores case; text that is no regular expression is searched for as it is, and that is said."""
    if not text:
        return Filter()
    try:
        return Filter(text, re.compile(text, re.IGNORECASE))
    except re.error as error:
        return Filter(
            text, re.compile(re.escape(text), re.IGNORECASE), f"no regular expression ({error}); taken literally"
        )


def lines(data: ScreenData, room: Room, chosen: Filter, *, only: bool, follows: bool) -> list[Line]:
    """The page of the log that was read last, under a row that says where it lies."""
    made = data.log
    if made is None or (not made.rows and not made.complete):
        return empty("The log is being read …", room.width)
    path = data.live.log.path if data.live else None
    block: list[Line] = [_head(path, made, chosen, room.width, only=only, follows=follows)]
    if made.problem:
        block += sentence("unknown", f"{made.problem}; shown is what the watch kept of it", room.width, rows=1)
    if not made.rows:
        text = "No line matches." if chosen.text else "No line of the run's log has been read yet."
        return [*block, *empty(text, room.width)]
    return [*block, *(_row(text, chosen) for _, text in made.rows)][: room.height]


def rows_of(room: Room) -> int:
    """Lines of the log that a page has."""
    return max(room.height - 1, 1)


def moved(made: LogPage | None, rows: int, amount: int) -> int | None:
    """The page's first line after moving `amount` lines down (up where negative); None at the end: it follows."""
    if made is None:
        return None
    last = max(made.shown - rows, 0)
    top = min(max(made.top + amount, 0), last)
    return None if top >= last else top


def _head(path: str | None, made: LogPage, chosen: Filter, width: int, *, only: bool, follows: bool) -> Line:
    """Path, how much there is, where this page is."""
    what = (
        f"{made.matching:,} of {made.total:,} lines match /{chosen.text}/" if chosen.text else f"{made.total:,} lines"
    )
    if not made.from_file and not chosen.text:
        what = f"last {made.total:,} lines"
    below = made.shown - made.top - len(made.rows)
    place = "follows" if follows else f"line {made.rows[0][0]:,}, {below:,} below" if made.rows else ""
    more = ["" if made.complete else "still reading …", chosen.problem, "" if only or not chosen.text else "n N go on"]
    told = ", ".join(part for part in (what, place, *more) if part)
    room = max(width - cell_len(told) - 6, 10)
    name = ending(path or "the run's log", room)
    return line(span(f" {name}", "name"), span(f"  {told}", "dim"))


def _row(text: str, chosen: Filter) -> Line:
    found = chosen.pattern.search(text) if chosen.pattern is not None else None
    if found is None or found.start() == found.end():
        return (Span(" "), Span(text, "text"))
    start, end = found.span()
    return line(" ", span(text[:start], "text"), span(text[start:end], "found"), span(text[end:], "text"))


def report(title: str, text: tuple[str, ...], width: int) -> list[Line]:
    """A text file as lines, wrapped: the bundle's report."""
    block: list[Line] = [line(span(f" {title}", "name")), ()]
    for row in text:
        indent = " " * (len(row) - len(row.lstrip()) + 1)
        block += wrap(row, width - 2, first=(Span(indent),), indent=indent) if row.strip() else [()]
    return block
