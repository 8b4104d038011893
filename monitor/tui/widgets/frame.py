"""What is sent for a frame: stretches of rows, in the order that takes the fewest bytes.

A change of colour costs about 20 bytes, a move of the cursor 5 to 8: a page of a table is sent colour by colour rather
than row by row, a digit that moved as it stands. All of a frame is one write, so no order shows. Covers the bytes; does
not cover which cells changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment

from monitor.tui.widgets.pen import DEFAULT, RESET, Look, change, look_of, seen_on_spaces


class Stretch(NamedTuple):
    """Segments that stand next to each other from a cell of a row on, both counted from 0."""

    row: int
    column: int
    segments: Sequence[Segment]


class Piece(NamedTuple):
    """Text in one look."""

    row: int
    column: int
    text: str
    look: Look

    @property
    def end(self) -> int:
        """The column after it."""
        return self.column + cell_len(self.text)


def sent(stretches: Iterable[Stretch], system: ColorSystem) -> str:
    """The escape sequences and text of a frame: row by row or look by look, the shorter; the pen ends reset."""
    pieces = [piece for stretch in stretches for piece in _pieces(stretch, system)]
    return min(_written(pieces), _written(_by_look(pieces)), key=lambda text: len(text.encode()))


def _pieces(stretch: Stretch, system: ColorSystem) -> list[Piece]:
    """The stretch cut where its look changes; spaces of the same background belong to the text before or after them."""
    pieces: list[Piece] = []
    column = stretch.column
    for text, style, _ in stretch.segments:
        if not text:
            continue
        piece = Piece(stretch.row, column, text, look_of(style, system))
        column = piece.end
        before = pieces[-1] if pieces else None
        look = _common(before, piece) if before else None
        if before is None or look is None:
            pieces.append(piece)
        else:
            pieces[-1] = before._replace(text=before.text + text, look=look)
    return pieces


def _common(before: Piece, after: Piece) -> Look | None:
    """The look in which both show as they should; None where there is none."""
    if before.look == after.look or cell_len(after.text[0]) == 0:
        # A mark that combines with the character before it can't stand apart from it.
        return before.look
    if before.look.background != after.look.background or seen_on_spaces(before.look) or seen_on_spaces(after.look):
        return None
    if after.text.isspace():
        return before.look
    return after.look if before.text.isspace() else None


def _by_look(pieces: Sequence[Piece]) -> list[Piece]:
    """All pieces of one look, then those of the look that the pen comes to most cheaply from there, and so on."""
    groups: dict[Look, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.look, []).append(piece)
    ordered: list[Piece] = []
    look = DEFAULT
    while groups:
        look = min(groups, key=lambda other: len(change(look, other)))
        ordered += groups.pop(look)
    return ordered


def _written(pieces: Iterable[Piece]) -> str:
    parts: list[str] = []
    look, place = DEFAULT, (-1, -1)
    for piece in pieces:
        parts += (_move(place, piece), change(look, piece.look), piece.text)
        look, place = piece.look, (piece.row, piece.end)
    parts.append(RESET if look != DEFAULT else "")
    return "".join(parts)


def _move(place: tuple[int, int], piece: Piece) -> str:
    """From a cell to where a piece begins: never relative, since a terminal may count a character's cells otherwise."""
    if place == (piece.row, piece.column):
        return ""
    if place[0] == piece.row:
        return f"\x1b[{piece.column + 1}G"
    return f"\x1b[{piece.row + 1};{piece.column + 1}H" if piece.column else f"\x1b[{piece.row + 1}H"
