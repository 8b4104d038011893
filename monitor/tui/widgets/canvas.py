"""A widget that shows lines and repaints only the cells whose text or style changed.

The last guard against hostile text: whatever isn't printable by now is cleaned here. Does not scroll; it is given the
lines that are to be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.segment import Segment
from textual.filter import ANSIToTruecolor
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
        self._given: list[Line] = []
        self._lines: dict[int, Line] = {}
        self._strips: dict[int, Strip] = {}
        self._strips_width = 0

    def take_theme(self, theme: Theme) -> None:
        """Draw everything anew in these colours."""
        self._theme = theme
        self._strips.clear()
        self.refresh()

    def show_lines(self, lines: Sequence[Line]) -> int:
        """Show these lines; gives the number of rows that changed."""
        width, height = self.size
        rows = 0
        regions: list[Region] = []
        for row, (old, new) in enumerate(zip_longest(self._given[:height], lines[:height], fillvalue=())):
            if old == new:
                continue
            before, after = self._lines.get(row, ()), safe_line(new)
            self._lines[row] = after
            places = [Region(left, row, right - left, 1) for left, right in changed(before, after, width)]
            if places:
                rows += 1
                regions += places
                self._strips.pop(row, None)
        self._given = list(lines[:height])
        for row in [row for row in self._lines if row >= len(self._given)]:
            del self._lines[row]
            self._strips.pop(row, None)
        if regions:
            self.refresh(*regions)
        return rows

    def on_resize(self) -> None:
        """Ask for lines of the new size."""
        self.post_message(self.Resized())

    def render_line(self, y: int) -> Strip:
        """Row `y`, exactly as wide as the widget."""
        width = self.size.width
        content = self._lines.get(y)
        if not content:
            return Strip.blank(width, self._theme.style(self._base))
        return Strip(_segments(fit(content, width), self._base, self._theme), width)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows of `crop`, each made once: a canvas has no border, no padding and no look but its own."""
        if self._strips_width != self.size.width:
            self._strips, self._strips_width = {}, self.size.width
        # No theme mixes the terminal's own colours with others: there is nothing for that filter to turn into those.
        filters = [applied for applied in self.get_line_filters() if not isinstance(applied, ANSIToTruecolor)]
        strips: list[Strip] = []
        for y in crop.line_range:
            strip = self._strips.get(y)
            if strip is None:
                strip = self.render_line(y)
                for applied in filters:
                    strip = strip.apply_filter(applied, self.background_colors[1])
                self._strips[y] = strip
            strips.append(strip)
        if crop.column_span != (0, self.size.width):
            return [strip.crop(*crop.column_span) for strip in strips]
        return strips


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
