"""One process's memory as pages that are read once and kept until `forget`: what belongs together is read together.

Bounded: a page is 4 KiB, an image ends with `Odd` after `MOST_PAGES` of them, whatever its pointers say.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from monitor.inspection.asyncio_reader.errors import Odd
from monitor.inspection.process_memory import MemoryUnreadable, read, read_many

PAGE = 4096
MOST_PAGES = 1 << 18
LARGEST_BLOCK = 1 << 24

_WORD = struct.Struct("<Q")
_INTEGER = struct.Struct("<i")

Stamp = tuple[int, bytes]
"""An address and the bytes that were there."""


class Image:
    """Memory of `pid`. Raises `MemoryUnreadable` and `Odd`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.pages_read = 0
        self._pages: dict[int, bytes] = {}

    def forget(self) -> None:
        """Read everything anew from here on."""
        self._pages.clear()

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes at `address`."""
        if not 0 <= size <= LARGEST_BLOCK:
            raise Odd(f"a block of {size} bytes")
        start = address & (PAGE - 1)
        if start + size <= PAGE:
            return self._page(address - start)[start : start + size]
        if size >= PAGE:
            return self.fresh(address, size)
        first = self._page(address - start)[start:]
        return first + self._page(address - start + PAGE)[: size - len(first)]

    def fresh(self, address: int, size: int) -> bytes:
        """As `read`, past the pages kept."""
        self._count(1 + size // PAGE)
        return read(self.pid, address, size)

    def word(self, address: int) -> int:
        """The 64-bit word at `address`."""
        start = address & (PAGE - 1)
        if start <= PAGE - 8:
            return int(_WORD.unpack_from(self._page(address - start), start)[0])
        return int(_WORD.unpack(self.read(address, 8))[0])

    def words(self, address: int, count: int) -> tuple[int, ...]:
        """`count` 64-bit words."""
        return struct.unpack(f"<{count}Q", self.read(address, 8 * count)) if count else ()

    def integer(self, address: int) -> int:
        """The signed 32-bit integer at `address`."""
        return int(_INTEGER.unpack(self.read(address, 4))[0])

    def unchanged(self, stamps: Sequence[Stamp]) -> bool:
        """All of these bytes are still where they were: one look at all of them."""
        try:
            found = read_many(self.pid, [(address, len(raw)) for address, raw in stamps])
        except MemoryUnreadable:
            return False
        return found == b"".join(raw for _, raw in stamps)

    def _page(self, address: int) -> bytes:
        page = self._pages.get(address)
        if page is None:
            self._count(1)
            page = self._pages[address] = read(self.pid, address, PAGE)
        return page

    def _count(self, pages: int) -> None:
        self.pages_read += pages
        if self.pages_read > MOST_PAGES:
            raise MemoryUnreadable(f"more than {MOST_PAGES * PAGE >> 20} MiB of pid {self.pid} would have to be read")
