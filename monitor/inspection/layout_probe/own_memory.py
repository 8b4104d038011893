"""This process's own memory, by /proc/self/mem (a wrong address gives nothing, no crash), and searches in it."""

from __future__ import annotations

import os
import struct

MEMORY = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)


class Unlike(Exception):
    """This build differs from what the reader knows; the message says in what."""


def read(address: int, size: int) -> bytes:
    """At most `size` bytes; fewer or none where there is no such memory."""
    try:
        return os.pread(MEMORY, size, address)
    except (OSError, OverflowError, ValueError):
        return b""


def word(address: int) -> int:
    """The 64-bit word at `address`, 0 where there is none."""
    raw = read(address, 8)
    return int(struct.unpack("<Q", raw)[0]) if len(raw) == 8 else 0


def integer(address: int) -> int:
    """The signed 32-bit integer at `address`."""
    raw = read(address, 4)
    return int(struct.unpack("<i", raw)[0]) if len(raw) == 4 else 0


def places(base: int, value: int, size: int = 512, start: int = 0) -> list[int]:
    """Offsets of the words that hold `value`, from `base` on."""
    raw = read(base, size)
    return [i for i in range(start, len(raw) - 7, 8) if struct.unpack_from("<Q", raw, i)[0] == value]


def place(what: str, base: int, value: int, size: int = 512, start: int = 0) -> int:
    """The first of `places`. Raises `Unlike`."""
    found = places(base, value, size, start)
    if not found:
        raise Unlike(f"{what} was not found")
    return found[0]


def integers(base: int, value: int, size: int = 512, start: int = 16) -> set[int]:
    """Offsets of the 32-bit integers that hold `value`."""
    raw = read(base, size)
    return {i for i in range(start, len(raw) - 3, 4) if struct.unpack_from("<i", raw, i)[0] == value}


def least(what: str, found: set[int]) -> int:
    """The lowest offset. Raises `Unlike` where there is none."""
    if not found:
        raise Unlike(f"{what} was not found")
    return min(found)
