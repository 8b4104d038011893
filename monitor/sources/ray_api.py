"""Ray State API over HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model.reading import SourceError
from monitor.model.snapshot import RayActor, RayCall
from monitor.sources.ray_discovery import RayCluster


class RayUnreachable(SourceError):
    """No answer."""


class RayForbidden(SourceError):
    """401 or 403."""


@dataclass(frozen=True)
class RayWorker:
    """A worker."""

    worker_id: str
    pid: int
    node_id: str
    kind: str
    alive: bool


@dataclass(frozen=True)
class RayJob:
    """A job."""

    job_id: str
    driver_pid: int | None
    status: str
    entrypoint: str
    started_at: float | None


@dataclass(frozen=True)
class RayNode:
    """A node."""

    node_id: str
    ip: str
    alive: bool
    is_head: bool
    resources: dict[str, float]


class RayApi:
    """Ray State API of one cluster."""

    def __init__(self, cluster: RayCluster, timeout: float = 3.0) -> None:
        self.cluster = cluster
        self.timeout = timeout

    def calls(self) -> tuple[RayCall, ...]:
        """Unfinished calls."""
        raise NotImplementedError

    def actors(self) -> tuple[RayActor, ...]:
        """Actors."""
        raise NotImplementedError

    def workers(self) -> tuple[RayWorker, ...]:
        """Workers."""
        raise NotImplementedError

    def jobs(self) -> tuple[RayJob, ...]:
        """Jobs."""
        raise NotImplementedError

    def nodes(self) -> tuple[RayNode, ...]:
        """Nodes."""
        raise NotImplementedError

    def version(self) -> str:
        """Ray's version."""
        raise NotImplementedError
