"""The application below its keys: readings come in, the state is drawn, pages move. Keys are `dashboard.py`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from textual.app import App, ComposeResult
from textual.message import Message
from textual.screen import Screen

from monitor.report.clean_text import clean
from monitor.tui import lifecycle, view_state
from monitor.tui.feed import Feed
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens.common import Room
from monitor.tui.theme import BACKGROUND, RAISED
from monitor.tui.view_state import END, ViewState
from monitor.tui.widgets.canvas import Canvas
from monitor.tui.widgets.lean_screen import LeanScreen
from monitor.tui.widgets.prompt import Prompt

NOTICE_SECONDS = 6.0
HEAD_ROWS = 2
WHEEL_LINES = 3


class Reading(Message):
    """The ledger was read."""

    def __init__(self, data: ScreenData) -> None:
        super().__init__()
        self.data = data


class CanvasApp(App[int]):
    """Two head rows, a body, a foot row: canvases of lines, drawn from `state` and `data`."""

    TITLE = "laststep"
    AUTO_FOCUS = None
    CSS = f"""
    Screen {{ background: {BACKGROUND}; scrollbar-size: 0 0; }}
    #head {{ height: {HEAD_ROWS}; dock: top; }}
    #foot {{ height: 1; dock: bottom; background: {RAISED}; }}
    """

    def __init__(self, feed: Feed, *, read_only: bool) -> None:
        super().__init__()
        self.animation_level = "none"
        self.feed = feed
        self.data = feed.latest
        self.state = ViewState(read_only=read_only)

    def get_default_screen(self) -> Screen[None]:
        """A screen that sends only what changed."""
        return LeanScreen()

    def compose(self) -> ComposeResult:
        """Head, body, prompt, foot."""
        yield Canvas(id="head")
        yield Canvas(id="body")
        yield Prompt()
        yield Canvas(id="foot", base="band")

    def on_mount(self) -> None:
        """Take signals, and every reading from now on."""
        if not self.is_headless:
            lifecycle.end_on_signals(asyncio.get_running_loop(), lambda code: self.exit(return_code=code))
        self.feed.subscribe(self._post)

    def _post(self, data: ScreenData) -> None:
        self.post_message(Reading(data))

    def on_unmount(self) -> None:
        """No reading reaches a closed screen."""
        self.feed.stop()

    def on_canvas_resized(self) -> None:
        """Lay out anew: the terminal was resized, or the prompt takes a row."""
        self.paint()

    def on_reading(self, message: Reading) -> None:
        """Draw what has changed."""
        self.data = message.data
        self.paint()

    @property
    def room(self) -> Room:
        """The cells of the body."""
        size = self.screen_stack[0].query_one("#body").size
        return Room(size.width, size.height)

    def paint(self) -> None:
        """Bring every row up to date; rows that are the same cost nothing."""
        if not self.is_running or not self.room.width:
            return
        width = self.size.width
        base = self.screen_stack[0]
        base.query_one("#head", Canvas).show_lines(view_state.head(self.state, self.data, width))
        lines, below = view_state.body(self.state, self.data, self.room)
        base.query_one("#body", Canvas).show_lines(lines)
        base.query_one("#foot", Canvas).show_lines([view_state.foot(self.state, width, below)])

    def become(self, state: ViewState) -> None:
        """Take a new state and draw it."""
        self.state = state
        wants_log = state.view == "log"
        if wants_log != self.feed.wants_log:
            self.feed.wants_log = wants_log
            self.feed.read_now()
        self.paint()

    def tell(self, sentence: str) -> None:
        """Say something in the place of the footer for some seconds."""
        self.become(replace(self.state, notice=clean(sentence)))
        self.set_timer(NOTICE_SECONDS, partial(self._untell, self.state.notice))

    def _untell(self, notice: str) -> None:
        if self.state.notice == notice:
            self.become(replace(self.state, notice=""))

    def _move(self, amount: int) -> None:
        self.become(view_state.moved(self.state, self.data, self.room, amount))

    def action_up(self) -> None:
        """One line up."""
        self._move(-1)

    def action_down(self) -> None:
        """One line down."""
        self._move(1)

    def action_page_up(self) -> None:
        """One page up."""
        self._move(1 - self.room.height)

    def action_page_down(self) -> None:
        """One page down."""
        self._move(self.room.height - 1)

    def action_top(self) -> None:
        """To the start."""
        self._move(-END)

    def action_bottom(self) -> None:
        """To the end."""
        self._move(END)

    def on_mouse_scroll_down(self) -> None:
        """The wheel moves some lines."""
        self._move(WHEEL_LINES)

    def on_mouse_scroll_up(self) -> None:
        """The wheel moves some lines."""
        self._move(-WHEEL_LINES)
