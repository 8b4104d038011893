"""Fields of a protobuf message, without its schema: enough to read scalars out of event files and wandb's records.

Source: protobuf's encoding guide (varint, 64-bit, length-delimited, 32-bit wire types). Groups are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class BadMessage(ValueError):
    """Bytes that are no protobuf message."""


def fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(field number, wire type, value): an int for varints, the raw bytes for the others. Raises `BadMessage`."""
    position, end = 0, len(message)
    while position < end:
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, position = _varint(message, position)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, position = _varint(message, position)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise BadMessage(f"wire type {wire}")
        if position + size > end:
            raise BadMessage("a field runs past the end")
        yield number, wire, message[position : position + size]
        position += size


def number_of(wire: int, value: int | bytes) -> float:
    """A field's value as a number. Raises `BadMessage`."""
    if isinstance(value, int):
        return float(value)
    if wire == FIXED64:
        return float(struct.unpack("<d", value)[0])
    if wire == FIXED32:
        return float(struct.unpack("<f", value)[0])
    raise BadMessage("no number")


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(message) or shift > 63:
            raise BadMessage("a number runs past the end")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
