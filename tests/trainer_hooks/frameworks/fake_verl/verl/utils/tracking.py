"""The trackers."""

from __future__ import annotations

from typing import Any


class Tracking:
    """Logs nowhere."""

    def log(self, data: dict[str, Any], step: int, backend: str | None = None) -> None:
        """Logs."""
