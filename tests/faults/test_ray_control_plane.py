"""Ray's own processes stopped under a run: named as a suspicion, while nothing of Ray's records can be had."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from monitor.diagnose.capture import capture
from monitor.model.snapshot import RunPosition
from monitor.sources.ray_api import RayApi
from monitor.sources.run_locator import locate
from tests.faults.harness import looked_at, render
from tests.faults.ray_harness import SCRIPTS, faulty_head, program

pytestmark = pytest.mark.real

LOOKS_SECONDS = (1.0, 3.0, 6.0)


@pytest.mark.parametrize("role", ["gcs", "raylet"])
def test_a_stopped_process_of_rays_own_is_suspected(role: str, tmp_path: Path) -> None:
    # A raylet that is stopped for long is dead to Ray, and its head with it: each has a head of its own.
    with faulty_head() as ray, program(ray, render("ray_slow_leaf", 1, tmp_path, SCRIPTS), tmp_path):
        location = locate(ray.cluster, ray.api)
        (pid,) = (process.pid for process in location.processes if process.role == role)
        position = RunPosition("stopped", 1, 1, "testing", last_moved_at=time.time())
        hasty = RayApi(ray.cluster, timeout=2.0)
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            verdict = looked_at(began, LOOKS_SECONDS, lambda: capture(ray.cluster, hasty, location, position))
        finally:
            os.kill(pid, signal.SIGCONT)
    assert verdict.findings == ()
    (suspicion,) = verdict.suspicions
    assert (suspicion.hang_class, suspicion.culprit.pid) == ("ray-control-plane", pid)
