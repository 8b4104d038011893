"""Bytes of another process's memory by `process_vm_readv`: the process is not stopped and notices nothing.

Same uid, or the right to ptrace. Addresses may be stale by the time they are read: whoever reads checks what came.
"""

from __future__ import annotations

import ctypes
import os
import struct
from functools import cache
from typing import Any


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
    local = _Part(ctypes.cast(buffer, ctypes.c_void_p), size)
    remote = _Part(address, size)
    count = _library().process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    if count < 0:
        code = ctypes.get_errno()
        raise MemoryUnreadable(code, f"{os.strerror(code)} (pid {pid})")
    if count != size:
        raise MemoryUnreadable(f"only {count} of {size} bytes at {address:#x} of pid {pid}")
    return buffer.raw


def read_words(pid: int, address: int, count: int) -> tuple[int, ...]:
    """`count` 64-bit words."""
    return struct.unpack(f"<{count}Q", read(pid, address, 8 * count))
