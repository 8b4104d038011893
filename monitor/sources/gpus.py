"""GPUs."""

from __future__ import annotations

from monitor.model.reading import Reading
from monitor.model.run import GpuReading


class GpuReader:
    """GPU readings from a child with a deadline."""

    def __init__(self, deadline: float = 5.0) -> None:
        self._deadline = deadline

    def poll(self, now: float) -> Reading[tuple[GpuReading, ...]]:
        """A reading."""
        raise NotImplementedError

    def close(self) -> None:
        """End the child."""
