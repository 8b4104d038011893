"""ConsoleSource."""

from __future__ import annotations

from pathlib import Path

from monitor.model.fact import Fact
from monitor.sources.trainer_profile import TrainerProfile


class ConsoleSource:
    """Poller."""

    def __init__(self, path: Path, profile: TrainerProfile) -> None:
        self._arguments = locals()

    def poll(self, now: float) -> list[Fact]:
        """New facts."""
        raise NotImplementedError
