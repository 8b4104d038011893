"""Finding the run to watch: the Ray on this machine, its trainer, and the run's name. Waits where it is told to.

Where no Ray of this machine trains, a run without Ray is taken, if its hooks tell of one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from monitor.engine.engine import Attachment
from monitor.model.reading import SourceError
from monitor.settings import Settings
from monitor.sources import proc
from monitor.sources.hooked_run import NO_RAY, NoRayApi, hooked_runs
from monitor.sources.ray_api import RayApi
from monitor.sources.ray_discovery import NoRay, RayCluster, SeveralRays, find_cluster, find_clusters
from monitor.sources.run_locator import NoRun, RunLocation, RunStarting, locate

RETRY_SECONDS = 1.0


class SeveralRuns(SourceError):
    """More than one training without Ray."""

    HELP_TEXT = "say which one: `laststep watch --below PID`"


def attach(
    settings: Settings, address: str | None, run_directory: Path | None, log: Path | None, below: int | None = None
) -> Attachment:
    """The live run, once. Of several Rays on this machine (a rerun has one of its own) the one that trains.

    `below`: only a run whose driver descends from this process. Raises a `SourceError` that says what is missing.
    """
    if below is not None:
        return _below(settings, below, address, run_directory, log)
    try:
        return _in_ray(settings, address, run_directory, log)
    except RunStarting:
        raise
    except (NoRay, NoRun) as none:
        if address is None and (found := hooked_runs(log=log)):
            return _without_ray(found)
        raise none


def _in_ray(settings: Settings, address: str | None, run_directory: Path | None, log: Path | None) -> Attachment:
    try:
        cluster = find_cluster(address)
    except SeveralRays as several:
        return _the_one_that_trains(settings, several, run_directory, log)
    return attach_to(cluster, settings, run_directory, log)


def _without_ray(found: tuple[RunLocation, ...]) -> Attachment:
    if len(found) > 1:
        names = ", ".join(f"{location.name} (pid {location.driver_pid})" for location in found)
        raise SeveralRuns(f"several trainings without Ray live here: {names}")
    return Attachment(NO_RAY, NoRayApi(), found[0])


def attach_to(cluster: RayCluster, settings: Settings, run_directory: Path | None, log: Path | None) -> Attachment:
    """The live run of this Ray."""
    api = RayApi(cluster, settings.request_deadline_seconds)
    return Attachment(cluster, api, locate(cluster, api, run_directory=run_directory, log=log))


def _the_one_that_trains(
    settings: Settings, several: SeveralRays, run_directory: Path | None, log: Path | None
) -> Attachment:
    found: list[Attachment] = []
    for cluster in find_clusters():
        with contextlib.suppress(SourceError):
            found.append(attach_to(cluster, settings, run_directory, log))
    if len(found) != 1:
        raise several
    return found[0]


def _below(
    settings: Settings, pid: int, address: str | None, run_directory: Path | None, log: Path | None
) -> Attachment:
    """The run whose driver is `pid` or descends from it, in whichever Ray it lives."""
    below = {pid, *proc.descendants(pid, proc.parents())}
    for cluster in [find_cluster(address)] if address else find_clusters():
        with contextlib.suppress(SourceError):
            found = attach_to(cluster, settings, run_directory, log)
            if found.location.driver_pid in below:
                return found
    if address is None:
        for location in hooked_runs(log=log):
            if location.driver_pid in below:
                return _without_ray((location,))
    raise NoRun(f"no training has its driver below process {pid} yet")


def attach_patiently(
    settings: Settings,
    address: str | None,
    run_directory: Path | None,
    log: Path | None,
    *,
    patience_seconds: float,
    stopped: Callable[[], bool],
    sleep: Callable[[float], None] = time.sleep,
    below: int | None = None,
) -> Attachment | None:
    """The live run, tried again until `patience_seconds` have passed; None where `stopped` says so meanwhile."""
    deadline = time.monotonic() + patience_seconds
    while not stopped():
        try:
            return attach(settings, address, run_directory, log, below)
        except SourceError:
            if time.monotonic() >= deadline:
                raise
        sleep(RETRY_SECONDS)
    return None
