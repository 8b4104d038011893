"""Another process's memory."""

from __future__ import annotations


def read(pid: int, address: int, size: int) -> bytes:
    """Bytes at an address."""
    raise NotImplementedError
