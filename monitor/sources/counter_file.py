"""The hooks' counter file: fixed slots that the training process writes without locks, read as they stand.

A value is one aligned 8-byte store, so it is never half written; a value and its time may be of two stores.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainer_hooks import records


@dataclass(frozen=True)
class Slot:
    """One counter: its value and when it last changed (wall clock)."""

    value: int
    at: float


def read_counters(path: Path) -> dict[str, Slot]:
    """Every named counter of a file; empty where there is none, or it is of another layout."""
    header, slot = records.COUNTER_HEADER, records.COUNTER_SLOT
    try:
        raw = path.read_bytes()[: header.size + 4096 * slot.size]
    except OSError:
        return {}
    if len(raw) < header.size:
        return {}
    magic, schema, slots, _ = header.unpack_from(raw)
    if magic != records.COUNTER_MAGIC or schema != records.SCHEMA:
        return {}
    found = {}
    for index in range(min(slots, (len(raw) - header.size) // slot.size)):
        name, value, at = slot.unpack_from(raw, header.size + index * slot.size)
        text = name.rstrip(b"\0").decode("utf-8", "replace")
        if text:
            found[text] = Slot(value, at)
    return found
