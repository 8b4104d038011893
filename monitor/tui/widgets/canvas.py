"""A widget that shows lines and repaints only the cells whose text or style changed.

The last guard against hostile text: whatever isn't printable by now is cleaned here. Does not scroll; it is given the
lines that are to be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.segment import Segment
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from monitor.tui.cells import Line, changed, fit, safe_line
from monitor.tui.theme import DARK, Theme


class Canvas(Widget, can_focus=False):
    """Rows of styled text."""

    DEFAULT_CSS = "Canvas { width: 1fr; height: 1fr; }"

    class Resized(Message):
        """The canvas has another size; its lines may be for the old one."""

    def __init__(self, *, id: str, base: str = "text") -> None:
        super().__init__(id=id)
        self._base = base
        self._theme = DARK
        self._lines: list[Line] = []

    def take_theme(self, theme: Theme) -> None:
        """Draw everything anew in these colours."""
        self._theme = theme
        self.refresh()

    def show_lines(self, lines: Sequence[Line]) -> int:
        """Show these lines; gives the number of rows that changed."""
        width, height = self.size
        lines = [safe_line(content) for content in lines]
        rows: set[int] = set()
        regions: list[Region] = []
        for row, (old, new) in enumerate(zip_longest(self._lines, lines, fillvalue=())):
            if old == new or row >= height:
                continue
            for left, right in changed(old, new, width):
                rows.add(row)
                regions.append(Region(left, row, right - left, 1))
        self._lines = lines
        if regions:
            self.refresh(*regions)
        return len(rows)

    def on_resize(self) -> None:
        """Ask for lines of the new size."""
        self.post_message(self.Resized())

    def render_line(self, y: int) -> Strip:
        """Row `y`, exactly as wide as the widget."""
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, self._theme.style(self._base))
        return Strip(_segments(fit(self._lines[y], width), self._base, self._theme), width)


def _segments(content: Line, base: str, theme: Theme) -> list[Segment]:
    """Segments of a line, neighbours of one style joined; spaces take the base style's background."""
    segments: list[Segment] = []
    for text, name, action in content:
        if not text:
            continue
        look = theme.style(base if name == "text" else name, action)
        if segments and segments[-1].style == look:
            segments[-1] = Segment(segments[-1].text + text, look)
        else:
            segments.append(Segment(text, look))
    return segments
