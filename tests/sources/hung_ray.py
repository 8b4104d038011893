"""A real Ray of the test's own with a hung job in it, for what can't be faked: processes, stacks, HTTP answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.ray_head import RayHead
from monitor.sources.ray_api import RayApi
from monitor.sources.ray_discovery import RayCluster, find_cluster

DRIVER = Path(__file__).with_name("hung_driver.py")
PATIENCE_SECONDS = 90.0


@dataclass
class HungRay:
    """The head, the hung job's driver and how to ask."""

    head: RayHead
    driver: subprocess.Popen[bytes]
    folder: Path
    console: Path
    cluster: RayCluster
    api: RayApi


@contextmanager
def hung_ray() -> Iterator[HungRay]:
    """Up until its job hangs: the server's control call and the agent's loop both stand still."""
    folder = Path(tempfile.mkdtemp(prefix="lsh", dir="/tmp"))
    console = folder / "console.log"
    (folder / "validation.jsonl").write_text('{"input": "1+1="}\n' * 256)
    with RayHead.start(num_cpus=2) as head, console.open("wb") as output:
        driver = subprocess.Popen(
            [sys.executable, str(DRIVER), str(folder), head.address],
            env={**os.environ, **head.environment(), "VERL_FILE_LOGGER_ROOT": str(folder / "logs")},
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            cluster = find_cluster(head.address, environ=head.environment())
            api = RayApi(cluster, timeout=10.0)
            wait_until(lambda: {"RolloutServer.update_weights", "AgentLoopWorker.generate_sequences"} <= _running(api))
            wait_until(lambda: b"global_steps" in console.read_bytes())
            yield HungRay(head, driver, folder, console, cluster, api)
        finally:
            driver.kill()
            driver.wait()
            shutil.rmtree(folder, ignore_errors=True)


def wait_until(holds: Callable[[], bool]) -> None:
    """Return once `holds`; fail after a generous while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)


def _running(api: RayApi) -> set[str]:
    return {call.function for call in api.calls() if call.state == "RUNNING"}
