"""Hangs of real Ray jobs that nobody may look into: `python -m tests.diagnose.blind_hangs FOLDER MODE…` prints JSON.

Every process of the job sets PR_SET_DUMPABLE to 0, and this one has no CAP_SYS_PTRACE (the test sees to that): memory,
system calls and descriptors are refused with EPERM, as under Yama or in a container. Only hooks and /proc are left.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_DUMPABLE = 4
READY_SECONDS = 60.0
GAP_SECONDS = 2.0


def undumpable() -> None:
    """From here on, this process's memory is its own; the hooks are put in."""
    from trainer_hooks import install

    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    install.driver()


def driver(address: str, mode: str, told: str) -> None:
    """The job."""
    import ray

    from tests.diagnose.hung_actors import TaskRunner

    undumpable()
    setup = {"worker_process_setup_hook": "tests.diagnose.blind_hangs.undumpable"}
    ray.init(address=address, log_to_driver=False, runtime_env=setup)
    trainer = ray.remote(TaskRunner).options(name="task_runner", num_cpus=0).remote()
    ray.get(trainer.run.remote(mode, told))


def judged(head: Any, mode: str, folder: Path) -> dict[str, Any]:
    """Two samples of one hang and their verdict, and how each process could be read."""
    from monitor.detect.judge import judge
    from monitor.inspection.asyncio_reader import read_tasks
    from monitor.inspection.threads import read_threads
    from monitor.model.json_form import to_json

    told = folder / f"told-{mode}"
    words = [sys.executable, "-m", "tests.diagnose.blind_hangs", "driver", head.address, mode, str(told)]
    job = subprocess.Popen([*words, f"trainer.experiment_name={mode}"], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not told.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        print(mode, "is ready" if told.exists() else "did not become ready", file=sys.stderr)
        samples = _samples(head, mode)
        # The run's own processes: Ray's daemons did not make themselves unreadable.
        pids = [item.pid for item in samples[-1].processes if item.role == "driver" or item.actor_id]
        permitted = [pid for pid in pids if not read_threads(pid).unknown or read_tasks(pid).tasks is not None]
    finally:
        job.terminate()
        job.wait(30)
    told_by = sorted({item.threads_from for item in samples[-1].processes if item.pid in pids})
    return {"verdict": to_json(judge(samples)), "permitted": permitted, "threads_from": told_by}


def _samples(head: Any, mode: str) -> list[Any]:
    from monitor.diagnose.capture import capture
    from monitor.model.snapshot import RunPosition
    from monitor.sources.ray_api import RayApi
    from monitor.sources.ray_discovery import find_cluster
    from monitor.sources.run_locator import locate

    cluster = find_cluster(head.address)
    api = RayApi(cluster)
    deadline = time.monotonic() + READY_SECONDS
    while True:
        location = locate(cluster, api)
        roles = [item.role for item in location.processes]
        if (roles.count("agent-loop") == 2 and "rollout" in roles) or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    print(mode, [item.label for item in location.processes], file=sys.stderr)
    time.sleep(2.5)
    stopped = [item.pid for item in location.processes if item.role == "rollout" and mode == "engine-stopped"]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        position = RunPosition(location.name, 1, 1, "testing", last_moved_at=time.time())
        earlier = capture(cluster, api, location, position)
        time.sleep(GAP_SECONDS)
        return [earlier, capture(cluster, api, location, position)]
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def main(folder: Path, modes: list[str]) -> None:
    """All modes on one Ray, a document on stdout."""
    from monitor.ray_head import RayHead

    os.environ["LASTSTEP_DIR"] = str(folder)
    with RayHead.start(num_cpus=8) as head:
        os.environ.update(head.environment())
        print(json.dumps({mode: judged(head, mode, folder) for mode in modes}))


if __name__ == "__main__":
    if sys.argv[1] == "driver":
        driver(*sys.argv[2:5])
    else:
        main(Path(sys.argv[1]), sys.argv[2:])
