"""The line of an instruction from a code object's `co_linetable`: the forms of 3.10 and of 3.11 to 3.13.

Pure. Sources: CPython `Objects/lnotab_notes.txt` (3.10), `Objects/locations.md` (3.11). A table that is cut short or
hostile gives 0, "not known".
"""

from __future__ import annotations

CODE_UNIT = 2
NO_LINE = 0
_NONE, _LONG, _NO_COLUMNS, _ONE_LINE_2 = 15, 14, 13, 12


def line_of(minor: int, table: bytes, first: int, instruction: int) -> int:
    """The line at byte offset `instruction`; `minor`: of the Python version. 0: not known.

    A negative offset is that of a frame that has not begun: its first line.
    """
    if instruction < 0:
        return first
    return _old(table, first, instruction) if minor <= 10 else _new(table, first, instruction)


def _old(table: bytes, first: int, instruction: int) -> int:
    """3.10: pairs of a length in bytes and a signed step in lines, -128 for none."""
    line, end = first, 0
    for position in range(0, len(table) - 1, 2):
        step = table[position + 1] - 256 if table[position + 1] > 127 else table[position + 1]
        end += table[position]
        line += 0 if step == -128 else step
        if instruction < end:
            return NO_LINE if step == -128 else line
    return NO_LINE


def _new(table: bytes, first: int, instruction: int) -> int:
    """3.11 and later: entries of a kind, a length in code units, and for most kinds a step in lines."""
    line, end, position = first, 0, 0
    while position < len(table):
        head = table[position]
        kind = head >> 3 & 15
        position += 1
        step = 0
        if kind in (_LONG, _NO_COLUMNS):
            step = _signed(table, position)
        elif 10 <= kind <= _ONE_LINE_2:
            step = kind - 10
        line += step
        end += ((head & 7) + 1) * CODE_UNIT
        if instruction < end:
            return NO_LINE if kind == _NONE else line
        while position < len(table) and not table[position] & 0x80:
            position += 1
    return NO_LINE


def _signed(table: bytes, position: int) -> int:
    """A variable-length integer of six bits a byte, least first; its lowest bit is the sign."""
    value = shift = 0
    while position < len(table) and shift < 36:
        value |= (table[position] & 63) << shift
        shift += 6
        if not table[position] & 64:
            break
        position += 1
    return -(value >> 1) if value & 1 else value >> 1
