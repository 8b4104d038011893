"""What is made anew only when what it is made from is another value: a reading keeps what did not change.

For pure functions of a `ScreenData` and some small values. Comparing what they are made from costs next to nothing,
since the reader takes unchanged parts over as they are (`live.parse`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from monitor.tui.screen_data import ScreenData

SIZES = 8
"""Different sizes, filters or orders that are kept: those of a window that is being resized are soon forgotten."""

Rest = ParamSpec("Rest")
Made = TypeVar("Made")
Make = Callable[Concatenate[ScreenData, Rest], Made]


def kept_while_same(
    source: Callable[[ScreenData], tuple[object, ...]],
) -> Callable[[Make[Rest, Made]], Make[Rest, Made]]:
    """For `make(data, *rest)`: what was made last with this rest, while the values of `source` are the same."""

    def decorate(make: Make[Rest, Made]) -> Make[Rest, Made]:
        kept: dict[Any, tuple[tuple[object, ...], Made]] = {}

        @functools.wraps(make)
        def keeping(data: ScreenData, /, *rest: Rest.args, **named: Rest.kwargs) -> Made:
            key = (rest, *named.items())
            values = source(data)
            before = kept.get(key)
            if before is not None and values == before[0]:
                return before[1]
            if len(kept) >= SIZES:
                kept.clear()
            made = make(data, *rest, **named)
            kept[key] = (values, made)
            return made

        return keeping

    return decorate
