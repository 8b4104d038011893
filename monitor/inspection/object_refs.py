"""ObjectIDs."""

from __future__ import annotations

from collections.abc import Sequence


def read_refs(pid: int, addresses: Sequence[int]) -> tuple[str, ...]:
    """ObjectIDs behind ObjectRef addresses."""
    raise NotImplementedError
