"""Kernel ids of a process's threads from their pthread handles, where the interpreter keeps none (Python 3.10).

The C library's record of a thread begins at its handle and holds the kernel's id at a place that depends on the
library's build. The place is not assumed: it is the only one at which every handle's record has a thread of this very
process, each another one, and the main thread's the process's own id. None or several such places: nothing is told.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from monitor.inspection.process_memory import MemoryUnreadable, read

RECORD_BYTES = 1024
"""glibc 2.31 to 2.41 has the id 720 bytes in on x86-64 and 208 on arm64, musl 48."""
_WORD = struct.Struct("<i")


def of_handles(pid: int, main: int, others: Iterable[int]) -> dict[int, int]:
    """Kernel id by pthread handle (`main`: the main thread's); empty where it can't be told."""
    try:
        tasks = {int(name) for name in os.listdir(f"/proc/{pid}/task")}
        records = {handle: read(pid, handle, RECORD_BYTES) for handle in {main, *others}}
    except (MemoryUnreadable, OSError):
        return {}
    return match(pid, tasks, main, records)


def match(pid: int, tasks: set[int], main: int, records: dict[int, bytes]) -> dict[int, int]:
    """The ids by the only place that fits every record."""
    found = []
    for place in range(0, RECORD_BYTES - _WORD.size + 1, _WORD.size):
        ids = {handle: _WORD.unpack_from(record, place)[0] for handle, record in records.items()}
        if ids[main] == pid and len(set(ids.values())) == len(ids) and set(ids.values()) <= tasks:
            found.append(ids)
    return found[0] if len(found) == 1 else {}
