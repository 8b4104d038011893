"""A screen that sends only the cells that changed: on a slow line, a number that moves costs its digits, not its row.

Textual cuts a partial update at its right end only, sends each row from the widget's left edge, and each stretch of
text with its whole look; `frame.py` sends what differs. Only this file builds on textual's private compositor.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.color import ColorSystem
from rich.console import Console
from textual._compositor import ChopsUpdate, Compositor
from textual.screen import Screen

from monitor.tui.widgets.frame import Stretch, sent


class LeanUpdate(ChopsUpdate):
    """A partial update cut at both ends of each span."""

    def render_segments(self, console: Console) -> str:
        """The escape sequences and text of every span."""
        return sent(self._stretches(), console._color_system or ColorSystem.TRUECOLOR)

    def _stretches(self) -> Iterator[Stretch]:
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items()):
                left, right = max(x, x1), min(end, x2)
                if strip is not None and left < right:
                    yield Stretch(y, left, list(strip.crop(left - x, right - x)))


class LeanCompositor(Compositor):
    """Textual's compositor with lean partial updates."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """See `LeanUpdate`."""
        update = super().render_partial_update()
        if update is None:
            return None
        return LeanUpdate(update.chops, update.spans, update.chop_ends)


class LeanScreen(Screen[None]):
    """The dashboard's only screen."""

    def __init__(self) -> None:
        super().__init__(id="_default")
        self._compositor = LeanCompositor()
