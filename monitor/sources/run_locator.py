"""The run inside a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from monitor.model.reading import SourceError
from monitor.model.run import RunConfig
from monitor.sources.ray_api import RayApi
from monitor.sources.ray_discovery import RayCluster
from monitor.sources.trainer_profile import TrainerProfile


class NoRun(SourceError):
    """Ray runs, but no training run is in it."""


@dataclass(frozen=True)
class RunProcess:
    """A process of the run."""

    pid: int
    role: str
    label: str
    actor_id: str | None = None
    worker_id: str | None = None
    node_id: str | None = None


@dataclass(frozen=True)
class RunLocation:
    """Where a run lives."""

    name: str
    job_id: str
    driver_pid: int | None
    started_at: float
    console_log: str | None
    profile: TrainerProfile
    config: RunConfig
    processes: tuple[RunProcess, ...]
    unseen: tuple[str, ...] = ()


def locate(
    cluster: RayCluster, api: RayApi, *, run_directory: Path | None = None, log: Path | None = None
) -> RunLocation:
    """The newest live run."""
    raise NotImplementedError
