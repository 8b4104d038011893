"""A snapshot of a live run: State API first, then every process at the same moment."""

from __future__ import annotations

from monitor.model.snapshot import RunPosition, Snapshot
from monitor.sources.ray_api import RayApi
from monitor.sources.ray_discovery import RayCluster
from monitor.sources.run_locator import RunLocation


def capture(cluster: RayCluster, api: RayApi, location: RunLocation, position: RunPosition) -> Snapshot:
    """Read everything once. Stops no process, writes nothing."""
    raise NotImplementedError
