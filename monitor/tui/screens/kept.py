"""Sections that are drawn anew only when what they show is another value: a reading keeps what did not change.

For pure functions of a `ScreenData` and some small numbers. Comparing what a section shows costs next to nothing, since
the reader takes unchanged parts over as they are (`live.parse`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from monitor.tui.screen_data import ScreenData
from monitor.tui.sections import Section

SIZES = 8
"""Different sizes of one section that are kept: those of a window that is being resized are soon forgotten."""

Draw = Callable[..., Section]


def kept_while_same(shown: Callable[[ScreenData], tuple[object, ...]]) -> Callable[[Draw], Draw]:
    """For `draw(data, *sizes)`: the section drawn last at these sizes, while the values of `shown` are the same."""

    def decorate(draw: Draw) -> Draw:
        drawn: dict[tuple[object, ...], tuple[tuple[object, ...], Section]] = {}

        @functools.wraps(draw)
        def keeping(data: ScreenData, *sizes: int, **named: int) -> Section:
            key = (*sizes, *named.items())
            values = shown(data)
            before = drawn.get(key)
            if before is not None and values == before[0]:
                return before[1]
            if len(drawn) >= SIZES:
                drawn.clear()
            section = draw(data, *sizes, **named)
            drawn[key] = (values, section)
            return section

        return keeping

    return decorate
