"""Bars and braille curves as text: pure, one style a row, so that a chart costs a row no more than a line of text."""

from __future__ import annotations

from collections.abc import Sequence

EIGHTHS = " ▏▎▍▌▋▊▉█"
COLUMNS = "▁▂▃▄▅▆▇█"
POINT = "●"
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


def bar(share: float | None, width: int) -> tuple[str, str]:
    """The filled and the empty part of a bar of `width` cells; nothing filled where the share is not known."""
    eighths = round(min(max(share or 0.0, 0.0), 1.0) * width * 8)
    filled = "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")
    return filled, "·" * (width - len(filled))


def columns(values: Sequence[float]) -> str:
    """One small column a value, the greatest full; nothing for nothing."""
    top = max(values, default=0.0)
    if top <= 0:
        return COLUMNS[0] * len(values)
    return "".join(COLUMNS[min(int(value / top * 7.999), 7)] for value in values)


def curve(points: Sequence[tuple[float, float]], x_range: tuple[float, float], width: int, rows: int) -> list[str]:
    """The points, each a `●`, joined by straight lines in braille: what was measured stands out from what was not.

    `rows` rows of `width` cells; y from 0 to the greatest value.
    """
    if not points or width < 2 or rows < 1:
        return []
    low, high = x_range
    top = max(y for _, y in points) or 1.0
    grid = [[0] * width for _ in range(rows)]
    dots = [
        (
            (x - low) / ((high - low) or 1.0) * (width * 2 - 1),
            (rows * 4 - 1) - y / top * (rows * 4 - 1),
        )
        for x, y in points
    ]
    for (x0, y0), (x1, y1) in zip(dots, dots[1:] or dots):
        length = int(max(abs(x1 - x0), abs(y1 - y0), 1))
        for part in range(length + 1):
            _set(grid, x0 + (x1 - x0) * part / length, y0 + (y1 - y0) * part / length)
    drawn = [[chr(0x2800 + cell) for cell in row] for row in grid]
    for x, y in dots:
        drawn[min(max(round(y) // 4, 0), rows - 1)][min(max(round(x) // 2, 0), width - 1)] = POINT
    return ["".join(row) for row in drawn]


def _set(grid: list[list[int]], x: float, y: float) -> None:
    column, row = round(x), round(y)
    if 0 <= row // 4 < len(grid) and 0 <= column // 2 < len(grid[0]):
        grid[row // 4][column // 2] |= _DOTS[column % 2][row % 4]
