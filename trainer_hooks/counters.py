"""Progress counters of this process: fixed slots in memory that the monitor can read without asking.

Covers claiming slots, adding, setting and the two ways the slots reach their file: mapped, where the file system is
known to keep a written page writable, or copied by `flush`, where a full disk could turn a store into SIGBUS. Layout:
`records.COUNTER_*`. Does not choose the file's name, and does not catch errors: `recorder.py` does both.
"""

from __future__ import annotations

import mmap
import os
import threading
import time

from trainer_hooks import records

SIZE = records.COUNTER_HEADER.size + records.SLOTS * records.COUNTER_SLOT.size
NAME_BYTES = 48

MAPPED_FILE_SYSTEMS = frozenset({"ext2", "ext3", "ext4", "xfs", "tmpfs"})
"""Here a page whose block is written or reserved never fails on a later store. Copy-on-write and network file systems
need new blocks or a server at every write-back; a mapped store that finds none kills the process with SIGBUS."""

_mappings: list[mmap.mmap] = []
"""Every mapping, kept for good: a mapping that is dropped closes its descriptor, whose number may be another file's by
then (a trainer that closes all descriptors and forks)."""

RECYCLED_PREFIX = "validation_samples:"
"""Counters of validations long past give up their slot when all are taken."""


def file_system(path: str, mounts: str = "/proc/self/mountinfo") -> str:
    """Type of the file system that holds `path`; empty where it can't be told."""
    target = os.path.realpath(path)
    best, kind = "", ""
    with open(mounts, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            left, separator, right = line.partition(" - ")
            fields = left.split()
            if not separator or len(fields) < 5:
                continue
            point = fields[4].replace("\\040", " ")
            if (target == point or target.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
                best, kind = point, right.split()[0]
    return kind


class Counters:
    """The slots of one process. Threads may add at the same time; a fork must not share it (see `recorder`)."""

    def __init__(self, pid: int) -> None:
        self._memory: bytearray | mmap.mmap = bytearray(SIZE)
        self._values = memoryview(self._memory).cast("q")
        self._times = memoryview(self._memory).cast("d")
        self._slots: dict[str, int] = {}
        # Reentrant: a signal handler or a finalizer may count in the middle of counting.
        self._lock = threading.RLock()
        self._path: str | None = None
        self._changed = True
        self.mapped = False
        records.COUNTER_HEADER.pack_into(self._memory, 0, records.COUNTER_MAGIC, records.SCHEMA, records.SLOTS, pid)

    def attach(self, path: str, *, map_file: bool) -> None:
        """Give the slots a file. Mapped only where asked; raises OSError where the file can't be made or filled."""
        self._path = path
        self.flush()
        if not map_file:
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
            mapping = mmap.mmap(descriptor, SIZE)
            _mappings.append(mapping)
        finally:
            os.close(descriptor)
        with self._lock:
            mapping[:] = bytes(self._memory)
            self._memory = mapping
            self._values = memoryview(mapping).cast("q")
            self._times = memoryview(mapping).cast("d")
            self.mapped = True

    def flush(self) -> None:
        """Write the slots to their file where they are not mapped and have changed."""
        if self._path is None or self.mapped or not self._changed:
            return
        self._changed = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._path, flags, 0o600)
            try:
                if os.pwrite(descriptor, bytes(self._memory), 0) != SIZE:
                    raise OSError(28, "the counters' file was cut short", self._path)
            finally:
                os.close(descriptor)
        except OSError:
            self._changed = True
            raise

    def add(self, name: str, amount: int = 1) -> None:
        """Raise counter `name`. LookupError where all slots are taken."""
        with self._lock:
            index = self._slots.get(name) or self._claim(name)
            self._values[index] += amount
            self._times[index + 1] = time.time()
            self._changed = True

    def set(self, name: str, value: int) -> None:
        """Set counter `name`. LookupError where all slots are taken."""
        with self._lock:
            index = self._slots.get(name) or self._claim(name)
            self._values[index] = value
            self._times[index + 1] = time.time()
            self._changed = True

    def values(self) -> dict[str, int]:
        """Every counter and its value."""
        return {name: self._values[index] for name, index in self._slots.copy().items()}

    def _claim(self, name: str) -> int:
        """Index (in 8-byte words) of the value of a new slot for `name`."""
        number = len(self._slots)
        index = (records.COUNTER_HEADER.size + number * records.COUNTER_SLOT.size + NAME_BYTES) // 8
        if number >= records.SLOTS:
            index = self._recycle()
        start = index * 8 - NAME_BYTES
        encoded = name.encode("utf-8")[: NAME_BYTES - 1].ljust(NAME_BYTES, b"\0")
        self._values[index] = 0
        # The first word of the name last: until then the slot is free to a reader.
        self._memory[start + 8 : start + NAME_BYTES] = encoded[8:]
        self._memory[start : start + 8] = encoded[:8]
        self._slots[name] = index
        return index

    def _recycle(self) -> int:
        """Take the slot of the validation that moved longest ago."""
        old = [name for name in self._slots if name.startswith(RECYCLED_PREFIX)]
        if not old:
            raise LookupError(f"all {records.SLOTS} counter slots are taken")
        oldest = min(old, key=lambda name: self._times[self._slots[name] + 1])
        index = self._slots.pop(oldest)
        start = index * 8 - NAME_BYTES
        self._memory[start : start + 8] = bytes(8)
        return index
