"""Where one build of CPython keeps what the reader looks for: what its own probe found, and what its version fixes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MANAGED_DICT = 1 << 4
INLINE_VALUES = 1 << 2
"""Bits of a type's flags."""
VERSIONS = frozenset({(3, 10), (3, 11), (3, 12), (3, 13)})


@dataclass(frozen=True)
class Layout:
    """Offsets in bytes. `at` holds what the probe found in objects of this very build, by name."""

    version: tuple[int, int, int]
    at: Mapping[str, int]
    resume_opcodes: frozenset[int]
    runtime_device: str
    runtime_inode: int
    """The mapped file that `_PyRuntime` lies in (the interpreter, or its shared library)."""

    @property
    def minor(self) -> int:
        """10 to 13."""
        return self.version[1]


def parse(offsets: Mapping[str, Any]) -> Layout:
    """The probe's answer. Raises ValueError, KeyError or TypeError where it is no such answer."""
    major, minor, micro = (int(part) for part in offsets["version"])
    if (major, minor) not in VERSIONS:
        raise ValueError(f"Python {major}.{minor}: only 3.10 to 3.13 can be read")
    at = {name: value for name, value in offsets.items() if isinstance(value, int) and not isinstance(value, bool)}
    if any(not -64 <= value < 1 << 32 for value in at.values()):
        raise ValueError("an offset out of range")
    opcodes = frozenset(int(code) for code in offsets["resume_opcodes"])
    return Layout((major, minor, micro), at, opcodes, str(offsets["runtime_device"]), int(offsets["runtime_inode"]))
