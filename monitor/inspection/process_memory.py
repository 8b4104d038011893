"""Bytes of another process's memory by `process_vm_readv`: the process is not stopped and notices nothing.

Same uid, or the right to ptrace. Addresses may be stale by the time they are read: whoever reads checks what came.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

MOST_PLACES = 1024
"""What one call takes (IOV_MAX)."""


class MemoryUnreadable(OSError):
    """That memory of that process can't be read; the message says why."""


class _Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


@cache
def _library() -> Any:
    library = ctypes.CDLL(None, use_errno=True)
    library.process_vm_readv.restype = ctypes.c_ssize_t
    library.process_vm_readv.argtypes = [
        ctypes.c_int,
        ctypes.POINTER(_Part),
        ctypes.c_ulong,
        ctypes.POINTER(_Part),
        ctypes.c_ulong,
        ctypes.c_ulong,
    ]
    return library


def read(pid: int, address: int, size: int) -> bytes:
    """Exactly `size` bytes at `address`. Raises `MemoryUnreadable`."""
    if not 0 < address < 1 << 57 or not 0 < size <= 1 << 24:
        raise MemoryUnreadable(f"no such memory: {size} bytes at {address:#x}")
    buffer = ctypes.create_string_buffer(size)
    local = _Part(ctypes.addressof(buffer), size)
    remote = _Part(address, size)
    count = _library().process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    if count < 0:
        code = ctypes.get_errno()
        raise MemoryUnreadable(code, f"{os.strerror(code)} (pid {pid})")
    if count != size:
        raise MemoryUnreadable(f"only {count} of {size} bytes at {address:#x} of pid {pid}")
    return buffer.raw


def read_many(pid: int, places: Sequence[tuple[int, int]]) -> bytes:
    """The bytes of several places (address, size), at most `MOST_PLACES`, one after another, by one system call.

    Raises `MemoryUnreadable` where any of them can't be read.
    """
    total = sum(size for _, size in places)
    if not 0 < len(places) <= MOST_PLACES or total > 1 << 20 or any(not 0 < place < 1 << 57 for place, _ in places):
        raise MemoryUnreadable(f"no such memory: {len(places)} places of {total} bytes")
    buffer = ctypes.create_string_buffer(total)
    local = _Part(ctypes.addressof(buffer), total)
    remote = (_Part * len(places))(*(_Part(place, size) for place, size in places))
    count = _library().process_vm_readv(pid, ctypes.byref(local), 1, remote, len(places), 0)
    if count < 0:
        code = ctypes.get_errno()
        raise MemoryUnreadable(code, f"{os.strerror(code)} (pid {pid})")
    if count != total:
        raise MemoryUnreadable(f"only {count} of {total} bytes of pid {pid}")
    return buffer.raw


def read_words(pid: int, address: int, count: int) -> tuple[int, ...]:
    """`count` 64-bit words."""
    return struct.unpack(f"<{count}Q", read(pid, address, 8 * count))
