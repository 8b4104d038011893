"""What the person looks at and how far they scrolled: a frozen value, and the pure functions that draw and move it.

The data comes from the ledger and is not part of it; the same state and data always give the same lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from monitor.model.score import Score
from monitor.tui import wording
from monitor.tui.actions import footer
from monitor.tui.bundle_stacks import Stacks
from monitor.tui.cells import Line, Span, fit, line, span, width_of
from monitor.tui.live import LogRow
from monitor.tui.log_search import LogRequest
from monitor.tui.rerun_flow import RerunFlow, Stage
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens import hang, help, log, rerun, run, score_detail, scores
from monitor.tui.screens.common import Room, banner, tabs
from monitor.tui.screens.log import Filter
from monitor.tui.screens.scores import ORDERS

END = 1_000_000
"""Farther than anything scrolls: `Home` and `End` move by this much."""


@dataclass(frozen=True)
class Report:
    """A bundle's report, open over the present view."""

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class ViewState:
    """Where the person is."""

    view: str = "run"
    help_open: bool = False
    report: Report | None = None
    scrolled: int = 0
    """Lines scrolled down in what is open."""
    cursor: int = 0
    """Selected row of the scores."""
    log_top: int | None = None
    """First line of the log that is shown, counted among those that are shown; None follows the end."""
    only_matches: bool = True
    """The log shows only lines that match its filter; else all, with the matches marked."""
    order: str = ORDERS[0]
    """How the runs of the scores are ordered."""
    link: int | None = None
    """The link of the chain on the Hang screen whose evidence is open."""
    detail: str = ""
    """What is open of the selected score: `evidence`, `compare`, or nothing."""
    score_filter: Filter = field(default_factory=Filter)
    log_filter: Filter = field(default_factory=Filter)
    flow: RerunFlow = field(default_factory=RerunFlow)
    stacks: Stacks | None = None
    """The merged stacks of the bundle that was read last."""
    notice: str = ""
    """One sentence in the place of the footer, for some seconds."""
    read_only: bool = False

    @property
    def overlay(self) -> bool:
        """True where help or a report lies over the view."""
        return self.help_open or self.report is not None

    @property
    def filter(self) -> Filter:
        """The filter of the present view."""
        return self.log_filter if self.view == "log" else self.score_filter

    def showing(self, view: str) -> ViewState:
        """Another view, from its top."""
        return replace(self, view=view, help_open=False, report=None, detail="", link=None, scrolled=0, notice="")

    def ordered(self) -> ViewState:
        """The scores in the next order, from their top."""
        following = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        return replace(self, order=following, cursor=0, detail="", scrolled=0)

    def with_detail(self, detail: str) -> ViewState:
        """The detail open, or closed where it was open."""
        return replace(self, detail="" if self.detail == detail else detail, scrolled=0)

    def with_filter(self, chosen: Filter) -> ViewState:
        """The filter of the present view replaced."""
        if self.view == "log":
            return replace(self, log_filter=chosen, log_top=None)
        return replace(self, score_filter=chosen, cursor=0, detail="")


def whole(state: ViewState, data: ScreenData, room: Room) -> list[Line]:
    """All lines of what is open; those of a scrolling page may be more than the room."""
    if state.help_open:
        return help.lines(room, read_only=state.read_only)
    if state.report is not None:
        return log.report(state.report.path, state.report.lines, room.width)
    if state.view == "hang":
        return hang.lines(data, room, state.stacks, state.link)
    if state.view == "scores" and state.detail:
        _, chosen = selected(state, data, room)
        return score_detail.lines(data, room, state.detail, chosen)
    if state.view == "scores":
        return scores.lines(data, room, state.cursor, state.score_filter.pattern, state.order)
    if state.view == "rerun":
        return rerun.lines(data, room, state.flow, read_only=state.read_only)
    if state.view == "log":
        return log.lines(data, room, state.log_filter, only=state.only_matches, follows=state.log_top is None)
    return run.lines(data, room)


def body(state: ViewState, data: ScreenData, room: Room) -> tuple[list[Line], int]:
    """The lines that are to be seen, and how many more lie below them."""
    lines = whole(state, data, room)
    top = min(state.scrolled, max(len(lines) - room.height, 0))
    shown = lines[top : top + room.height]
    return shown, len(lines) - top - len(shown)


