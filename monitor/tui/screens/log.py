"""The Log screen: the end of the run's log, filtered by a regular expression, following unless scrolled up."""

from __future__ import annotations

import re
from typing import NamedTuple

from monitor.tui.cells import Line, Span, line, span, wrap
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


def lines(data: ScreenData, room: Room, back: int, chosen: Filter) -> list[Line]:
    """The last lines that match; `back` lines up from the end (0 follows)."""
    source = data.log or (data.live.log.tail if data.live else ())
    path = data.live.log.path if data.live else None
    if not source:
        return empty(data.log_problem or "No line of the run's log has been read yet.", room.width)
    matching = [text for text in source if chosen.pattern is None or chosen.pattern.search(text)]
    space = room.height - 1
    end = max(len(matching) - min(back, max(len(matching) - space, 0)), 0)
    shown = matching[max(end - space, 0) : end]
    block: list[Line] = [_head(path, len(source), len(matching), len(matching) - end, chosen, room.width)]
    if data.log_problem:
        block += sentence("unknown", data.log_problem, room.width, rows=1)
    return [*block, *(_row(text, chosen) for text in shown)]


def _head(path: str | None, total: int, matching: int, below: int, chosen: Filter, width: int) -> Line:
    follows = f"{below} lines below" if below else "follows"
    share = f"{matching} of {total} lines match /{chosen.text}/" if chosen.text else f"last {total} lines"
    told = f"; {chosen.problem}" if chosen.problem else ""
    room = max(width - len(share) - len(follows) - len(told) - 8, 10)
    name = path or "the run's log"
    name = name if len(name) <= room else "…" + name[-(room - 1) :]
    return line(span(f" {name}", "name"), span(f"  {share}, {follows}{told}", "dim"))


def _row(text: str, chosen: Filter) -> Line:
    if chosen.pattern is None:
        return (Span(" "), Span(text, "text"))
    found = chosen.pattern.search(text)
    if found is None or found.start() == found.end():
        return (Span(" "), Span(text, "text"))
    start, end = found.span()
    return line(" ", span(text[:start], "text"), span(text[start:end], "selected"), span(text[end:], "text"))


def farthest_back(data: ScreenData, room: Room, chosen: Filter) -> int:
    """How far up from the end there is something to see."""
    source = data.log or (data.live.log.tail if data.live else ())
    matching = sum(1 for text in source if chosen.pattern is None or chosen.pattern.search(text))
    return max(matching - (room.height - 1), 0)


def report(title: str, text: tuple[str, ...], width: int) -> list[Line]:
    """A text file as lines, wrapped: the bundle's report."""
    block: list[Line] = [line(span(f" {title}", "name")), ()]
    for row in text:
        indent = " " * (len(row) - len(row.lstrip()) + 1)
        block += wrap(row, width - 2, first=(Span(indent),), indent=indent) if row.strip() else [()]
    return block
