"""ObjectIDs of ObjectRefs in another process: what a waiting `ray.get` waits for.

Layout of Ray 2.60 and of CPython 3.10 to 3.13 with the GIL: the 28-byte ObjectID lies 32 bytes into an ObjectRef; a
list keeps its length at 16, its items at 24. Every id is checked (its job, its index, one type for all refs), so that
another layout gives "unreadable" and never a wrong id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from monitor.inspection.process_memory import MemoryUnreadable, read, read_words

OBJECT_ID_OFFSET = 32
OBJECT_ID_BYTES = 28
TASK_ID_BYTES = 24
JOB_ID = slice(20, 24)
INDEX = slice(24, 28)
MOST_REFS = 1024
MOST_JOBS = 1 << 20
MOST_OBJECTS = 1 << 30

_ADDRESS = re.compile(r"ObjectRef(?:\(\w+\))? at (0x[0-9a-f]+)")


class RefsUnreadable(ValueError):
    """ObjectRefs that could not be read for certain; the message says why."""


def read_refs(pid: int, addresses: Sequence[int]) -> tuple[str, ...]:
    """The ObjectIDs (hex) of ObjectRefs at these addresses. Raises `RefsUnreadable`, also where one of them is odd."""
    raw: list[bytes] = []
    types: set[int] = set()
    try:
        for address in addresses[:MOST_REFS]:
            head = read(pid, address, OBJECT_ID_OFFSET + OBJECT_ID_BYTES)
            types.add(int.from_bytes(head[8:16], "little"))
            raw.append(head[OBJECT_ID_OFFSET:])
    except MemoryUnreadable as error:
        raise RefsUnreadable(f"memory of the ObjectRefs can't be read: {error}") from error
    check(raw, types)
    return tuple(identifier.hex() for identifier in raw)


def check(identifiers: Sequence[bytes], types: set[int]) -> None:
    """Raise `RefsUnreadable` unless these bytes can only be ObjectIDs of one job."""
    jobs = {identifier[JOB_ID] for identifier in identifiers}
    if len(types) > 1:
        raise RefsUnreadable("the list holds objects of several types")
    if len(jobs) > 1:
        raise RefsUnreadable("the ids name several jobs, so this Ray keeps them elsewhere")
    for identifier in identifiers:
        job = int.from_bytes(identifier[JOB_ID], "little")
        index = int.from_bytes(identifier[INDEX], "little")
        if not 0 < job < MOST_JOBS or not 0 < index < MOST_OBJECTS or identifier[:20] == bytes(20):
            raise RefsUnreadable("the bytes are no ObjectID, so this Ray keeps it elsewhere")


def list_items(pid: int, address: int, shown: str) -> tuple[int, ...]:
    """Addresses of a list's items; `shown` is its repr, whose first addresses must agree. Raises `RefsUnreadable`."""
    try:
        if shown.startswith("<cell at"):
            address = read_words(pid, address + 16, 1)[0]
        size, items = read_words(pid, address + 16, 2)
        if not 0 < size < 1 << 24:
            raise RefsUnreadable("the list of ObjectRefs is empty, or was freed meanwhile")
        found = read_words(pid, items, min(size, MOST_REFS))
    except MemoryUnreadable as error:
        raise RefsUnreadable(f"the list of ObjectRefs can't be read: {error}") from error
    told = [int(text, 16) for text in _ADDRESS.findall(shown)]
    if told and told != list(found[: len(told)]):
        raise RefsUnreadable("the list of ObjectRefs changed while it was read")
    return found
