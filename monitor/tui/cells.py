"""Lines of styled text as plain values: what every screen is made of, with no widget in sight.

Covers measuring in terminal cells (wide characters count two), cutting, padding, wrapping, and setting blocks side by
side. Styles are names of `theme.Palette`; nothing here parses markup, so text from outside stays text, and it is made
safe before it is measured: what a control sequence takes up differs from what is left of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size

from monitor.report.clean_text import clean

__all__ = [
    "Span",
    "Line",
    "span",
    "line",
    "safe",
    "safe_line",
    "width_of",
    "fit",
    "padded",
    "ending",
    "wrap",
    "columns",
    "rule",
    "plain",
    "cell_len",
]


MOST_OF_A_CELL = 8
"""Characters a cell that are looked at when a word is broken: combining ones take none."""


class Span(NamedTuple):
    """Text in one style; a click on it does `action`, where it has one."""

    text: str
    style: str = "text"
    action: str = ""


Line = tuple[Span, ...]


def safe(text: str) -> str:
    """The text, cleaned where anything in it isn't printable."""
    return text if text.isprintable() else clean(text)


def safe_line(content: Line) -> Line:
    """The line, cleaned where anything in it isn't printable."""
    if all(part.text.isprintable() for part in content):
        return content
    return tuple(part._replace(text=safe(part.text)) for part in content)


def span(text: object, style: str = "text", action: str = "") -> Span:
    """A span of anything's text, safe."""
    return Span(safe(str(text)), style, action)


def line(*parts: Span | str) -> Line:
    """A line of spans and plain strings, safe."""
    return safe_line(tuple(part if isinstance(part, Span) else Span(part) for part in parts if part))


def width_of(content: Line) -> int:
    """Cells that a line takes."""
    return sum(cell_len(part.text) for part in content)


def plain(content: Line) -> str:
    """A line's text without styles."""
    return "".join(part.text for part in content)


def fit(content: Line, width: int) -> Line:
    """The line in exactly `width` cells: padded with spaces, or cut with `…`."""
    taken = width_of(content)
    if taken == width:
        return content
    if taken < width:
        return (*content, Span(" " * (width - taken)))
    return _cut(content, width)


def padded(text: str, width: int) -> str:
    """The text in exactly `width` cells: padded with spaces, or cut with `…`."""
    return plain(fit((span(text),), width))


def ending(text: str, width: int) -> str:
    """The text, or `…` and its end in at most `width` cells: of a path, the part that tells it from others."""
    text = safe(text)
    if cell_len(text) <= width:
        return text
    first, taken = len(text), 0
    while first > 0 and taken + cell_len(text[first - 1]) < width:
        first -= 1
        taken += cell_len(text[first])
    return "…" + text[first:]


def _cut(content: Line, width: int) -> Line:
    if width <= 0:
        return ()
    kept: list[Span] = []
    left = width - 1
    for part in content:
        size = cell_len(part.text)
        if size <= left:
            kept.append(part)
            left -= size
            continue
        kept.append(part._replace(text=set_cell_size(part.text, left) + "…"))
        return tuple(kept)
    return tuple(kept)


def wrap(text: str, width: int, style: str = "text", *, indent: str = "", first: Line = ()) -> list[Line]:
    """`text` broken at spaces into lines of at most `width` cells, the first after `first`, the rest after `indent`."""
    lines: list[Line] = []
    head: Line = safe_line(first)
    current = ""
    room = width - width_of(head)
    for word in _words(_safe_prose(text), max(width - cell_len(indent), 8)):
        candidate = f"{current} {word}" if current else word
        if current and cell_len(candidate) > room:
            lines.append((*head, Span(current, style)))
            head, room, current = (Span(indent),) if indent else (), width - cell_len(indent), word
        else:
            current = candidate
    if current or not lines:
        lines.append((*head, Span(current, style)))
    return lines


def _safe_prose(text: str) -> str:
    """Text whose whitespace is only where it may be broken: each word is made safe, line ends stay ends of words."""
    return text if text.isprintable() else " ".join(safe(part) for part in text.splitlines())


def _words(text: str, longest: int) -> Iterable[str]:
    for word in text.split():
        if cell_len(word) <= longest:
            yield word
        else:
            yield from _pieces(word, longest)


def _pieces(word: str, longest: int) -> Iterable[str]:
    """A word too long for a line, in pieces: after a `/`, else a `-`, in a piece's second half, else anywhere."""
    while cell_len(word) > longest:
        piece = chop_cells(word[: MOST_OF_A_CELL * longest], longest)[0]
        ends = (piece.rfind(mark) + 1 for mark in "/-")
        cut = next((end for end in ends if end > len(piece) // 2), len(piece))
        yield word[:cut]
        word = word[cut:]
    if word:
        yield word


def changed(old: Line, new: Line, width: int, gap: int = 8) -> list[tuple[int, int]]:
    """Where two rows of `width` cells differ, as (first, last + 1); places less than `gap` cells apart are joined."""
    first, before, after = _differing(fit(old, width), fit(new, width))
    runs: list[tuple[int, int]] = []
    for index, (was, now) in enumerate(zip(_cells(before), _cells(after)), first):
        if was == now:
            continue
        if runs and index - runs[-1][1] < gap:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def _differing(old: Line, new: Line) -> tuple[int, Line, Line]:
    """The spans between those that both rows, equally wide, begin and end with; and the cell where they begin."""
    shorter = min(len(old), len(new))
    first = next((index for index in range(shorter) if old[index] != new[index]), shorter)
    while first and (_begins_with_mark(old[first:]) or _begins_with_mark(new[first:])):
        first -= 1
    last = next((index for index in range(shorter - first) if old[-1 - index] != new[-1 - index]), shorter - first)
    return width_of(old[:first]), old[first : len(old) - last], new[first : len(new) - last]


def _begins_with_mark(content: Line) -> bool:
    """True where its first character combines with the one before it."""
    text = content[0].text if content else ""
    return bool(text) and cell_len(text[0]) == 0


def _cells(content: Line) -> list[tuple[str, str, str]]:
    """One entry a cell: its text, style and action; both halves of a wide character differ where it does."""
    cells: list[tuple[str, str, str]] = []
    for text, style, action in content:
        if text.isascii():
            cells += [(character, style, action) for character in text]
            continue
        for character in text:
            size = cell_len(character)
            if size == 0 and cells:
                cells[-1] = (cells[-1][0] + character, style, action)
            cells += [(character, style, action)] * size
    return cells


def columns(left: Sequence[Line], right: Sequence[Line], left_width: int, width: int, gap: int = 2) -> list[Line]:
    """Two blocks side by side, `left` in `left_width` cells, the pair in `width`."""
    rows = max(len(left), len(right))
    right_width = width - left_width - gap
    joined: list[Line] = []
    for index in range(rows):
        first = fit(left[index] if index < len(left) else (), left_width)
        second = fit(right[index] if index < len(right) else (), right_width)
        joined.append((*first, Span(" " * gap), *second))
    return joined


def rule(title: str, width: int, note: str = "") -> Line:
    """A section's heading: its title on a thin rule, with a note at the right."""
    title, note = safe(title), safe(note)
    used = cell_len(title) + cell_len(note) + (3 if note else 2)
    bar = "─" * max(width - used - 2, 0)
    tail = (Span(f" {note} ", "dim"), Span("─", "rule")) if note else (Span("──", "rule"),)
    return fit((Span(f" {title} ", "title"), Span(bar, "rule"), *tail), width)
