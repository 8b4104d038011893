"""Text from outside made safe for a terminal: no byte of a log line or a name can steer it.

Covers escape sequences (removed), every other control, direction mark or unassigned character (shown as `�`), carriage
returns (what a terminal would show last), tabs, piles of combining characters, variation selectors (removed: terminals
disagree by a cell on what they make of the character before), and length. Does not mask secrets.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 2000
"""Characters kept of one line: more than any screen is wide, less than a line that slows one down."""

MOST_MARKS = 3
"""Combining characters kept in a row: enough for every written language, too few to climb over other lines."""

REPLACEMENT = "�"

# Strings (OSC, DCS, SOS, PM, APC) to their terminator, CSI sequences, then any other two-character escape; in their
# 7-bit and 8-bit forms, also where the end is missing. A string without terminator ends with the line.
_ESCAPES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)
_VARIATION_SELECTORS = frozenset(map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str, longest: int = LONGEST) -> str:
    """One line of `text` that is safe to print: what a terminal would show of it, at most `longest` characters."""
    if len(text) > 8 * longest:
        text = text[: 8 * longest]
    if not (text.isascii() and text.isprintable()):
        text = _printable(_last_redraw(_ESCAPES.sub("", text)).expandtabs(8))
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return text


def _last_redraw(text: str) -> str:
    """What is left to see of a line redrawn with carriage returns: its last part that says something."""
    if "\r" not in text:
        return text
    parts = [part for part in text.split("\r") if part.strip()]
    return parts[-1] if parts else ""


def _printable(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        if character.isascii():
            marks = 0
            kept.append(character if character.isprintable() else (" " if character == "\n" else REPLACEMENT))
            continue
        if character in _VARIATION_SELECTORS:
            continue
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > MOST_MARKS:
            continue
        kept.append(REPLACEMENT if category in _REFUSED_CATEGORIES else character)
    return "".join(kept)
