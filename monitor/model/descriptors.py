"""What a process has open, by its own word: for where nobody else may look at its descriptors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Descriptors:
    """Inodes of its sockets, paths of its device files."""

    sockets: frozenset[int] = frozenset()
    devices: tuple[str, ...] = ()
