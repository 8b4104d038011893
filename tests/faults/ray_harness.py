"""Faults on a real Ray: one head of the test's own serves many programs, one after the other.

A program's driver is an own child; it is located, read and judged as a user's run is, without hooks. Its end takes its
actors with it, those that a signal stopped too, before the next one begins.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.detect.scene import CONTROL_ROLES
from monitor.diagnose.capture import capture
from monitor.model.snapshot import RunPosition, Snapshot
from monitor.ray_head import RayHead
from monitor.sources.ray_api import RayApi
from monitor.sources.ray_discovery import RayCluster, find_cluster
from monitor.sources.run_locator import locate
from tests.faults.harness import Meanwhile, Outcome, looked_at, marked_lines, render, told_pids, wait_for_file

SCRIPTS = Path(__file__).parent / "ray_scripts"
LOOKS_SECONDS = (3.0, 5.0, 12.0)
"""When the watch looks: so long after the last fact; the third time only where two samples name nothing."""
END_SECONDS = 60.0


@dataclass(frozen=True)
class Head:
    """The Ray that serves the faults."""

    head: RayHead
    cluster: RayCluster
    api: RayApi


@contextmanager
def faulty_head() -> Iterator[Head]:
    """A head with two CPUs."""
    with RayHead.start(num_cpus=2, prefix="lsf", dies_with_parent=True) as head:
        cluster = find_cluster(head.address, environ=head.environment())
        yield Head(head, cluster, RayApi(cluster, timeout=20.0))


def watched_on_ray(ray: Head, name: str, seed: int, folder: Path, meanwhile: Meanwhile | None = None) -> Outcome:
    """Run one program and judge samples of it. `meanwhile`: called while it still hangs."""
    script = render(name, seed, folder, SCRIPTS)
    with program(ray, script, folder) as culprits:
        began = time.monotonic()
        position = RunPosition(name, 1, 1, "testing", last_moved_at=time.time())

        def take() -> Snapshot:
            return capture(ray.cluster, ray.api, locate(ray.cluster, ray.api), position)

        verdict = looked_at(began, LOOKS_SECONDS, take)
        seconds = time.monotonic() - began
        outcome = Outcome(verdict, culprits, marked_lines(script), script, seconds)
        if meanwhile is not None:
            processes = locate(ray.cluster, ray.api).processes
            meanwhile(outcome, tuple(process.pid for process in processes if process.role not in CONTROL_ROLES))
    return outcome


@contextmanager
def program(ray: Head, script: Path, folder: Path) -> Iterator[frozenset[int]]:
    """Pids of the culprits of the running program."""
    told, console = folder / "told", folder / "console.log"
    name = f"trainer.experiment_name={script.stem}"
    with console.open("wb") as log:
        driver = subprocess.Popen(
            [sys.executable, str(script), str(told), ray.head.address, name],
            env={**os.environ, **ray.head.environment()},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for_file(told, driver, console)
        yield told_pids(told)
    finally:
        _let_go_on(ray)
        driver.kill()
        driver.wait()
        _wait_until_empty(ray)


def _let_go_on(ray: Head) -> None:
    """A stopped worker could not end."""
    for actor in ray.api.actors():
        if actor.state == "ALIVE" and actor.pid:
            try:
                os.kill(actor.pid, signal.SIGCONT)
            except ProcessLookupError:
                continue


def _wait_until_empty(ray: Head) -> None:
    """Until the job and its actors are gone, so that their CPUs are free."""
    deadline = time.monotonic() + END_SECONDS
    while any(actor.state != "DEAD" for actor in ray.api.actors()) or any(
        job.status == "RUNNING" for job in ray.api.jobs()
    ):
        if time.monotonic() > deadline:
            raise TimeoutError("the program's actors did not end")
        time.sleep(0.2)