def moved(state: ViewState, data: ScreenData, room: Room, amount: int) -> ViewState:
    """The state after moving `amount` lines or rows down (up where negative), never past the ends."""
    if not state.overlay and state.view == "scores" and not state.detail:
        last = max(len(scores.rows(data, room.width, state.score_filter.pattern, state.order)) - 1, 0)
        return replace(state, cursor=min(max(state.cursor + amount, 0), last))
    if not state.overlay and state.view == "log":
        return replace(state, log_top=log.moved(data.log, log.rows_of(room), amount))
    farthest = max(len(whole(state, data, room)) - room.height, 0)
    return replace(state, scrolled=min(max(state.scrolled + amount, 0), farthest))


def log_request(state: ViewState, data: ScreenData, room: Room) -> LogRequest | None:
    """The page of the log that the view needs; None where it needs none."""
    if state.view != "log" or state.overlay:
        return None
    told = data.live.log if data.live else LogRow()
    pattern = state.log_filter.pattern
    return LogRequest(told.path, told.tail, log.rows_of(room), state.log_top, pattern, state.only_matches)


def to_match(state: ViewState, data: ScreenData, *, forward: bool) -> ViewState:
    """The log at the next match below its first line, or at the one above; as it is where there is none."""
    if data.log is None or state.log_filter.pattern is None:
        return state
    place = data.log.following if forward else data.log.previous
    return state if place is None else replace(state, log_top=place)


def to_link(state: ViewState, data: ScreenData, room: Room, place: int | None) -> ViewState:
    """The Hang screen with the evidence of the link at `place` open and in sight; of none past the chain's ends."""
    known = place is not None and 0 <= place < len(hang.links(data))
    state = replace(state, link=place if known else None)
    lines = whole(state, data, room)
    marked = (row for row, content in enumerate(lines) if any(part.style == "selected" for part in content))
    row = next(marked, None)
    if row is None or state.scrolled < row < state.scrolled + room.height // 2:
        return state
    return replace(state, scrolled=min(max(row - 2, 0), max(len(lines) - room.height, 0)))


def selected(state: ViewState, data: ScreenData, room: Room) -> tuple[str | None, Score | None]:
    """The run and score that a rerun would be of: the selected row on Scores, else the run that is shown."""
    if state.view != "scores" or state.overlay:
        return data.run, None
    table = scores.rows(data, room.width, state.score_filter.pattern, state.order)
    if not table:
        return data.run, None
    row = table[min(state.cursor, len(table) - 1)]
    return row.run, row.score


def head(state: ViewState, data: ScreenData, width: int) -> list[Line]:
    """The two rows above the body."""
    return [tabs(data, state.view, width, rerun_note(state, data)), banner(data, width)]


def rerun_note(state: ViewState, data: ScreenData) -> str:
    """What the tab of the Rerun screen says: a launch that waits for its word, or how far a rerun is."""
    if state.flow.stage is Stage.PLANNED:
        return " ?"
    under_way = next((row for row in data.reruns if not row.over), None)
    if under_way is None:
        return ""
    return f" {100 * (under_way.done or 0) // under_way.total} %" if under_way.total else " …"


def foot(state: ViewState, width: int, below: int) -> Line:
    """The last row: the keys that work here, or a notice; at the right, how many lines lie below."""
    if state.notice:
        return fit((Span(f" {state.notice}", "band-strong"),), width)
    more = Span(f" ↓ {wording.count(below, 'more line')} ", "band-strong") if below else Span("")
    room = width - width_of((more,))
    parts: list[Span] = []
    for action in footer(state.view, read_only=state.read_only):
        click = f"app.{action.name}()"
        text = (span(f" {action.key_text} ", "key", click), span(f"{action.label} ", "key-text", click))
        if width_of((*parts, *text)) <= room:
            parts += text
    if state.filter.text and state.view in ("log", "scores"):
        parts.append(Span(f" filter /{state.filter.text}/", "band-warn"))
    if state.read_only:
        parts.append(Span(" read-only", "band-dim"))
    content = line(*parts)
    return (*content, Span(" " * max(width - width_of((*content, more)), 0), "band"), more)
