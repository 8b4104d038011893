"""Corrupt memory never makes the reader crash, loop or take forever: it says that it can't read, or reads less.

A real process's memory is copied as it is read, then given again with bytes changed: flipped bits, pointers to
elsewhere, huge lengths, cycles.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from monitor.inspection.asyncio_reader import image, layouts, reading
from monitor.inspection.asyncio_reader.errors import UNREADABLE, NotReadable
from monitor.inspection.asyncio_reader.reading import ProcessReader, ProcessTasks
from monitor.inspection.asyncio_reader.target import describe
from monitor.inspection.process_memory import MemoryUnreadable
from monitor.inspection.process_memory import read as read_memory
from tests.inspection.asyncio_reader.targets import python, target

RUNS = 120
LONGEST_SECONDS = 20.0
PAGE = image.PAGE


class Copy:
    """Pages of a real process, given again with a change."""

    def __init__(self, pages: dict[int, bytes], change: Callable[[bytes], bytes] = bytes) -> None:
        self.pages = pages
        self.change = change

    def read(self, pid: int, address: int, size: int) -> bytes:
        if not 0 < address < 1 << 57 or not 0 < size <= 1 << 24:
            raise MemoryUnreadable("no such memory")
        first = address & ~(PAGE - 1)
        found = b""
        for page in range(first, address + size, PAGE):
            if page not in self.pages:
                raise MemoryUnreadable("not in the copy")
            found += self.change(self.pages[page])
        return found[address - first : address - first + size]

    def read_many(self, pid: int, places: list[tuple[int, int]]) -> bytes:
        return b"".join(self.read(pid, *place) for place in places)


@pytest.fixture(scope="module")
def copied() -> tuple[Callable[[], ProcessReader], dict[int, bytes]]:
    """A reader of a copy, and its pages: every page that a sound reading touches, from a process that stood still."""
    interpreter = python("{}.{}".format(*__import__("sys").version_info))
    assert interpreter is not None
    pages: dict[int, bytes] = {}

    def recording(pid: int, address: int, size: int) -> bytes:
        for page in range(address & ~(PAGE - 1), address + size, PAGE):
            pages[page] = read_memory(pid, page, PAGE)
        return read_memory(pid, address, size)

    with target(interpreter, "quiet") as (pid, _), pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "read", recording)
        described = describe(pid)
        layout = layouts.layout_of(described)
        base = described.bases[layout.runtime_device, layout.runtime_inode]

        def reader() -> ProcessReader:
            return ProcessReader(pid, layout, base + layout.at["runtime"])

        reader().read(time.monotonic() + LONGEST_SECONDS)
    return reader, pages


def _read(copied: tuple[Callable[[], ProcessReader], dict[int, bytes]], copy: Copy) -> ProcessTasks | None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "read", copy.read)
        patch.setattr(image, "read_many", copy.read_many)
        patch.setattr(reading, "ATTEMPTS", 2)
        try:
            return copied[0]().read(time.monotonic() + LONGEST_SECONDS)
        except (NotReadable, *UNREADABLE):
            return None


def test_the_copy_itself_reads_like_the_process(copied: tuple[Callable[[], ProcessReader], dict[int, bytes]]) -> None:
    found = _read(copied, Copy(copied[1]))
    assert found is not None and len(found.tasks) >= 30


@pytest.mark.parametrize("kind", ["bits", "words", "pointers", "huge", "lost pages"])
def test_changed_memory_ends_in_less_or_in_a_refusal(
    copied: tuple[Callable[[], ProcessReader], dict[int, bytes]], kind: str
) -> None:
    chance = random.Random(f"{kind} 1")
    addresses = sorted(copied[1])
    began = time.monotonic()
    for _ in range(RUNS // 5):
        pages = {page: bytearray(raw) for page, raw in copied[1].items()}
        for _ in range(chance.choice((1, 8, 64))):
            raw = pages[chance.choice(addresses)]
            at = 8 * chance.randrange(PAGE // 8)
            if kind == "bits":
                raw[at] ^= 1 << chance.randrange(8)
            elif kind == "words":
                raw[at : at + 8] = chance.randbytes(8)
            elif kind == "pointers":
                raw[at : at + 8] = (chance.choice(addresses) + 16 * chance.randrange(256)).to_bytes(8, "little")
            elif kind == "huge":
                raw[at : at + 8] = chance.choice((1 << 62, (1 << 64) - 1, 1 << 20, 1 << 31)).to_bytes(8, "little")
            else:
                pages.pop(chance.choice(addresses), None)
                addresses = sorted(pages)
        found = _read(copied, Copy({page: bytes(raw) for page, raw in pages.items()}))
        assert found is None or len(found.tasks) <= 200
        addresses = sorted(copied[1])
        if time.monotonic() - began > 40:
            break


def test_memory_that_changes_at_every_look_is_called_torn_and_never_told(
    copied: tuple[Callable[[], ProcessReader], dict[int, bytes]],
) -> None:
    class Restless(Copy):
        def read_many(self, pid: int, places: list[tuple[int, int]]) -> bytes:
            return b"?" * sum(size for _, size in places)

    found = _read(copied, Restless(copied[1]))
    assert found is not None
    assert found.tasks == () and found.torn >= 30
