"""Finding the run to watch: the Ray on this machine, its trainer, and the run's name. Waits where it is told to."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from monitor.engine.engine import Attachment
from monitor.model.reading import SourceError
from monitor.settings import Settings
from monitor.sources.ray_api import RayApi
from monitor.sources.ray_discovery import find_cluster
from monitor.sources.run_locator import locate

RETRY_SECONDS = 1.0


def attach(settings: Settings, address: str | None, run_directory: Path | None, log: Path | None) -> Attachment:
    """The live run, once. Raises a `SourceError` that says what is missing."""
    cluster = find_cluster(address)
    api = RayApi(cluster, settings.request_deadline_seconds)
    return Attachment(cluster, api, locate(cluster, api, run_directory=run_directory, log=log))


def attach_patiently(
    settings: Settings,
    address: str | None,
    run_directory: Path | None,
    log: Path | None,
    *,
    patience_seconds: float,
    stopped: Callable[[], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> Attachment | None:
    """The live run, tried again until `patience_seconds` have passed; None where `stopped` says so meanwhile."""
    deadline = time.monotonic() + patience_seconds
    while not stopped():
        try:
            return attach(settings, address, run_directory, log)
        except SourceError:
            if time.monotonic() >= deadline:
                raise
        sleep(RETRY_SECONDS)
    return None
