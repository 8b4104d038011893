"""DumpSource."""

from __future__ import annotations

from pathlib import Path

from monitor.model.fact import Fact


class DumpSource:
    """Poller."""

    def __init__(self, directory: Path) -> None:
        self._arguments = locals()

    def poll(self, now: float) -> list[Fact]:
        """New facts."""
        raise NotImplementedError
