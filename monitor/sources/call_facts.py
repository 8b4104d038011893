"""Call facts."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.model.fact import Fact
from monitor.model.snapshot import RayCall
from monitor.sources.trainer_profile import TrainerProfile


class CallFacts:
    """CALLS_MOVED from the set of unfinished moving calls."""

    def __init__(self, profile: TrainerProfile) -> None:
        self._profile = profile

    def poll(self, calls: Iterable[RayCall], now: float) -> list[Fact]:
        """New facts."""
        raise NotImplementedError
