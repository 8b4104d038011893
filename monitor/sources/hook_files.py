"""Hook files."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from monitor.model.fact import Fact


class HookSource:
    """Poller."""

    def __init__(self, directory: str, pids: Callable[[], Iterable[int]]) -> None:
        self._directory = directory
        self._pids = pids

    def poll(self, now: float) -> list[Fact]:
        """New facts."""
        raise NotImplementedError
