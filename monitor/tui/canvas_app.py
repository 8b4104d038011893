"""The application below its keys: readings come in, the state is drawn, pages move. Keys are `dashboard.py`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from textual.app import App, ComposeResult
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES
from textual.theme import Theme as TextualTheme

from monitor.report.clean_text import clean
from monitor.tui import lifecycle, view_state
from monitor.tui.feed import Feed
from monitor.tui.log_reader import LogReader
from monitor.tui.log_search import LogPage
from monitor.tui.patient_driver import PatientDriver
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens.common import Room
from monitor.tui.theme import DARK, THEMES, Theme
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


def textual_name(theme: Theme) -> str:
    """What textual calls one of our themes."""
    return f"laststep-{theme.name}"


def textual_theme(theme: Theme) -> TextualTheme:
    """The few colours that textual itself paints with: behind the canvases, the prompt, the palette."""
    if theme.ansi:
        return replace(BUILTIN_THEMES["ansi-dark"], name=textual_name(theme))
    colours = theme.colours
    return TextualTheme(
        textual_name(theme),
        primary=colours.title,
        secondary=colours.dim,
        warning=colours.warn,
        error=colours.bad,
        success=colours.ok,
        foreground=colours.strong,
        background=colours.background,
        surface=colours.raised,
        panel=colours.raised,
        dark=theme.dark,
    )


class LogRead(Message):
    """A page of the log is there."""

    def __init__(self, page: LogPage) -> None:
        super().__init__()
        self.page = page


class CanvasApp(App[int]):
    """Two head rows, a body, a foot row: canvases of lines, drawn from `state` and `data`."""

    TITLE = "laststep"
    AUTO_FOCUS = None
    CSS = f"""
    Screen {{ background: $background; scrollbar-size: 0 0; }}
    #head {{ height: {HEAD_ROWS}; dock: top; }}
    #foot {{ height: 1; dock: bottom; background: $surface; }}
    """

    def __init__(self, feed: Feed, *, read_only: bool, palette: Theme = DARK) -> None:
        super().__init__()
        self.animation_level = "none"
        self.feed = feed
        self.data = feed.latest
        self.state = ViewState(read_only=read_only)
        self.log_reader = LogReader(lambda page: self.post_message(LogRead(page)))
        self.head, self.body, self.foot = Canvas(id="head"), Canvas(id="body"), Canvas(id="foot", base="band")
        self.palette = palette
        for theme in THEMES.values():
            self.register_theme(textual_theme(theme))
        self.theme = textual_name(palette)

    def get_default_screen(self) -> Screen[None]:
        """A screen that sends only what changed."""
        return LeanScreen()

    def get_driver_class(self) -> type[Driver]:
        """A driver that sleeps while no key comes; where textual would take another (a browser, a test), that one."""
        chosen = super().get_driver_class()
        return PatientDriver if chosen is LinuxDriver else chosen

    def compose(self) -> ComposeResult:
        """Head, body, prompt, foot."""
        yield self.head
        yield self.body
        yield Prompt()
        yield self.foot

    def on_mount(self) -> None:
        """Take the theme, signals, and every reading from now on."""
        self.take_palette(self.palette)
        if not self.is_headless and not isinstance(self._driver, PatientDriver):
            lifecycle.end_on_signals(asyncio.get_running_loop(), lambda code: self.exit(return_code=code))
        self.feed.subscribe(self._post)

    def _post(self, data: ScreenData) -> None:
        self.post_message(Reading(data))

    def on_unmount(self) -> None:
        """No reading reaches a closed screen."""
        self.feed.stop()
        self.log_reader.stop()

    def take_palette(self, palette: Theme) -> None:
        """Draw everything in these colours from now on."""
        self.palette = palette
        self.theme = textual_name(palette)
        for canvas in (self.head, self.body, self.foot):
            canvas.take_theme(palette)

    def on_canvas_resized(self) -> None:
        """Lay out anew: the terminal was resized, or the prompt takes a row."""
        self.paint()

    def on_reading(self, message: Reading) -> None:
        """Draw what has changed."""
        self.data = replace(message.data, log=self.data.log)
        self.paint()

    def on_log_read(self, message: LogRead) -> None:
        """Draw the page."""
        self.data = replace(self.data, log=message.page)
        if self.state.view == "log":
            self.paint()

    @property
    def room(self) -> Room:
        """The cells of the body."""
        return Room(self.body.size.width, self.body.size.height)

    def paint(self) -> None:
        """Bring every row up to date; rows that are the same cost nothing."""
        if not self.is_running or not self.room.width:
            return
        self.log_reader.want(view_state.log_request(self.state, self.data, self.room))
        width = self.size.width
        self.head.show_lines(view_state.head(self.state, self.data, width))
        lines, below = view_state.body(self.state, self.data, self.room)
        self.body.show_lines(lines)
        self.foot.show_lines([view_state.foot(self.state, width, below)])

    def become(self, state: ViewState) -> None:
        """Take a new state and draw it."""
        self.state = state
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

    def action_half_up(self) -> None:
        """Half a page up."""
        self._move(-(self.room.height // 2))

    def action_half_down(self) -> None:
        """Half a page down."""
        self._move(self.room.height // 2)

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
