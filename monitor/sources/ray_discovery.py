"""The Ray clusters of this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from monitor.model.reading import SourceError


class NoRay(SourceError):
    """No Ray."""


class ForeignRay(SourceError):
    """Another user's Ray."""


class SeveralRays(SourceError):
    """More than one Ray."""


class NoDashboard(SourceError):
    """Ray without its HTTP API."""


@dataclass(frozen=True)
class RayCluster:
    """A Ray cluster."""

    gcs_address: str
    dashboard_url: str
    session_dir: Path
    token: str | None = field(default=None, repr=False)
    raylet_pid: int | None = None
    node_id: str | None = None
    token_from: str = ""


def find_clusters() -> tuple[RayCluster, ...]:
    """Clusters of this uid."""
    raise NotImplementedError


def find_cluster(address: str | None = None) -> RayCluster:
    """The cluster at `address`."""
    raise NotImplementedError
