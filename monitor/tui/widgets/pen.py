"""The terminal's pen: how text looks, and what takes the pen from one look to another; only what differs is said.

Rich sends every stretch of text with its whole look, two 24-bit colours among it, and resets after each: 40 bytes for a
digit that moved. Covers attributes and colours in the console's colour system; does not cover hyperlinks, which no
screen has, nor where the text stands: that is `frame.py`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rich.color import ColorSystem
from rich.style import Style

RESET = "\x1b[0m"

_ON_OFF = {
    "bold": ("1", "22"),
    "dim": ("2", "22"),
    "italic": ("3", "23"),
    "underline": ("4", "24"),
    "blink": ("5", "25"),
    "reverse": ("7", "27"),
    "strike": ("9", "29"),
}
_SEEN_ON_SPACES = frozenset({"underline", "reverse", "strike"})


class Look(NamedTuple):
    """How text looks, as select-graphic-rendition parameters."""

    attributes: frozenset[str]
    foreground: str
    background: str


DEFAULT = Look(frozenset(), "39", "49")


@lru_cache(maxsize=1024)
def look_of(style: Style | None, system: ColorSystem) -> Look:
    """The look of a style."""
    if style is None:
        return DEFAULT
    front, back = style.color, style.bgcolor
    return Look(
        frozenset(name for name in _ON_OFF if getattr(style, name)),
        ";".join(front.downgrade(system).get_ansi_codes()) if front else "39",
        ";".join(back.downgrade(system).get_ansi_codes(foreground=False)) if back else "49",
    )


@lru_cache(maxsize=4096)
def change(before: Look, after: Look) -> str:
    """The escape sequence that takes the pen from one look to another; nothing where they are the same."""
    if before == after:
        return ""
    off = {_ON_OFF[name][1] for name in before.attributes - after.attributes}
    on = [
        code
        for name, (code, ends) in _ON_OFF.items()
        if name in after.attributes and (name not in before.attributes or ends in off)
    ]
    codes = [*sorted(off), *on]
    if before.foreground != after.foreground:
        codes.append(after.foreground)
    if before.background != after.background:
        codes.append(after.background)
    return f"\x1b[{';'.join(codes)}m"


def seen_on_spaces(look: Look) -> bool:
    """True where a space in this look is more than its background."""
    return bool(look.attributes & _SEEN_ON_SPACES)
